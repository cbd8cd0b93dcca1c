import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { checkModel } from "../../../../src/graph/check.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import type { Model } from "../../../../src/onnx/model.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { OPERATORS } from "../../../../src/compress/operator-table.ts";
import { quantizeStatic } from "../../../../src/quantize/static.ts";
import { prepareStatic } from "../../../../src/quantize/static/prepare.ts";
import { fingerprint } from "../dynamic/fingerprint.ts";
import { golden, parse, rangesOf, RUNS } from "./goldens.ts";

const arena = await Arena.create(await kernelModule(), 24 << 20);

/** Small numbers for every input. */
function feeds(model: Model): Record<string, OrtTensor> {
  return Object.fromEntries(
    model.graph.inputs.map(({ name, type }) => {
      if (type?.kind !== "tensor") throw new TypeError(`input ${name}`);
      const dims = (type.shape ?? []).map((dim) => (typeof dim === "number" ? dim : 3));
      const count = dims.reduce((a, b) => a * b, 1);
      const values = Array.from({ length: count }, (_, i) => ((i * 7919) % 200) / 100 - 1);
      if (type.elementType === 7) {
        return [
          name,
          new OrtTensor(
            "int64",
            BigInt64Array.from(values, (_, i) => BigInt(i)),
            dims,
          ),
        ];
      }
      return [name, new OrtTensor("float32", Float32Array.from(values), dims)];
    }),
  );
}

async function outputsOf(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const results = await session.run(feeds(await parse(bytes)));
  const found = session.outputNames.map((name) => [
    name,
    Array.from(results[name]?.data ?? [], Number),
  ]);
  await session.release();
  return Object.fromEntries(found);
}

describe("given the same ranges, graph, codes, scales and zero points are onnxruntime's", () => {
  test.each(RUNS)("$target $options", async ({ source, target, options, ranges }) => {
    const model = await parse(golden(source));
    prepareStatic(model);
    const report = await quantizeStatic(model, options, rangesOf(ranges), arena);
    const theirs = await parse(golden(target));
    expect(await fingerprint(model.graph)).toEqual(await fingerprint(theirs.graph));

    const bytes = await modelBytes(model);
    const written = await parse(bytes);
    checkModel(written, OPERATORS);
    expect(await outputsOf(bytes)).toEqual(await outputsOf(golden(target)));
    expect(report.changed.length).toBeGreaterThan(0);
  });
});
