/**
 * @file Magnitude pruning: an exact threshold from two histograms, then masks in place.
 *
 * Magnitudes are compared as the bits of |x|: for floats without NaN that is the order of numbers.
 */
import { MAGNITUDE, MAGNITUDES, sumLanesI32 } from "./lanes";

const FINE_BITS: i32 = 15;
const FINE_MASK: i32 = 0x7fff;
/** Bytes of one coarse histogram: u32[65536]. */
const COARSE_BYTES: usize = 262144;

@inline
function count(histogram: usize, bucket: i32): void {
  const at = histogram + ((<usize>bucket) << 2);
  store<u32>(at, load<u32>(at) + 1);
}

@inline
function coarse(x: usize): i32 {
  return (load<i32>(x) & MAGNITUDE) >>> FINE_BITS;
}

export function magnitudeHistogram(x: usize, n: i32, histogram: usize): void {
  // neighbours often share a bucket: two tables keep a count from waiting on the one before
  const other = histogram + COARSE_BYTES;
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16) {
    count(histogram, coarse(x));
    count(other, coarse(x + 4));
    count(histogram, coarse(x + 8));
    count(other, coarse(x + 12));
  }
  for (; i < n; i++, x += 4) count(histogram, coarse(x));
}

@inline
function countWithin(x: usize, bucket: i32, histogram: usize): void {
  const u = load<i32>(x) & MAGNITUDE;
  if (u >>> FINE_BITS == bucket) count(histogram, u & FINE_MASK);
}

export function magnitudeHistogramWithin(x: usize, n: i32, bucket: i32, histogram: usize): void {
  const mask = MAGNITUDES;
  const wanted = i32x4.splat(bucket);
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 32) {
    const a = i32x4.shr_u(v128.and(v128.load(x), mask), FINE_BITS);
    const b = i32x4.shr_u(v128.and(v128.load(x, 16), mask), FINE_BITS);
    if (v128.any_true(v128.or(i32x4.eq(a, wanted), i32x4.eq(b, wanted)))) {
      for (let k: usize = 0; k < 32; k += 4) countWithin(x + k, bucket, histogram);
    }
  }
  for (; i < n; i++, x += 4) countWithin(x, bucket, histogram);
}

const WINDOW_BITS: i32 = 16;
/** Bytes of a window's counts, u32[65536]; the largest magnitude's bits lie behind them. */
const WINDOW_BYTES: usize = 262144;

@inline
function countInWindow(x: usize, low: i32, result: usize): void {
  const d = (load<i32>(x) & MAGNITUDE) - low;
  if (<u32>d >> WINDOW_BITS == 0) count(result, d);
}

export function magnitudeHistogramAround(x: usize, n: i32, low: i32, result: usize): i32 {
  const mask = MAGNITUDES;
  const start = i32x4.splat(low);
  const largest = result + WINDOW_BYTES;
  let below = i32x4.splat(0);
  let most = i32x4.splat(load<i32>(largest));
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 32) {
    const a = v128.and(v128.load(x), mask);
    const b = v128.and(v128.load(x, 16), mask);
    most = i32x4.max_s(most, i32x4.max_s(a, b));
    below = i32x4.sub(below, i32x4.add(i32x4.lt_s(a, start), i32x4.lt_s(b, start)));
    const c = i32x4.shr_u(i32x4.sub(a, start), WINDOW_BITS);
    const d = i32x4.shr_u(i32x4.sub(b, start), WINDOW_BITS);
    // a lane of 0 lies in the window
    if (!i32x4.all_true(c) || !i32x4.all_true(d)) {
      for (let k: usize = 0; k < 32; k += 4) countInWindow(x + k, low, result);
    }
  }
  let total = sumLanesI32(below);
  let max = i32x4.extract_lane(most, 0);
  if (i32x4.extract_lane(most, 1) > max) max = i32x4.extract_lane(most, 1);
  if (i32x4.extract_lane(most, 2) > max) max = i32x4.extract_lane(most, 2);
  if (i32x4.extract_lane(most, 3) > max) max = i32x4.extract_lane(most, 3);
  for (; i < n; i++, x += 4) {
    const u = load<i32>(x) & MAGNITUDE;
    if (u > max) max = u;
    total += <i32>(u < low);
    countInWindow(x, low, result);
  }
  store<i32>(largest, max);
  return total;
}

export function zeroBelow(x: usize, n: i32, thresholdBits: i32, ties: i32): i32 {
  const mask = MAGNITUDES;
  const threshold = i32x4.splat(thresholdBits);
  const below = i32x4.splat(thresholdBits - 1);
  let left = ties;
  let i = 0;
  while (i < n) {
    // as long as ties are owed, look for them; after that a plain mask is enough
    if (left > 0) {
      for (; i + 4 <= n; i += 4, x += 16) {
        const v = v128.load(x);
        const a = v128.and(v, mask);
        if (v128.any_true(i32x4.eq(a, threshold))) break;
        v128.store(x, v128.and(v, i32x4.gt_s(a, below)));
      }
    } else {
      for (; i + 4 <= n; i += 4, x += 16) {
        const v = v128.load(x);
        v128.store(x, v128.and(v, i32x4.gt_s(v128.and(v, mask), below)));
      }
    }
    for (let end = min(n, i + 4); i < end; i++, x += 4) {
      const a = load<i32>(x) & MAGNITUDE;
      if (a < thresholdBits) {
        store<i32>(x, 0);
      } else if (a == thresholdBits && left > 0) {
        store<i32>(x, 0);
        left--;
      }
    }
  }
  return ties - left;
}

export function applyMask(x: usize, n: i32, mask: usize): void {
  const zero = i32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, mask += 4) {
    const bytes = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(mask)));
    v128.store(x, v128.andnot(v128.load(x), i32x4.eq(bytes, zero)));
  }
  for (; i < n; i++, x += 4, mask++) if (!load<u8>(mask)) store<i32>(x, 0);
}

export function countZeros(x: usize, n: i32): i32 {
  const mask = MAGNITUDES;
  const zero = i32x4.splat(0);
  let found = zero;
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16) {
    found = i32x4.sub(found, i32x4.eq(v128.and(v128.load(x), mask), zero));
  }
  let total = sumLanesI32(found);
  for (; i < n; i++, x += 4) total += <i32>((load<i32>(x) & MAGNITUDE) == 0);
  return total;
}
