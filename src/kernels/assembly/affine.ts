/**
 * @file Affine quantization: rint(x / scale) + zero point, saturated to the type.
 *
 * The quotient is a true float32 division, as ONNX Runtime's; it bounds the speed, so everything
 * else is kept cheap: the clamp to ±2^20 makes the magic-number rounding exact and turns NaN into
 * the least value, and the saturating narrows do the rest of the clamping.
 */
import { ROUND_MAGICS, ROUND_MAGIC_BITS, held, heldFloat } from "./lanes";

const UPPER = heldFloat(1048576);
const LOWER = heldFloat(-1048576);

/** rint(x / scale) − bias + 0x4b400000 of four lanes. */
@inline
function quotient(x: v128, scale: v128, bias: v128): v128 {
  const t = f32x4.pmin(UPPER, f32x4.pmax(LOWER, f32x4.div(x, scale)));
  return i32x4.sub(f32x4.add(t, ROUND_MAGICS), bias);
}

@inline
function quantize16<T>(x: usize, scale: v128, bias: v128): v128 {
  const a = i16x8.narrow_i32x4_s(
    quotient(v128.load(x), scale, bias),
    quotient(v128.load(x, 16), scale, bias),
  );
  const b = i16x8.narrow_i32x4_s(
    quotient(v128.load(x, 32), scale, bias),
    quotient(v128.load(x, 48), scale, bias),
  );
  return isSigned<T>() ? i8x16.narrow_i16x8_s(a, b) : i8x16.narrow_i16x8_u(a, b);
}

@inline
function quantize8<T>(a: v128, b: v128, scale: v128, bias: v128): v128 {
  const p = quotient(a, scale, bias);
  const q = quotient(b, scale, bias);
  return isSigned<T>() ? i16x8.narrow_i32x4_s(p, q) : i16x8.narrow_i32x4_u(p, q);
}

@inline
function quantizeOne<T>(x: f32, scale: f32, zeroPoint: i32): T {
  const bias = i32x4.splat(ROUND_MAGIC_BITS - zeroPoint);
  const q = i32x4.extract_lane(quotient(f32x4.splat(x), f32x4.splat(scale), bias), 0);
  const values: i32 = 1 << (8 * sizeof<T>());
  const least: i32 = isSigned<T>() ? -(values >> 1) : 0;
  return <T>min(max(q, least), least + values - 1);
}

@inline
function quantizeBytes<T>(x: usize, n: i32, out: usize, scale: f32, zeroPoint: i32): void {
  const s = f32x4.splat(scale);
  const bias = i32x4.splat(ROUND_MAGIC_BITS - zeroPoint);
  let i = 0;
  for (; i + 16 <= n; i += 16, x += 64, out += 16) v128.store(out, quantize16<T>(x, s, bias));
  for (; i < n; i++, x += 4, out++) store<T>(out, quantizeOne<T>(load<f32>(x), scale, zeroPoint));
}

@inline
function quantizeShorts<T>(x: usize, n: i32, out: usize, scale: f32, zeroPoint: i32): void {
  const s = f32x4.splat(scale);
  const bias = i32x4.splat(ROUND_MAGIC_BITS - zeroPoint);
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 32, out += 16) {
    v128.store(out, quantize8<T>(v128.load(x), v128.load(x, 16), s, bias));
  }
  for (; i < n; i++, x += 4, out += 2) {
    store<T>(out, quantizeOne<T>(load<f32>(x), scale, zeroPoint));
  }
}

export function quantizeInt8(x: usize, n: i32, out: usize, scale: f32, zeroPoint: i32): void {
  quantizeBytes<i8>(x, n, out, scale, zeroPoint);
}

export function quantizeUint8(x: usize, n: i32, out: usize, scale: f32, zeroPoint: i32): void {
  quantizeBytes<u8>(x, n, out, scale, zeroPoint);
}

export function quantizeInt16(x: usize, n: i32, out: usize, scale: f32, zeroPoint: i32): void {
  quantizeShorts<i16>(x, n, out, scale, zeroPoint);
}

export function quantizeUint16(x: usize, n: i32, out: usize, scale: f32, zeroPoint: i32): void {
  quantizeShorts<u16>(x, n, out, scale, zeroPoint);
}

const ROUND_BIAS = held(ROUND_MAGIC_BITS);

/** Eight lanes of one row, each with its own scale; the zero points are added as int16, saturating. */
@inline
function columns8(x: usize, scale: usize): v128 {
  const bias = ROUND_BIAS;
  return i16x8.narrow_i32x4_s(
    quotient(v128.load(x), v128.load(scale), bias),
    quotient(v128.load(x, 16), v128.load(scale, 16), bias),
  );
}

@inline
function quantizeColumns<T>(
  x: usize,
  rows: i32,
  cols: i32,
  out: usize,
  scale: usize,
  zeroPoint: usize,
): void {
  for (let r = 0; r < rows; r++) {
    let s = scale;
    let z = zeroPoint;
    let c = 0;
    for (; c + 16 <= cols; c += 16, x += 64, out += 16, s += 64, z += 16) {
      const zp = v128.load(z);
      if (isSigned<T>()) {
        const a = i16x8.add_sat_s(columns8(x, s), i16x8.extend_low_i8x16_s(zp));
        const b = i16x8.add_sat_s(columns8(x + 32, s + 32), i16x8.extend_high_i8x16_s(zp));
        v128.store(out, i8x16.narrow_i16x8_s(a, b));
      } else {
        const a = i16x8.add_sat_s(columns8(x, s), i16x8.extend_low_i8x16_u(zp));
        const b = i16x8.add_sat_s(columns8(x + 32, s + 32), i16x8.extend_high_i8x16_u(zp));
        v128.store(out, i8x16.narrow_i16x8_u(a, b));
      }
    }
    for (; c < cols; c++, x += 4, out++, s += 4, z++) {
      store<T>(out, quantizeOne<T>(load<f32>(x), load<f32>(s), <i32>load<T>(z)));
    }
  }
}

export function quantizeInt8Columns(
  x: usize,
  rows: i32,
  cols: i32,
  out: usize,
  scale: usize,
  zeroPoint: usize,
): void {
  quantizeColumns<i8>(x, rows, cols, out, scale, zeroPoint);
}

export function quantizeUint8Columns(
  x: usize,
  rows: i32,
  cols: i32,
  out: usize,
  scale: usize,
  zeroPoint: usize,
): void {
  quantizeColumns<u8>(x, rows, cols, out, scale, zeroPoint);
}
