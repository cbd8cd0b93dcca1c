/**
 * @file Block codes that keep the matrix's layout: one byte per element, packed afterwards by `packCodes`.
 *
 * Row blocks (GatherBlockQuantized) follow ONNX Runtime's NumPy path: true division, halves to even,
 * rounding after the zero point was added. Column blocks (DequantizeLinear with axis 0) follow its
 * C++ path: multiplication by the reciprocal, halves away from zero, rounding before the zero point.
 */
import {
  ROUND_MAGICS,
  ROUND_MAGIC_BITS,
  held,
  heldFloat,
  maxLaneF32,
  minLaneF32,
} from "./lanes";

/** rint(x / scale + shift) − bias + 0x4b400000; |x / scale| is at most about 2^bits by construction. */
@inline
function rounded(x: v128, scale: v128, shift: v128, bias: v128): v128 {
  const t = f32x4.add(f32x4.div(x, scale), shift);
  return i32x4.sub(f32x4.add(t, ROUND_MAGICS), bias);
}

export function quantizeRowBlocks(
  x: usize,
  rows: i32,
  cols: i32,
  blockSize: i32,
  bits: i32,
  symmetric: i32,
  signed: i32,
  q: usize,
  scales: usize,
  zeroPoints: usize,
): void {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c += blockSize) {
      const n = min(blockSize, cols - c);
      quantizeBlock(x, n, bits, symmetric != 0, signed != 0, q, scales, zeroPoints);
      x += (<usize>n) << 2;
      q += <usize>n;
      scales += 4;
      zeroPoints++;
    }
  }
}

function quantizeBlock(
  x: usize,
  n: i32,
  bits: i32,
  symmetric: bool,
  signed: bool,
  q: usize,
  scaleAt: usize,
  zeroPointAt: usize,
): void {
  const middle: i32 = 1 << (bits - 1);
  const most: i32 = (1 << bits) - 1;
  let lows = f32x4.splat(load<f32>(x));
  let highs = lows;
  let i = 0;
  let p = x;
  for (; i + 4 <= n; i += 4, p += 16) {
    const v = v128.load(p);
    lows = f32x4.pmin(lows, v);
    highs = f32x4.pmax(highs, v);
  }
  let low = minLaneF32(lows);
  let high = maxLaneF32(highs);
  for (; i < n; i++, p += 4) {
    low = min(low, load<f32>(p));
    high = max(high, load<f32>(p));
  }

  let scale: f32;
  let shift: f32 = 0;
  if (symmetric) {
    scale = (abs(high) > abs(low) ? high : low) / -(<f32>middle);
  } else {
    low = min(low, 0);
    high = max(high, 0);
    scale = (high - low) / <f32>most;
    if (scale != 0) shift = min(max(nearest(-low / scale), 0), <f32>most);
    else shift = <f32>middle;
    store<u8>(zeroPointAt, <u8>(<i32>shift - (signed ? middle : 0)));
  }
  store<f32>(scaleAt, scale);

  const flip: i32 = signed ? middle : 0;
  if (scale == 0) {
    memory.fill(q, <u8>(middle - flip), n);
    return;
  }
  const s = f32x4.splat(scale);
  const z = f32x4.splat(shift);
  const bias = i32x4.splat(ROUND_MAGIC_BITS - (symmetric ? middle : 0));
  const flips = i8x16.splat(<i8>flip);
  const mosts = i8x16.splat(<i8>most);
  i = 0;
  for (; i + 16 <= n; i += 16, x += 64, q += 16) {
    const a = i16x8.narrow_i32x4_s(
      rounded(v128.load(x), s, z, bias),
      rounded(v128.load(x, 16), s, z, bias),
    );
    const b = i16x8.narrow_i32x4_s(
      rounded(v128.load(x, 32), s, z, bias),
      rounded(v128.load(x, 48), s, z, bias),
    );
    v128.store(q, i8x16.sub(i8x16.min_u(i8x16.narrow_i16x8_u(a, b), mosts), flips));
  }
  for (; i < n; i++, x += 4, q++) {
    const t = i32x4.extract_lane(rounded(f32x4.splat(load<f32>(x)), s, z, bias), 0);
    store<u8>(q, <u8>(min(max(t, 0), most) - flip));
  }
}

/** The sign of a float32, and the least int32. */
const SIGN = held(0x80000000);
const TWO_TO_31 = heldFloat(2147483648);
/** The largest float32 below 0.5: floor(t + it) rounds every t in [0, 2^22) half away from zero. */
const ALMOST_HALF = heldFloat(0.49999997);

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
  let scale: v128;
  let zeroPoint = i32x4.splat(0);
  const zero = f32x4.splat(0);
  if (symmetric) {
    const extreme = v128.bitselect(high, low, f32x4.gt(f32x4.abs(high), f32x4.abs(low)));
    scale = f32x4.div(f32x4.neg(extreme), f32x4.splat(<f32>middle));
  } else {
    const most = f32x4.splat(<f32>((1 << bits) - 1));
    low = f32x4.pmin(zero, low);
    high = f32x4.pmax(zero, high);
    scale = f32x4.div(f32x4.sub(high, low), most);
    const exact = f32x4.sub(zero, f32x4.div(low, scale));
    const chosen = v128.bitselect(exact, low, f32x4.ne(scale, zero));
    const clamped = f32x4.pmin(most, f32x4.pmax(zero, chosen));
    zeroPoint = i32x4.trunc_sat_f32x4_s(f32x4.add(clamped, ALMOST_HALF));
  }
  const reciprocal = v128.and(f32x4.div(f32x4.splat(1), scale), f32x4.ne(scale, zero));
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

const LOW_2_BITS = held(0x03030303);
const LOW_4_BITS = held(0x0f0f0f0f);
const LOW_BYTES = held(0x00ff00ff);

/** Halves 32 bytes to 16: each byte's low `bits`, neighbours joined low first. */
@inline
function join(a: v128, b: v128, bits: i32): v128 {
  const mask = bits == 4 ? LOW_4_BITS : LOW_2_BITS;
  const byte = LOW_BYTES;
  const p = v128.and(a, mask);
  const q = v128.and(b, mask);
  return i8x16.narrow_i16x8_u(
    v128.and(v128.or(p, i16x8.shr_u(p, 8 - bits)), byte),
    v128.and(v128.or(q, i16x8.shr_u(q, 8 - bits)), byte),
  );
}

export function packCodes(q: usize, n: i32, bits: i32, out: usize): void {
  let i = 0;
  if (bits == 4) {
    for (; i + 32 <= n; i += 32, q += 32, out += 16) {
      v128.store(out, join(v128.load(q), v128.load(q, 16), 4));
    }
  } else {
    for (; i + 64 <= n; i += 64, q += 64, out += 16) {
      const a = join(v128.load(q), v128.load(q, 16), 2);
      const b = join(v128.load(q, 32), v128.load(q, 48), 2);
      v128.store(out, join(a, b, 4));
    }
  }
  const mask: u32 = (1 << bits) - 1;
  while (i < n) {
    let byte: u32 = 0;
    for (let shift = 0; shift < 8 && i < n; shift += bits, i++, q++) {
      byte |= (load<u8>(q) & mask) << shift;
    }
    store<u8>(out++, byte);
  }
}
