/**
 * @file Half-quadratic quantization (Badri & Shaji 2023) of row blocks.
 *
 * Starts from the min-max scale (kept inverted: codes are w · scale + zero) and refines the zero point: the
 * error is shrunk towards few large entries (an Lp "norm", p = 0.7), the zero point is the mean of what then
 * fits. It stops when the mean error of the whole matrix no longer falls, so the matrix must be whole.
 */
import { maxLaneF32, minLaneF32, promoteHigh, sumLanesF64 } from "./lanes";

const NORM_LESS_ONE: f32 = <f32>(0.7 - 1.0);
const BETA: f64 = 10;
const KAPPA: f64 = 1.01;
const ITERATIONS: i32 = 20;
const MOST_SCALE: f32 = 20000;
const FIRST_ERROR: f32 = 10000;
/** Smaller errors never survive the shrinking: d^1.3 > 1 / β needs d > 0.146 for β ≤ 12.3. */
const NEVER_SHRUNK: f32 = 0.14;

/** sign(d) · max(0, |d| − (|d| + 1e-8)^(p − 1) / β) */
function shrink(d: f32, inverseBeta: f32): f32 {
  const size = abs(d);
  const left = size - inverseBeta * Mathf.pow(size + 1e-8, NORM_LESS_ONE);
  return left > 0 ? copysign(left, d) : 0;
}

@inline
function shrink4(d: v128, inverseBeta: f32): v128 {
  if (!v128.any_true(f32x4.gt(f32x4.abs(d), f32x4.splat(NEVER_SHRUNK)))) return f32x4.splat(0);
  return f32x4(
    shrink(f32x4.extract_lane(d, 0), inverseBeta),
    shrink(f32x4.extract_lane(d, 1), inverseBeta),
    shrink(f32x4.extract_lane(d, 2), inverseBeta),
    shrink(f32x4.extract_lane(d, 3), inverseBeta),
  );
}

/** Four weights at `x`, of which `left` are there; the others are zero, as the reference pads. */
@inline
function weights4(x: usize, left: i32): v128 {
  if (left >= 4) return v128.load(x);
  let v = f32x4.splat(0);
  if (left > 0) v = v128.load32_zero(x);
  if (left > 1) v = v128.load32_lane(x, v, 1, 4);
  if (left > 2) v = v128.load32_lane(x, v, 2, 8);
  return v;
}

@inline
function codes4(w: v128, scale: v128, zero: v128, most: v128): v128 {
  const t = f32x4.nearest(f32x4.add(f32x4.mul(w, scale), zero));
  return f32x4.pmin(most, f32x4.pmax(f32x4.splat(0), t));
}

/** Σ|w − dequantized| of the last `refinedZero`. */
let blockError: f64 = 0;

/** The next zero point of one block: the mean of code − (w − shrunk error) · scale. */
function refinedZero(
  x: usize,
  n: i32,
  blockSize: i32,
  scale: f32,
  zero: f32,
  most: f32,
  inverseBeta: f32,
): f32 {
  const s = f32x4.splat(scale);
  const z = f32x4.splat(zero);
  const top = f32x4.splat(most);
  let sum = f64x2.splat(0);
  let error = f64x2.splat(0);
  for (let i = 0; i < blockSize; i += 4, x += 16) {
    const w = weights4(x, n - i);
    const code = codes4(w, s, z, top);
    const d = f32x4.sub(w, f32x4.div(f32x4.sub(code, z), s));
    const fit = f32x4.sub(code, f32x4.mul(f32x4.sub(w, shrink4(d, inverseBeta)), s));
    sum = f64x2.add(sum, f64x2.add(f64x2.promote_low_f32x4(fit), promoteHigh(fit)));
    const size = f32x4.abs(d);
    error = f64x2.add(error, f64x2.add(f64x2.promote_low_f32x4(size), promoteHigh(size)));
  }
  blockError = sumLanesF64(error);
  return <f32>sumLanesF64(sum) / <f32>blockSize;
}

/** The min-max start of one block; absent weights count as zero. */
function startBlock(
  x: usize,
  n: i32,
  blockSize: i32,
  most: f32,
  scaleAt: usize,
  zeroAt: usize,
): void {
  let low = weights4(x, n);
  let high = low;
  for (let i = 4, p = x + 16; i < blockSize; i += 4, p += 16) {
    const w = weights4(p, n - i);
    low = f32x4.pmin(low, w);
    high = f32x4.pmax(high, w);
  }
  const least = minLaneF32(low);
  const range = maxLaneF32(high) - least;
  // torch divides a number by a tensor as the number times the reciprocal
  const scale = min<f32>(range == 0 ? 1 : (1 / range) * most, MOST_SCALE);
  store<f32>(scaleAt, scale);
  store<f32>(zeroAt, nearest(-least * scale));
}

export function hqqRowBlocks(
  x: usize,
  rows: i32,
  cols: i32,
  blockSize: i32,
  bits: i32,
  q: usize,
  scales: usize,
  zeroPoints: usize,
): void {
  const most = <f32>((1 << bits) - 1);
  const perRow = (cols + blockSize - 1) / blockSize;
  const blocks = rows * perRow;

  for (let k = 0; k < blocks; k++) {
    const at = (<usize>k) << 2;
    const n = min(blockSize, cols - (k % perRow) * blockSize);
    startBlock(blockAt(x, k, perRow, cols, blockSize), n, blockSize, most, scales + at, zeroPoints + at);
  }

  let beta = BETA;
  let best = FIRST_ERROR;
  for (let step = 0; step < ITERATIONS; step++) {
    let error: f64 = 0;
    for (let k = 0; k < blocks; k++) {
      const at = (<usize>k) << 2;
      const n = min(blockSize, cols - (k % perRow) * blockSize);
      const zero = refinedZero(
        blockAt(x, k, perRow, cols, blockSize),
        n,
        blockSize,
        load<f32>(scales + at),
        load<f32>(zeroPoints + at),
        most,
        <f32>(1 / beta),
      );
      store<f32>(zeroPoints + at, zero);
      error += blockError;
    }
    beta *= KAPPA;
    const mean = <f32>(error / (<f64>blocks * <f64>blockSize));
    if (!(mean < best)) break;
    best = mean;
  }

  for (let k = 0; k < blocks; k++) {
    const at = (<usize>k) << 2;
    const n = min(blockSize, cols - (k % perRow) * blockSize);
    const from = blockAt(x, k, perRow, cols, blockSize);
    const scale = f32x4.splat(load<f32>(scales + at));
    const zero = f32x4.splat(load<f32>(zeroPoints + at));
    for (let i = 0; i < blockSize; i += 4, q += 4) {
      const w = weights4(from + ((<usize>i) << 2), n - i);
      const code = i32x4.trunc_sat_f32x4_s(codes4(w, scale, zero, f32x4.splat(most)));
      const shorts = i16x8.narrow_i32x4_s(code, code);
      v128.store32_lane(q, i8x16.narrow_i16x8_u(shorts, shorts), 0);
    }
    store<f32>(scales + at, 1 / load<f32>(scales + at));
  }
}

@inline
function blockAt(x: usize, k: i32, perRow: i32, cols: i32, blockSize: i32): usize {
  return x + ((<usize>((k / perRow) * cols + (k % perRow) * blockSize)) << 2);
}
