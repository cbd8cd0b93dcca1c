/**
 * @file Blocks of rows of each column (DequantizeLinear with axis 0): one code a byte, packed by `packCodes`.
 *
 * ONNX Runtime's C++ path (`BlockwiseQDQQuantizer`): times the reciprocal, halves away from zero, rounding
 * before the zero point is added.
 */
import { ALMOST_HALF, reciprocalOf, scaleOf, zeroPointOf } from "./block-arithmetic";
import { held, heldFloat } from "./lanes";

/** The sign of a float32, and the least int32. */
const SIGN = held(0x80000000);
const TWO_TO_31 = heldFloat(2147483648);

/** round(x · reciprocal) + zero point, halves away from zero, as int32; NaN and Inf give the least int32. */
@inline
function awayFromZero(x: v128, reciprocal: v128, zeroPoint: v128): v128 {
  const t = f32x4.mul(x, reciprocal);
  const sign = v128.and(t, SIGN);
  const size = f32x4.floor(f32x4.add(v128.xor(t, sign), ALMOST_HALF));
  const known = f32x4.lt(size, TWO_TO_31);
  const whole = i32x4.trunc_sat_f32x4_s(v128.or(size, sign));
  return v128.bitselect(i32x4.add(whole, zeroPoint), SIGN, known);
}

export function quantizeColumnBlocks(
  x: usize,
  rows: i32,
  cols: i32,
  blockSize: i32,
  bits: i32,
  symmetric: i32,
  q: usize,
  scales: usize,
  zeroPoints: usize,
): void {
  for (let r = 0; r < rows; r += blockSize) {
    const count = min(blockSize, rows - r);
    for (let c = 0; c < cols; c += 4) {
      quantizeColumns4(x, count, cols, c, bits, symmetric != 0, q, scales, zeroPoints);
    }
    x += <usize>(count * cols) << 2;
    q += <usize>(count * cols);
    scales += (<usize>cols) << 2;
    zeroPoints += <usize>cols;
  }
}

/** Four columns of one block; fewer at the right edge. */
@inline
function quantizeColumns4(
  x: usize,
  rows: i32,
  cols: i32,
  column: i32,
  bits: i32,
  symmetric: bool,
  q: usize,
  scales: usize,
  zeroPoints: usize,
): void {
  const width = min(4, cols - column);
  const stride = (<usize>cols) << 2;
  const middle: i32 = 1 << (bits - 1);
  const start = x + ((<usize>column) << 2);
  let low = load4(start, width);
  let high = low;
  for (let r = 1, p = start + stride; r < rows; r++, p += stride) {
    const v = load4(p, width);
    low = f32x4.pmin(low, v);
    high = f32x4.pmax(high, v);
  }
  let zeroPoint = i32x4.splat(0);
  if (!symmetric) {
    low = f32x4.pmin(f32x4.splat(0), low);
    high = f32x4.pmax(f32x4.splat(0), high);
  }
  const scale = scaleOf(bits, low, high, symmetric);
  if (!symmetric) zeroPoint = i32x4.trunc_sat_f32x4_s(zeroPointOf(bits, low, scale));
  const reciprocal = reciprocalOf(scale);
  const least = i32x4.splat(symmetric ? -middle : 0);
  const most = i32x4.splat(symmetric ? middle - 1 : (1 << bits) - 1);
  store4<f32>(scales + ((<usize>column) << 2), scale, width);
  if (!symmetric) store4<u8>(zeroPoints + <usize>column, lowBytes(zeroPoint), width);
  let to = q + <usize>column;
  for (let r = 0, p = start; r < rows; r++, p += stride, to += <usize>cols) {
    const t = awayFromZero(load4(p, width), reciprocal, zeroPoint);
    store4<u8>(to, lowBytes(i32x4.min_s(most, i32x4.max_s(least, t))), width);
  }
}

function load4(p: usize, width: i32): v128 {
  if (width == 4) return v128.load(p);
  let v = v128.load32_zero(p);
  if (width > 1) v = v128.load32_lane(p, v, 1, 4);
  if (width > 2) v = v128.load32_lane(p, v, 2, 8);
  return v;
}

/** Stores the first `width` of four float32, or of four bytes. */
@inline
function store4<T>(p: usize, v: v128, width: i32): void {
  if (width == 4) {
    if (sizeof<T>() == 4) v128.store(p, v);
    else v128.store32_lane(p, v, 0);
    return;
  }
  v128.store(lanes, v);
  memory.copy(p, lanes, <usize>width * sizeof<T>());
}

const lanes = memory.data(16, 16);

/** The low bytes of the lanes, in the first lane. */
@inline
function lowBytes(v: v128): v128 {
  return i8x16.shuffle(v, v, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
}
