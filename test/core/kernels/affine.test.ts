import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as reference from "../../../src/kernels/reference/affine.ts";
import * as errors from "../../../src/kernels/reference/errors.ts";
import { guarded, kernels } from "./guarded.ts";
import { anyVectors, finiteMatrices, finiteVectors, RUNS, shifts } from "./weights.ts";

const scales = fc
  .oneof(
    fc.constantFrom(1, 0.5, 2 ** -149, 1.17549435e-38, 3e38, 0.0123),
    fc.float({ min: Math.fround(1e-5), max: 10, noNaN: true }),
  )
  .map(Math.fround);

const kinds = [
  ["quantizeInt8", Int8Array, -128, 127],
  ["quantizeUint8", Uint8Array, 0, 255],
  ["quantizeInt16", Int16Array, -32768, 32767],
  ["quantizeUint16", Uint16Array, 0, 65535],
] as const;

describe.each(kinds)("%s", (name, Codes, least, most) => {
  const zeroPoints = fc.integer({ min: least, max: most });

  function quantized(x: Float32Array, scale: number, zeroPoint: number, shift = 0) {
    return guarded((memory) => {
      const out = memory.room(x.length * Codes.BYTES_PER_ELEMENT);
      kernels[name](memory.put(x, shift), x.length, out, scale, zeroPoint);
      return memory.take(out, new Codes(x.length));
    });
  }

  test("equals the definition", () => {
    fc.assert(
      fc.property(anyVectors(), scales, zeroPoints, shifts, (x, scale, zeroPoint, shift) => {
        const expected = new Codes(x.length);
        reference.quantize(x, expected, scale, zeroPoint);
        expect(quantized(x, scale, zeroPoint, shift)).toEqual(expected);
      }),
      RUNS,
    );
  });

  test("zero is exact and halves go to the even neighbour", () => {
    const x = Float32Array.of(0, -0, 0.5, 1.5, 2.5, -0.5, -1.5);
    const zero = least + 10;
    const steps = [0, 0, 0, 2, 2, 0, -2];
    expect([...quantized(x, 1, zero)]).toEqual(steps.map((step) => zero + step));
  });

  test("saturates at both ends", () => {
    const x = Float32Array.of(-1e30, 1e30, -Infinity, Infinity);
    expect([...quantized(x, 1, 3 + least)]).toEqual([least, most, least, most]);
  });
});

const columnKinds = [
  ["quantizeInt8Columns", "quantizationErrorInt8Columns", Int8Array],
  ["quantizeUint8Columns", "quantizationErrorUint8Columns", Uint8Array],
] as const;

describe.each(columnKinds)("%s and %s", (quantizeName, errorName, Codes) => {
  const cases = finiteMatrices(6, 40).chain(({ x, rows, cols }) =>
    fc.record({
      x: fc.constant(x),
      rows: fc.constant(rows),
      cols: fc.constant(cols),
      scale: fc
        .array(scales, { minLength: cols, maxLength: cols })
        .map((all) => Float32Array.from(all)),
      zeroPoint: fc
        .array(fc.integer({ min: 0, max: 255 }), { minLength: cols, maxLength: cols })
        .map((all) => new Codes(Uint8Array.from(all).buffer)),
      shift: shifts,
    }),
  );

  test("equal the definitions", () => {
    fc.assert(
      fc.property(cases, ({ x, rows, cols, scale, zeroPoint, shift }) => {
        const sums = new Float64Array(2);
        const found = guarded((memory) => {
          const input = memory.put(x, shift);
          const out = memory.room(x.length);
          const [s, z, e] = [memory.put(scale, shift), memory.put(zeroPoint, 1), memory.put(sums)];
          kernels[quantizeName](input, rows, cols, out, s, z);
          kernels[errorName](input, rows, cols, out, s, z, e);
          return { codes: memory.take(out, new Codes(x.length)), sums: memory.take(e, sums) };
        });
        const codes = new Codes(x.length);
        reference.quantizeColumns(x, cols, codes, scale, zeroPoint);
        expect(found.codes).toEqual(codes);
        errors.quantizationErrorColumns(x, cols, codes, scale, zeroPoint, sums);
        expectSums(found.sums, sums);
      }),
      RUNS,
    );
  });
});

describe("errors", () => {
  test.each([
    ["quantizationErrorInt8", Int8Array],
    ["quantizationErrorUint8", Uint8Array],
  ] as const)("%s adds signal and noise", (name, Codes) => {
    fc.assert(
      fc.property(
        finiteVectors(),
        scales,
        fc.integer({ min: 0, max: 127 }),
        shifts,
        (x, scale, zeroPoint, shift) => {
          const sums = Float64Array.of(1, 2);
          const codes = new Codes(x.length);
          reference.quantize(x, codes, scale, zeroPoint);
          const found = guarded((memory) => {
            const e = memory.put(sums);
            kernels[name](
              memory.put(x, shift),
              x.length,
              memory.put(codes, shift),
              scale,
              zeroPoint,
              e,
            );
            return memory.take(e, sums);
          });
          errors.quantizationError(x, codes, scale, zeroPoint, sums);
          expectSums(found, sums);
        },
      ),
      RUNS,
    );
  });

  test("squaredError adds Σa² and Σ(a − b)²", () => {
    fc.assert(
      fc.property(finiteVectors(), shifts, (a, shift) => {
        const b = a.toReversed();
        const sums = Float64Array.of(1, 2);
        const found = guarded((memory) => {
          const e = memory.put(sums);
          kernels.squaredError(memory.put(a, shift), memory.put(b), a.length, e);
          return memory.take(e, sums);
        });
        errors.squaredError(a, b, sums);
        expectSums(found, sums);
      }),
      RUNS,
    );
  });
});

/** The order of the additions differs: float64 rounding is all that may. */
function expectSums(found: Float64Array, expected: Float64Array): void {
  for (const [i, sum] of expected.entries()) {
    if (sum === Infinity) expect(found[i]).toBe(Infinity);
    else expect(Math.abs((found[i] ?? NaN) - sum)).toBeLessThanOrEqual(sum * 1e-12);
  }
}
