/** @file Vector constants, sums and extremes of a vector's lanes, and float32 patterns that kernels share. */

/** All bits of a float32 but its sign. */
export const MAGNITUDE: i32 = 0x7fffffff;

/** Bits of +Infinity: magnitudes from here on are Inf or NaN. */
export const NON_FINITE: i32 = 0x7f800000;

/**
 * 1.5 · 2^23. Adding it to |t| < 2^22 rounds `t` to the nearest integer, half to even,
 * and leaves that integer in the low bits of the sum.
 */
export const ROUND_MAGIC: f32 = 12582912;
export const ROUND_MAGIC_BITS: i32 = 0x4b400000;

/** Zero, but only at run time. */
const zeroes = memory.data(4, 4);

/**
 * Four times these 32 bits, as a value that no compiler knows. V8 puts together a constant vector anew, by
 * three instructions, wherever a loop uses it; one that depends on memory it keeps in a register or reloads.
 */
export function held(bits: i32): v128 {
  return i32x4.splat(bits | load<i32>(zeroes));
}

/** `held` of a float32. */
export function heldFloat(value: f32): v128 {
  return held(reinterpret<i32>(value));
}

/** The mask of `MAGNITUDE`. */
export const MAGNITUDES = held(MAGNITUDE);
/** Four times `ROUND_MAGIC`. */
export const ROUND_MAGICS = heldFloat(ROUND_MAGIC);

@inline
export function maxLaneI32(v: v128): i32 {
  return max(
    max(i32x4.extract_lane(v, 0), i32x4.extract_lane(v, 1)),
    max(i32x4.extract_lane(v, 2), i32x4.extract_lane(v, 3)),
  );
}

@inline
export function sumLanesI32(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) +
    i32x4.extract_lane(v, 1) +
    i32x4.extract_lane(v, 2) +
    i32x4.extract_lane(v, 3)
  );
}

@inline
export function minLaneF32(v: v128): f32 {
  return min(
    min(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    min(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

@inline
export function maxLaneF32(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

@inline
export function sumLanesF64(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** The float64 of lanes 2 and 3. */
@inline
export function promoteHigh(v: v128): v128 {
  return f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3));
}
