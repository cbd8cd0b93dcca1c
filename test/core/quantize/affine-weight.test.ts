import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Tensor } from "../../../src/onnx/model.ts";
import { BytesData, ComputedData, readAll } from "../../../src/onnx/tensor-data.ts";
import { affineParameters, codeRange } from "../../../src/quantize/affine.ts";
import { type AffineOptions, affineWeight } from "../../../src/quantize/affine-weight.ts";

type Case = [
  type: "int8" | "uint8",
  symmetric: boolean,
  reduceRange: boolean,
  axis: number | null,
  scales: string,
  zeroPoints: number[],
  codes: string,
];
interface Golden {
  shape: number[];
  weights: { name: string; dtype: "float32" | "float16"; data: string; cases: Case[] }[];
}

const golden = JSON.parse(readFileSync("test/goldens/dynamic/affine.json", "utf8")) as Golden;
const arena = await Arena.create(await kernelModule(), 24 << 20);

const bytesOf = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

function float32Tensor(values: Float32Array, dims: number[]): Tensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name: "w", dataType: DataType.float32, dims, data: new BytesData(bytes) };
}

async function quantized(tensor: Tensor, options: AffineOptions) {
  const weight = await affineWeight(tensor, options, arena);
  if (!weight) throw new Error("the weight stayed float");
  return { ...weight, codes: new Uint8Array(await readAll(weight.data)) };
}

describe.each(["before", "while_writing"] as const)("onnxruntime's numbers, found %s", (check) => {
  test.each(golden.weights)("$name", async ({ dtype, data, cases }) => {
    const tensor: Tensor = {
      name: "w",
      dataType: DataType[dtype],
      dims: golden.shape,
      data: new BytesData(bytesOf(data)),
    };
    for (const [type, symmetric, reduceRange, axis, scales, zeroPoints, codes] of cases) {
      const options: AffineOptions = {
        type,
        symmetric,
        reduceRange,
        check,
        ...(axis !== null && { axis }),
      };
      const weight = await quantized(tensor, options);
      const label = JSON.stringify(options);
      expect(Buffer.from(weight.scale.buffer).toString("base64"), label).toBe(scales);
      expect([...weight.zeroPoint], label).toEqual(zeroPoints);
      expect(Buffer.from(weight.codes).toString("base64"), label).toBe(codes);
    }
  });
});

/** Element by element, without kernels or chunks. */
function naive(values: Float32Array, dims: number[], options: AffineOptions): number[] {
  const axis =
    options.axis === undefined ? undefined : (options.permutation?.[options.axis] ?? options.axis);
  const inner = dims.slice((axis ?? -1) + 1).reduce((a, b) => a * b, 1);
  const channels = axis === undefined ? 1 : (dims[axis] ?? 1);
  const channelOf = (i: number) => (axis === undefined ? 0 : Math.floor(i / inner) % channels);
  const low = new Float32Array(channels);
  const high = new Float32Array(channels);
  values.forEach((x, i) => {
    const c = channelOf(i);
    low[c] = Math.min(low[c] ?? 0, x);
    high[c] = Math.max(high[c] ?? 0, x);
  });
  const range = codeRange(options.type, options.symmetric, options.reduceRange);
  const found = Array.from(low, (min, c) =>
    affineParameters(min, high[c] ?? 0, range, options.symmetric),
  );
  const [floor, ceiling] = options.type === "int8" ? [-128, 127] : [0, 255];
  const codes = Array.from(values, (x, i) => {
    const { scale, zeroPoint } = found[channelOf(i)] ?? { scale: NaN, zeroPoint: NaN };
    const shift = 1.5 * 2 ** 52;
    return (
      Math.min(Math.max(Math.fround(x / scale) + shift - shift + zeroPoint, floor), ceiling) & 255
    );
  });
  if (!options.permutation) return codes;
  const strides = dims.map((_, i) => dims.slice(i + 1).reduce((a, b) => a * b, 1));
  const outDims = options.permutation.map((from) => dims[from] ?? 1);
  return codes.map((_, i) => {
    let rest = i;
    let source = 0;
    for (let a = outDims.length - 1; a >= 0; a--) {
      const size = outDims[a] ?? 1;
      source += (rest % size) * (strides[options.permutation?.[a] ?? 0] ?? 0);
      rest = Math.floor(rest / size);
    }
    return codes[source] ?? -1;
  });
}

