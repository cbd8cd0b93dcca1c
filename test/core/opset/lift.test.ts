import { describe, expect, test } from "vitest";
import { OPERATORS } from "../../../src/compress/operator-table.ts";
import { opsetVersion } from "../../../src/graph/build.ts";
import { checkModel } from "../../../src/graph/check.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { liftOpset } from "../../../src/opset/lift.ts";
import { nativeRuntime } from "../runtime/native.ts";
import { CASES, caseModel, decoded, numbersOf } from "./cases.ts";

/** Float32 rounding of a sum done in another order; most answers are the same bits. */
const TOLERANCE = 2e-6;

describe.each([13, 17, 21])("lifted to opset %i", (target) => {
  test.each(CASES.map((entry) => [entry.name, entry] as const))(
    "%s answers the same",
    async (_, entry) => {
      const model = await caseModel(entry);
      const notes = await liftOpset(model, target);
      expect(opsetVersion(model)).toBe(Math.max(entry.opset, target));
      expect(notes.length > 0).toBe(entry.opset < target);
      checkModel(model, OPERATORS);
      const session = await nativeRuntime().load(await modelBytes(model));
      const feeds = Object.entries(entry.inputs).map(([name, tensor]) => [name, decoded(tensor)]);
      const outputs = await session.run(Object.fromEntries(feeds));
      await session.release();
      for (const [name, encoded] of Object.entries(entry.outputs)) {
        const expected = decoded(encoded);
        const actual = outputs[name];
        expect(actual?.dataType).toBe(expected.dataType);
        expect(actual?.dims).toEqual(expected.dims);
        if (!actual) continue;
        const numbers = numbersOf(actual);
        numbersOf(expected).forEach((value, i) => {
          expect(Math.abs((numbers[i] ?? NaN) - value)).toBeLessThanOrEqual(
            TOLERANCE * Math.max(1, Math.abs(value)),
          );
        });
      }
    },
  );
});
