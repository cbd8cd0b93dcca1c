/** @file A vector's floats in 16 bits: what is lost comes later, both ends know the same, and what is not whole is refused. */
import { describe, expect, it } from "vitest";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { VectorEncoding } from "../../../src/runner/vector-encoding.ts";
import { uniform } from "../runtime/models.ts";

const arena = await Arena.create(await kernelModule(), 1 << 20);
/** More than two blocks of the codecs, and five floats behind them. */
const SHAPE = { length: 20_005, parameters: 20_000 };

describe.each(["float16", "bfloat16"] as const)("%s", (codec) => {
  const encoding = new VectorEncoding(SHAPE, codec, arena);
  const decoded = (start: number, part: Uint8Array, count: number) => {
    const values = new Float32Array(count);
    encoding.decode(start, part, values);
    return values;
  };

  it("what a gradient loses comes with the next ones", () => {
    const { parameters } = SHAPE;
    const gradient = uniform(parameters, 1, 3);
    const residual = new Float32Array(parameters);
    const sum = new Float64Array(parameters);
    const part = new Uint8Array(2 * parameters);
    const times = 40;
    for (let time = 0; time < times; time++) {
      encoding.encode(0, gradient, part, residual);
      for (const [i, value] of decoded(0, part, parameters).entries())
        sum[i] = (sum[i] ?? 0) + value;
    }
    const errors = sum.map((value, i) => Math.abs(value - times * (gradient[i] ?? NaN)));
    // As much as one rounding loses, not forty.
    expect(Math.max(...errors)).toBeLessThan(2 ** -8);
  });

  it("both ends have the same after each change, and it comes to the vector itself", () => {
    const { parameters, length } = SHAPE;
    const there = new Float32Array(length);
    const known = new Float32Array(parameters);
    const change = (values: Float32Array) => {
      for (let start = 0; start < length;) {
        const end = start + encoding.fitting(start, 30_000);
        const part = new Uint8Array(encoding.offsetOf(end) - encoding.offsetOf(start));
        const ours = known.subarray(start, end);
        encoding.encodeChange(start, values.subarray(start, end), ours, part);
        expect(encoding.endOf(start, part.length)).toBe(end);
        encoding.decodeChange(start, part, there.subarray(start, end));
        start = end;
      }
    };
    const vector = uniform(length, 1, 5);
    change(vector);
    expect(there.subarray(0, parameters)).toEqual(known);
    expect(there.subarray(parameters)).toEqual(vector.subarray(parameters));
    expect(there).not.toEqual(vector);
    for (let time = 0; time < 8; time++) change(vector);
    expect(there.subarray(0, parameters)).toEqual(known);
    const farthest = there.reduce(
      (far, value, i) => Math.max(far, Math.abs(value - (vector[i] ?? NaN))),
      0,
    );
    expect(farthest).toBeLessThan(2 ** -23);
  });

  it.each([NaN, Infinity, -Infinity])("%s does not become a number", (value) => {
    const values = new Float32Array(10).fill(1);
    values[4] = value;
    const part = new Uint8Array(20);
    encoding.encode(0, values, part);
    expect(decoded(0, part, 10)[4]).toBe(value);
  });

  it("a part holds whole floats of one kind, and no more than there are", () => {
    expect(encoding.bytes).toBe(2 * 20_000 + 4 * 5);
    expect(encoding.endOf(19_990, 20)).toBe(20_000);
    expect(encoding.endOf(20_000, 20)).toBe(20_005);
    expect(() => encoding.endOf(0, 3)).toThrow(RangeError);
    expect(() => encoding.endOf(19_990, 22)).toThrow(
      "20001 elements of the vector, there are 20000",
    );
    expect(() => encoding.endOf(20_000, 2)).toThrow(RangeError);
    expect(() => encoding.endOf(20_000, 24)).toThrow(
      "20006 elements of the vector, there are 20005",
    );
  });
});

it("without a codec all are float32, and need no arena", () => {
  const encoding = new VectorEncoding(SHAPE);
  expect([encoding.bytes, encoding.coded]).toEqual([4 * 20_005, 0]);
  const part = new Uint8Array(8);
  encoding.encode(19_999, Float32Array.of(0.1, 7), part);
  const values = new Float32Array(2);
  encoding.decode(19_999, part, values);
  expect(values).toEqual(Float32Array.of(0.1, 7));
  expect(() => new VectorEncoding(SHAPE, "float16")).toThrow("needs an arena");
});