function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state / 2 ** 31) ** 3;
  });
}

describe("shapes", () => {
  const symmetric = { type: "int8", symmetric: true, reduceRange: false } as const;
  const asymmetric = { type: "uint8", symmetric: false, reduceRange: false } as const;
  const shapes: [number[], AffineOptions][] = [
    [[7, 5], { ...symmetric, permutation: [1, 0] }],
    [[7, 5], { ...asymmetric, permutation: [1, 0], axis: 1 }],
    [[7, 5], { ...symmetric, permutation: [1, 0], axis: 0 }],
    [[2, 12, 5], { ...symmetric, permutation: [0, 2, 1], axis: 0 }],
    [[2, 3, 4, 5], { ...asymmetric, permutation: [3, 2, 0, 1], axis: 0 }],
    [[3, 1, 4, 1], { ...asymmetric, permutation: [3, 1, 2, 0], axis: 2 }],
    [[4, 5], { ...symmetric, permutation: [0, 1], axis: 0 }],
    [[1, 9], { ...symmetric, axis: 1 }],
    [[9], { ...symmetric, axis: 0 }],
    [[], asymmetric],
    [[0, 4], symmetric],
    // Several chunks, with ends inside a run and inside a row.
    [[3, 401, 1019], { ...symmetric, axis: 1 }],
    [[1031, 1033], { ...asymmetric, axis: 1 }],
    [[2, 1_100_003], { ...symmetric, axis: 1 }],
    [[1031, 1033], { ...asymmetric, permutation: [1, 0], axis: 1 }],
    [[2, 1031, 613], { ...symmetric, permutation: [0, 2, 1] }],
    [[3, 1_100_003], { ...symmetric, permutation: [1, 0] }],
  ];
  test.each(shapes)("%j %j", async (dims, options) => {
    const values = noise(
      dims.reduce((a, b) => a * b, 1),
      3,
    );
    const weight = await quantized(float32Tensor(values, dims), options);
    const expected = naive(values, dims, options);
    expect(Buffer.compare(weight.codes, Uint8Array.from(expected))).toBe(0);
    expect(weight.dims).toEqual(options.permutation?.map((axis) => dims[axis]) ?? dims);
  });

  test("a transposed weight larger than the arena goes by panels", async () => {
    const small = await Arena.create(await kernelModule(), 8 << 20);
    const values = noise(3000 * 1400, 5);
    const dims = [3000, 1400];
    const options: AffineOptions = { ...symmetric, permutation: [1, 0], axis: 1 };
    const weight = await affineWeight(float32Tensor(values, dims), options, small);
    const codes = weight && (await readAll(weight.data));
    expect(
      Buffer.compare(codes ?? new Uint8Array(), Uint8Array.from(naive(values, dims, options))),
    ).toBe(0);
    expect(small.kernels.memory.buffer.byteLength).toBeLessThanOrEqual(8 << 20);
  });

  test("computed data gives the same codes as stored data, whatever its pieces", async () => {
    const dims = [2, 600, 1024];
    const values = noise(2 * 600 * 1024, 9);
    const bytes = new Uint8Array(values.buffer);
    const computed = new ComputedData(bytes.length, async (sink) => {
      for (let at = 0; at < bytes.length; at += 99_991)
        await sink.write(bytes.subarray(at, at + 99_991));
    });
    for (const options of [
      { ...symmetric, axis: 2 },
      { ...asymmetric, permutation: [0, 2, 1], axis: 0 },
    ]) {
      const stored = await quantized(float32Tensor(values, dims), options);
      const piecewise = await quantized(
        { ...float32Tensor(values, dims), data: computed },
        options,
      );
      expect(Buffer.compare(stored.codes, piecewise.codes)).toBe(0);
      expect(piecewise.scale).toEqual(stored.scale);
    }
  });

  test("the arena is as empty afterwards as it was before", async () => {
    const before = arena.mark();
    await quantized(float32Tensor(noise(600, 1), [20, 30]), {
      ...symmetric,
      permutation: [1, 0],
      axis: 0,
    });
    expect(arena.mark()).toBe(before);
  });
});

