/** @file Reductions over a vector's lanes, and the float32 patterns that the kernels share. */

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
