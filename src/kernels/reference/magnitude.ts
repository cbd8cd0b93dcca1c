/** @file Magnitude pruning: histograms of |x| bits give an exact threshold, then x is masked in place. */
import { magnitudeBits } from "./rounding.ts";

/** Counts |x| bits >>> 15 into 65,536 buckets. */
export function magnitudeHistogram(x: Float32Array, histogram: Uint32Array): void {
  for (const v of x) {
    const bucket = magnitudeBits(v) >>> 15;
    histogram[bucket] = (histogram[bucket] ?? 0) + 1;
  }
}

/** Counts the low 15 bits of the |x| bits that lie in `bucket`. */
export function magnitudeHistogramWithin(
  x: Float32Array,
  bucket: number,
  histogram: Uint32Array,
): void {
  for (const v of x) {
    const bits = magnitudeBits(v);
    if (bits >>> 15 === bucket) histogram[bits & 0x7fff] = (histogram[bits & 0x7fff] ?? 0) + 1;
  }
}

/**
 * Counts the |x| bits in [low, low + 65,536) one by one, keeps the largest in the element behind them, and returns
 * how many are below `low`.
 */
export function magnitudeHistogramAround(
  x: Float32Array,
  low: number,
  result: Uint32Array,
): number {
  let below = 0;
  for (const v of x) {
    const bits = magnitudeBits(v);
    const at = bits - low;
    if (at < 0) below++;
    else if (at < 65536) result[at] = (result[at] ?? 0) + 1;
    result[65536] = Math.max(result[65536] ?? 0, bits);
  }
  return below;
}

/** Zeroes magnitudes below the threshold and the first `ties` equal to it; returns how many of those. */
export function zeroBelow(x: Float32Array, thresholdBits: number, ties: number): number {
  let zeroed = 0;
  for (const [i, v] of x.entries()) {
    const bits = magnitudeBits(v);
    if (bits < thresholdBits) x[i] = 0;
    else if (bits === thresholdBits && zeroed < ties) {
      x[i] = 0;
      zeroed++;
    }
  }
  return zeroed;
}

/** Zeroes x where the mask is 0. */
export function applyMask(x: Float32Array, mask: Uint8Array): void {
  for (const [i, kept] of mask.entries()) if (kept === 0) x[i] = 0;
}

export function countZeros(x: Float32Array): number {
  return x.reduce((count, v) => count + (v === 0 ? 1 : 0), 0);
}
