/** @file Arbitrary weights: ordinary ones, any finite float32, and the values at which kernels change course. */
import fc from "fast-check";
import { floatOf } from "../../../src/kernels/reference/rounding.ts";

const SPECIAL = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  127,
  -128,
  255,
  // smallest and largest subnormal, smallest and largest normal float32
  2 ** -149,
  -(2 ** -149),
  2 ** -126 - 2 ** -149,
  2 ** -126,
  -(2 ** -126),
  3.4028234663852886e38,
  -3.4028234663852886e38,
  // the bounds of half precision
  5.96e-8,
  2 ** -24,
  2 ** -25,
  2 ** -25 + 2 ** -48,
  2 ** -14,
  2 ** -14 - 2 ** -25,
  65504,
  65519.996,
  65520,
  -65536,
  // around the half that rounding adds
  0.49999997,
  0.50000006,
  7.4999995,
  8.5,
].map(Math.fround);

const finiteBits = fc
  .integer({ min: 0, max: 0xffffffff })
  .map((bits) => floatOf((bits & 0x7f800000) === 0x7f800000 ? bits & 0x807fffff : bits));

const element = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -4000, max: 4000 }).map((k) => Math.fround(k / 1024)) },
  { weight: 2, arbitrary: finiteBits },
  { weight: 2, arbitrary: fc.constantFrom(...SPECIAL) },
);

const ordinary = fc.integer({ min: -4000, max: 4000 }).map((k) => Math.fround(k / 977));

/** Finite float32 vectors of these lengths; half of them of ordinary weights only. */
export function finiteVectors(minLength = 0, maxLength = 70): fc.Arbitrary<Float32Array> {
  return fc.oneof(
    fc.array(ordinary, { minLength, maxLength }).map((all) => Float32Array.from(all)),
    fc.array(element, { minLength, maxLength }).map((all) => Float32Array.from(all)),
    fc.array(fc.constantFrom(0, -0), { minLength, maxLength }).map((all) => Float32Array.from(all)),
  );
}

/** Vectors of any float32, with NaN and Inf among them. */
export function anyVectors(minLength = 0, maxLength = 70): fc.Arbitrary<Float32Array> {
  const any = fc.oneof(
    { weight: 8, arbitrary: element },
    { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity) },
  );
  return fc.array(any, { minLength, maxLength }).map((all) => Float32Array.from(all));
}

/** Row-major finite matrices. */
export function finiteMatrices(
  maxRows: number,
  maxCols: number,
): fc.Arbitrary<{ x: Float32Array; rows: number; cols: number }> {
  return fc
    .record({
      rows: fc.integer({ min: 1, max: maxRows }),
      cols: fc.integer({ min: 1, max: maxCols }),
    })
    .chain(({ rows, cols }) =>
      finiteVectors(rows * cols, rows * cols).map((x) => ({ x, rows, cols })),
    );
}

/** Elements that an input lies off a 16-byte boundary. */
export const shifts = fc.integer({ min: 0, max: 3 });

export const RUNS = { numRuns: 150 };