describe("values", () => {
  const modes: AffineOptions[] = [
    { type: "int8", symmetric: true, reduceRange: false },
    { type: "uint8", symmetric: false, reduceRange: false },
    { type: "int8", symmetric: true, reduceRange: false, axis: 0 },
    { type: "uint8", symmetric: false, reduceRange: false, axis: 1 },
    { type: "int8", symmetric: true, reduceRange: false, axis: 1 },
  ];
  test.each([NaN, Infinity, -Infinity, -NaN])("a weight with %d stays float", async (bad) => {
    for (const options of modes) {
      const values = noise(60, 2);
      values[41] = bad;
      expect(await affineWeight(float32Tensor(values, [6, 10]), options, arena)).toBeUndefined();
    }
  });

  test("a range that overflows float32 stays float", async () => {
    for (const options of modes) {
      const values = Float32Array.from([3e38, -3e38, 3e38, -3e38, 1, -3e38]);
      expect(await affineWeight(float32Tensor(values, [2, 3]), options, arena)).toBeUndefined();
    }
  });

  test("zero is exact, and every scale is finite and positive", async () => {
    const kinds = [0, 1e-45, -1e-40, 1e-38, 0.3, -5, 8e37];
    for (const options of modes) {
      for (const value of kinds) {
        const values = Float32Array.from([0, value, value, value, 0, value / 2]);
        const weight = await quantized(float32Tensor(values, [2, 3]), options);
        expect([...weight.scale].every((scale) => scale > 0 && Number.isFinite(scale))).toBe(true);
        const signed =
          weight.zeroPoint instanceof Int8Array ? new Int8Array(weight.codes.buffer) : weight.codes;
        expect(signed[0]).toBe(weight.zeroPoint[0]);
      }
    }
  });

  test("the error that is reported is that of the codes", async () => {
    for (const options of [
      ...modes,
      { ...modes[0], permutation: [1, 0], axis: 1 } as AffineOptions,
    ]) {
      const values = noise(60, 4);
      let sums: number[] = [];
      const onError = (signal: number, error: number) => (sums = [signal, error]);
      const plain = await quantized(float32Tensor(values, [6, 10]), { ...options, onError });
      const { permutation: _, ...stored } = options;
      const axis = options.axis !== undefined && options.permutation ? { axis: 0 } : {};
      const { codes, scale, zeroPoint } = await quantized(float32Tensor(values, [6, 10]), {
        ...stored,
        ...axis,
      });
      const q = options.type === "int8" ? new Int8Array(codes.buffer) : codes;
      const channel = (i: number) =>
        scale.length === 1 ? 0 : scale.length === 6 ? Math.floor(i / 10) : i % 10;
      const error = values.reduce((sum, x, i) => {
        const back = ((q[i] ?? 0) - (zeroPoint[channel(i)] ?? 0)) * (scale[channel(i)] ?? 0);
        return sum + (x - back) ** 2;
      }, 0);
      expect(sums[0]).toBeCloseTo(
        values.reduce((sum, x) => sum + x * x, 0),
        6,
      );
      expect(sums[1]).toBeGreaterThan(0);
      expect((sums[1] ?? 0) / error).toBeCloseTo(1, 4);
      expect(plain.scale).toEqual(scale);
    }
  });

  test("an integer weight is a type error, a wrong axis or permutation a range error", async () => {
    const integers: Tensor = {
      name: "i",
      dataType: DataType.int8,
      dims: [2, 2],
      data: new BytesData(new Uint8Array(4)),
    };
    const options: AffineOptions = { type: "int8", symmetric: true, reduceRange: false };
    await expect(affineWeight(integers, options, arena)).rejects.toThrow(TypeError);
    const floats = float32Tensor(new Float32Array(4), [2, 2]);
    for (const wrong of [
      { axis: 2 },
      { axis: -1 },
      { permutation: [0, 0] },
      { permutation: [0] },
      { permutation: [0, 2] },
    ]) {
      await expect(affineWeight(floats, { ...options, ...wrong }, arena)).rejects.toThrow(
        RangeError,
      );
    }
  });
});
