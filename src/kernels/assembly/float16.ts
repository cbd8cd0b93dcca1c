/**
 * @file IEEE half precision, both ways.
 *
 * To half: adding 2^13 times a magnitude's power of two makes the float32 adder round it to half's
 * 11 bits (to nearest even) and leaves those bits at the low end; a floor of 0.5 for that addend gives
 * subnormals their fixed step of 2^-24. The sum holds the exponent in its high and the significand
 * in its low 16 bits, so one pairwise multiply-add puts a half together: 8 · high + low, less the bias.
 * (The rounding trick is Fabian Giesen's, "float->half variants", 2012.)
 *
 * NaN and Inf do not survive the clamp. They are noticed per chunk, which is then redone with care.
 */
import { MAGNITUDE, MAGNITUDES, NON_FINITE, held, heldFloat, maxLaneI32 } from "./lanes";

const CHUNK: i32 = 1024;
/** Finite values from here on round to Inf. */
const OVERFLOW: f32 = 65520;

const EXPONENT = held(NON_FINITE);
/** 13 in the exponent's place. */
const THIRTEEN = held(13 << 23);
const HALF = heldFloat(0.5);
/** For pairs of int16: 8 · high + low. */
const JOIN = held((8 << 16) | 1);
const BIAS = held(126 << 10);
/** The signs of eight int16. */
const SIGNS = held(0x80008000);

/** Half bits (without sign) in 32-bit lanes, of the finite magnitudes `a`. */
@inline
function magnitudes(a: v128, most: v128): v128 {
  const c = f32x4.pmin(a, most);
  const exponent = v128.and(c, EXPONENT);
  const addend = f32x4.pmax(HALF, i32x4.add(exponent, THIRTEEN));
  const sum = f32x4.add(c, addend);
  return i32x4.sub(i32x4.dot_i16x8_s(sum, JOIN), BIAS);
}

/** Eight halves. `least` holds the half of the smallest positive result. */
@inline
function halves(x: v128, y: v128, a: v128, b: v128, least: v128, most: v128): v128 {
  const sign = v128.and(i16x8.narrow_i32x4_s(x, y), SIGNS);
  const zero = i16x8.eq(i16x8.narrow_i32x4_u(a, b), i16x8.splat(0));
  const half = i16x8.narrow_i32x4_u(magnitudes(a, most), magnitudes(b, most));
  return v128.or(sign, i16x8.max_u(half, v128.andnot(least, zero)));
}

/** One half, for tails and for chunks with NaN or Inf. NaN keeps its sign and leading payload, as NumPy's. */
function halfOf(u: i32, minPositive: f32, maxFinite: f32): i32 {
  const sign = (u >>> 16) & 0x8000;
  const a = u & MAGNITUDE;
  if (a > NON_FINITE) return sign | 0x7c00 | max((a >>> 13) & 0x3ff, 1);
  if (a == NON_FINITE) return sign | 0x7c00;
  let f = reinterpret<f32>(a);
  if (f > 0 && f < minPositive) f = minPositive;
  const most = i32x4.splat(reinterpret<i32>(min(max(f, 0), min(maxFinite, OVERFLOW))));
  return sign | i32x4.extract_lane(magnitudes(most, most), 0);
}

export function float16FromFloat32(
  x: usize,
  n: i32,
  out: usize,
  minPositive: f32,
  maxFinite: f32,
): void {
  const mask = MAGNITUDES;
  const most = f32x4.splat(min(maxFinite, OVERFLOW));
  const least = i16x8.splat(<i16>halfOf(reinterpret<i32>(max<f32>(minPositive, 0)), 0, OVERFLOW));
  let left = n;
  while (left >= 8) {
    const count = min(left, CHUNK) & ~7;
    let seen = i32x4.splat(0);
    for (let i = 0; i < count; i += 8, x += 32, out += 16) {
      const p = v128.load(x);
      const q = v128.load(x, 16);
      const a = v128.and(p, mask);
      const b = v128.and(q, mask);
      seen = i32x4.max_s(seen, i32x4.max_s(a, b));
      v128.store(out, halves(p, q, a, b, least, most));
    }
    if (maxLaneI32(seen) >= NON_FINITE) {
      x -= (<usize>count) << 2;
      out -= (<usize>count) << 1;
      for (let i = 0; i < count; i++, x += 4, out += 2) {
        store<u16>(out, <u16>halfOf(load<i32>(x), minPositive, maxFinite));
      }
    }
    left -= count;
  }
  for (; left > 0; left--, x += 4, out += 2) {
    store<u16>(out, <u16>halfOf(load<i32>(x), minPositive, maxFinite));
  }
}

const HALF_MAGNITUDE = held(0x7fff);
const HALF_SIGN = held(0x8000);
const REBIAS = held(112 << 23);
/** 2^-14 */
const LEAST_NORMAL = held(113 << 23);
/** The first normal and the last finite half, shifted to a float32's significand. */
const FIRST_NORMAL = held(0x400 << 13);
const LAST_FINITE = held((0x7c00 << 13) - 1);

/** Four halves in the low 16 bits of the lanes as float32; exact. */
@inline
function widen(h: v128): v128 {
  const magnitude = i32x4.shl(v128.and(h, HALF_MAGNITUDE), 13);
  const sign = i32x4.shl(v128.and(h, HALF_SIGN), 16);
  const normal = i32x4.add(magnitude, REBIAS);
  // the exponent of 2^-14 lends a subnormal its place, the subtraction normalizes it
  const subnormal = f32x4.sub(
    i32x4.add(magnitude, LEAST_NORMAL),
    LEAST_NORMAL,
  );
  const finite = v128.bitselect(
    subnormal,
    normal,
    i32x4.lt_s(magnitude, FIRST_NORMAL),
  );
  const special = v128.and(
    i32x4.gt_s(magnitude, LAST_FINITE),
    REBIAS,
  );
  return v128.or(sign, i32x4.add(finite, special));
}

export function float32FromFloat16(x: usize, n: i32, out: usize): void {
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 16, out += 32) {
    const h = v128.load(x);
    v128.store(out, widen(i32x4.extend_low_i16x8_u(h)));
    v128.store(out, widen(i32x4.extend_high_i16x8_u(h)), 16);
  }
  for (; i < n; i++, x += 2, out += 4) {
    store<i32>(out, i32x4.extract_lane(widen(i32x4.splat(load<u16>(x))), 0));
  }
}
