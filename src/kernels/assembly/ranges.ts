/**
 * @file Ranges of float32 data: extremes of a vector and of each column of a matrix.
 *
 * NaN and Inf must be found without slowing the scan. The sum of everything read is kept beside the
 * extremes: any NaN or Inf makes it non-finite. So may an overflow, hence a second look at the bits.
 */
import {
  MAGNITUDE,
  MAGNITUDES,
  NON_FINITE,
  maxLaneF32,
  maxLaneI32,
  minLaneF32,
} from "./lanes";

export function absMaxBits(x: usize, n: i32): i32 {
  const mask = MAGNITUDES;
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let i = 0;
  for (; i + 16 <= n; i += 16, x += 64) {
    a = i32x4.max_s(a, v128.and(v128.load(x), mask));
    b = i32x4.max_s(b, v128.and(v128.load(x, 16), mask));
    c = i32x4.max_s(c, v128.and(v128.load(x, 32), mask));
    d = i32x4.max_s(d, v128.and(v128.load(x, 48), mask));
  }
  let most = maxLaneI32(i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d)));
  for (; i < n; i++, x += 4) most = max(most, load<i32>(x) & MAGNITUDE);
  return most;
}

/** Whether four running sums, or the rest `tail` of the data, hold a NaN or Inf. */
@inline
function finite(a: v128, b: v128, tail: f32): bool {
  const s = f32x4.add(a, b);
  const sum =
    f32x4.extract_lane(s, 0) +
    f32x4.extract_lane(s, 1) +
    (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3)) +
    tail;
  return sum - sum == 0;
}

export function minMax(x: usize, n: i32, out: usize): i32 {
  const start = x;
  let low = f32x4.splat(load<f32>(out));
  let high = f32x4.splat(load<f32>(out, 4));
  let low2 = low;
  let high2 = high;
  let sum = f32x4.splat(0);
  let sum2 = sum;
  let i = 0;
  // pmin(acc, v) and pmax(acc, v) keep `acc` where v is NaN
  for (; i + 16 <= n; i += 16, x += 64) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    const c = v128.load(x, 32);
    const d = v128.load(x, 48);
    low = f32x4.pmin(low, a);
    high = f32x4.pmax(high, a);
    low2 = f32x4.pmin(low2, b);
    high2 = f32x4.pmax(high2, b);
    low = f32x4.pmin(low, c);
    high = f32x4.pmax(high, c);
    low2 = f32x4.pmin(low2, d);
    high2 = f32x4.pmax(high2, d);
    sum = f32x4.add(sum, f32x4.add(a, b));
    sum2 = f32x4.add(sum2, f32x4.add(c, d));
  }
  let least = minLaneF32(f32x4.pmin(low, low2));
  let most = maxLaneF32(f32x4.pmax(high, high2));
  let tail: f32 = 0;
  for (; i < n; i++, x += 4) {
    const v = load<f32>(x);
    if (v < least) least = v;
    if (v > most) most = v;
    tail += v;
  }
  store<f32>(out, least);
  store<f32>(out, most, 4);
  return finite(sum, sum2, tail) ? 0 : <i32>(absMaxBits(start, n) >= NON_FINITE);
}

export function columnAbsMaxBits(x: usize, rows: i32, cols: i32, acc: usize): void {
  const mask = MAGNITUDES;
  const row = (<usize>cols) << 2;
  let r = 0;
  // four rows at a time, so that the accumulators are read and written a quarter as often
  for (; r + 4 <= rows; r += 4, x += 3 * row) {
    let a = acc;
    let c = 0;
    for (; c + 4 <= cols; c += 4, x += 16, a += 16) {
      const p = x + row;
      const q = p + row;
      const m = i32x4.max_s(
        i32x4.max_s(v128.and(v128.load(x), mask), v128.and(v128.load(p), mask)),
        i32x4.max_s(v128.and(v128.load(q), mask), v128.and(v128.load(q + row), mask)),
      );
      v128.store(a, i32x4.max_s(v128.load(a), m));
    }
    for (; c < cols; c++, x += 4, a += 4) {
      let most = load<i32>(a);
      for (let k: usize = 0; k < 4; k++) most = max(most, load<i32>(x + k * row) & MAGNITUDE);
      store<i32>(a, most);
    }
  }
  for (; r < rows; r++) {
    for (let c = 0, a = acc; c < cols; c++, x += 4, a += 4) {
      store<i32>(a, max(load<i32>(a), load<i32>(x) & MAGNITUDE));
    }
  }
}

export function columnMinMax(
  x: usize,
  rows: i32,
  cols: i32,
  least: usize,
  most: usize,
): i32 {
  const start = x;
  const row = (<usize>cols) << 2;
  let sum = f32x4.splat(0);
  let tail: f32 = 0;
  let r = 0;
  for (; r + 4 <= rows; r += 4, x += 3 * row) {
    let c = 0;
    let offset: usize = 0;
    for (; c + 4 <= cols; c += 4, x += 16, offset += 16) {
      const p = x + row;
      const q = p + row;
      const v0 = v128.load(x);
      const v1 = v128.load(p);
      const v2 = v128.load(q);
      const v3 = v128.load(q + row);
      let low = f32x4.pmin(v128.load(least + offset), v0);
      let high = f32x4.pmax(v128.load(most + offset), v0);
      low = f32x4.pmin(f32x4.pmin(f32x4.pmin(low, v1), v2), v3);
      high = f32x4.pmax(f32x4.pmax(f32x4.pmax(high, v1), v2), v3);
      v128.store(least + offset, low);
      v128.store(most + offset, high);
      sum = f32x4.add(sum, f32x4.add(f32x4.add(v0, v1), f32x4.add(v2, v3)));
    }
    for (; c < cols; c++, x += 4, offset += 4) {
      for (let k: usize = 0; k < 4; k++) {
        const v = load<f32>(x + k * row);
        foldColumn(least + offset, most + offset, v);
        tail += v;
      }
    }
  }
  for (; r < rows; r++) {
    let offset: usize = 0;
    for (let c = 0; c < cols; c++, x += 4, offset += 4) {
      const v = load<f32>(x);
      foldColumn(least + offset, most + offset, v);
      tail += v;
    }
  }
  return finite(sum, f32x4.splat(0), tail) ? 0 : <i32>(absMaxBits(start, rows * cols) >= NON_FINITE);
}

@inline
function foldColumn(least: usize, most: usize, v: f32): void {
  if (v < load<f32>(least)) store<f32>(least, v);
  if (v > load<f32>(most)) store<f32>(most, v);
}
