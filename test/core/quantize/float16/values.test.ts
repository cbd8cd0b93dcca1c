/** @file The 16-bit values themselves: equal to numpy's, lazy, in pieces, counted where they are clamped. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { makeNode, makeTensor } from "../../../../src/graph/build.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Tensor } from "../../../../src/onnx/model.ts";
import { ComputedData, readAll } from "../../../../src/onnx/tensor-data.ts";
import { convertFloat16 } from "../../../../src/quantize/float16.ts";
import {
  type HalfFormat,
  type HalfSummary,
  halfTensor,
  MAX_BFLOAT16,
} from "../../../../src/quantize/float16/half-data.ts";
import goldens from "../../../goldens/float16/goldens.json" with { type: "json" };
import { graph, model, value, weight } from "./graphs.ts";

const arena = await Arena.create(await kernelModule());

const FLOAT16: HalfFormat = {
  dataType: DataType.float16,
  minPositive: 5.96e-8,
  maxFinite: 65504,
};
const BFLOAT16: HalfFormat = {
  dataType: DataType.bfloat16,
  minPositive: 0,
  maxFinite: MAX_BFLOAT16,
};

/** Every kind of float32: bit patterns i · 2654435761, NaNs quiet, as the goldens' generator makes them. */
function patterns(finiteOnly = false): Uint8Array {
  const bits = new Uint32Array(goldens.values.count);
  for (let i = 0; i < bits.length; i++) {
    const pattern = Math.imul(i, 2654435761);
    bits[i] = (pattern & 0x7fffffff) > 0x7f800000 ? pattern | 0x400000 : pattern;
  }
  const floats = new Float32Array(bits.buffer);
  if (finiteOnly) floats.forEach((x, i) => (floats[i] = Number.isFinite(x) ? x : 0));
  return new Uint8Array(bits.buffer);
}

function floats(values: readonly number[]): Tensor {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return makeTensor("w", DataType.float32, [values.length], data);
}

async function converted(tensor: Tensor, format: HalfFormat) {
  let summary: HalfSummary | undefined;
  const half = halfTensor(tensor, format, arena, (written) => (summary = written));
  const bytes = await readAll(half.data);
  return { half, bytes, summary: summary as HalfSummary | undefined };
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("values", () => {
  const { count, ...digests } = goldens.values;
  const tensor = (finiteOnly: boolean) =>
    makeTensor("w", DataType.float32, [count], patterns(finiteOnly));

  test("float16 has numpy's and the converter's bits for all kinds of float32", async () => {
    const { bytes } = await converted(tensor(false), FLOAT16);
    expect(sha256(bytes)).toBe(digests.float16);
  });

  test("narrower bounds clamp as the converter does", async () => {
    const narrow = { ...FLOAT16, minPositive: 1e-7, maxFinite: 1e4 };
    const { bytes } = await converted(tensor(false), narrow);
    expect(sha256(bytes)).toBe(digests["float16_1e-7_1e4"]);
  });

  test("bfloat16 rounds to nearest even, and finite values stay finite", async () => {
    const { bytes, summary } = await converted(tensor(true), BFLOAT16);
    expect(sha256(bytes)).toBe(digests.bfloat16_finite);
    expect(summary?.nonFinite).toBe(0);
    expect(summary?.clamped).toBeGreaterThan(0);
  });

  test("computed data in pieces that split elements gives the same bits", async () => {
    const bytes = patterns();
    const data = new ComputedData(bytes.length, async (sink) => {
      for (let at = 0; at < bytes.length; at += 30_001) {
        await sink.write(bytes.subarray(at, at + 30_001));
      }
    });
    const source: Tensor = { name: "w", dataType: DataType.float32, dims: [count], data };
    expect(sha256((await converted(source, FLOAT16)).bytes)).toBe(digests.float16);
  });
});

describe("accounts", () => {
  test("clamped and non-finite values are counted, the largest is named", async () => {
    const { summary } = await converted(
      floats([1, 65504, 65505, -7e5, Infinity, NaN, 1e-9]),
      FLOAT16,
    );
    expect(summary).toMatchObject({ clamped: 2, largest: 7e5, nonFinite: 2 });
  });

  test("signal and error are those of the values", async () => {
    const values = Array.from({ length: 3000 }, (_, i) => Math.sin(i) / 3);
    const { bytes, summary } = await converted(floats(values), FLOAT16);
    const half = new Float16Array(bytes.slice().buffer);
    let signal = 0;
    let error = 0;
    Float32Array.from(values).forEach((x, i) => {
      signal += x * x;
      error += (x - (half[i] ?? 0)) ** 2;
    });
    expect(summary?.signal).toBeCloseTo(signal, 6);
    expect((summary?.error ?? 0) / error).toBeCloseTo(1, 4);
  });

  test("the estimate for a large weight is near the exact error", async () => {
    const values = new Float32Array((1 << 20) + 12_345);
    for (let i = 0; i < values.length; i++) values[i] = Math.sin(i * i);
    const large = makeTensor("w", 1, [values.length], new Uint8Array(values.buffer));
    const { bytes, summary } = await converted(large, FLOAT16);
    const half = new Float16Array(bytes.buffer, bytes.byteOffset, values.length);
    let error = 0;
    for (let i = 0; i < values.length; i++) error += ((values[i] ?? 0) - (half[i] ?? 0)) ** 2;
    expect(Math.abs(10 * Math.log10((summary?.error ?? 0) / error))).toBeLessThan(0.1);
  });

  test("scratch is given back", async () => {
    const before = arena.mark();
    await converted(weight("w", [300, 1000]), FLOAT16);
    expect(arena.mark()).toBe(before);
  });
});

describe("the pass", () => {
  const clamping = () =>
    model(
      graph(
        [makeNode("Mul", ["x", "w"], ["y"])],
        [value("x", [3])],
        [value("y", [3])],
        [floats([1, 2e5, NaN])],
      ),
    );

  test("reads no weight before it is written", async () => {
    const changed = clamping();
    const data = new ComputedData(12, async () => {
      throw new Error("read");
    });
    changed.graph.initializers.set("w", { name: "w", dataType: 1, dims: [3], data });
    const report = await convertFloat16(changed, {}, arena);
    expect(report.changed[0]).toMatchObject({ name: "w", bytesAfter: 6, sqnrDb: null });
    const stored = changed.graph.initializers.get("w");
    await expect(readAll(stored?.data ?? data)).rejects.toThrow("read");
  });

  test("the report tells clamps once the weight is written, once", async () => {
    const changed = clamping();
    const report = await convertFloat16(changed, {}, arena);
    expect(report.changed[0]?.method).toBe("float16");
    const stored = changed.graph.initializers.get("w");
    for (let i = 0; i < 2; i++) if (stored) await readAll(stored.data);
    const remark = "1 value clamped to ±65504, the largest was 200000; 1 NaN or Inf stay so";
    expect(report.changed[0]?.method).toBe(`float16 (${remark})`);
    expect(report.notes).toEqual([`"w": ${remark}`]);
  });

  test("the error of a weight is in the report once it is written", async () => {
    const changed = clamping();
    changed.graph.initializers.set("w", floats([1 / 3, 0.1, 7.7]));
    const report = await convertFloat16(changed, {}, arena);
    const stored = changed.graph.initializers.get("w");
    if (stored) await readAll(stored.data);
    expect(report.changed[0]?.sqnrDb).toBeGreaterThan(60);
  });
});
