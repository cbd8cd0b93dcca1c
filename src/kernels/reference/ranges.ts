/** @file Extremes of a vector and of a row-major matrix's columns. NaN takes no part in minima and maxima. */
import { magnitudeBits } from "./rounding.ts";

const NON_FINITE = 0x7f800000;

/** The least and the greatest; of equal ones, as +0 and -0 are, the first. */
export function extremes(values: ArrayLike<number>): {
  readonly low: number;
  readonly high: number;
} {
  let low = values[0] ?? 0;
  let high = low;
  for (let i = 1; i < values.length; i++) {
    const v = values[i] ?? 0;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return { low, high };
}

export function absMaxBits(x: Float32Array): number {
  let most = 0;
  for (const v of x) most = Math.max(most, magnitudeBits(v));
  return most;
}

/** Folds x into the pair `range` (min, max). Returns 1 when a NaN or Inf is present, else 0. */
export function minMax(x: Float32Array, range: Float32Array): number {
  return columnMinMax(x, x.length, 1, range.subarray(0, 1), range.subarray(1, 2));
}

/** Folds each column's largest |x| bits into `most`. */
export function columnAbsMaxBits(
  x: Float32Array,
  rows: number,
  cols: number,
  most: Int32Array,
): void {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      most[c] = Math.max(most[c] ?? 0, magnitudeBits(x[r * cols + c] ?? 0));
    }
  }
}

/** Folds each column's extremes into `min` and `max`. Returns 1 when a NaN or Inf is present, else 0. */
export function columnMinMax(
  x: Float32Array,
  rows: number,
  cols: number,
  min: Float32Array,
  max: Float32Array,
): number {
  let nonFinite = 0;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const v = x[r * cols + c] ?? 0;
      if (v < (min[c] ?? 0)) min[c] = v;
      if (v > (max[c] ?? 0)) max[c] = v;
      if (magnitudeBits(v) >= NON_FINITE) nonFinite = 1;
    }
  }
  return nonFinite;
}
