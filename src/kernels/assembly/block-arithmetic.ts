/**
 * @file Scales and zero points of blocks as ONNX Runtime's C++ finds them, for four columns at a time.
 *
 * `range2scale`, `range2scalezp` of core/mlas/lib/q4_dq.cpp; float32 throughout, halves away from zero.
 */
import { heldFloat } from "./lanes";

/** The largest float32 below 0.5: floor(t + it) rounds every t in [0, 2^22) half away from zero. */
export const ALMOST_HALF = heldFloat(0.49999997);

/** round(max(t, 0)), half away from zero, as float32; NaN gives 0. */
@inline
export function roundUp(t: v128): v128 {
  return f32x4.floor(f32x4.add(f32x4.pmax(f32x4.splat(0), t), ALMOST_HALF));
}

/** The zero points of four columns as float32. */
@inline
export function zeroPointOf(bits: i32, low: v128, scale: v128): v128 {
  const most = f32x4.splat(<f32>((1 << bits) - 1));
  const exact = f32x4.sub(f32x4.splat(0), f32x4.div(low, scale));
  const chosen = v128.bitselect(exact, low, f32x4.ne(scale, f32x4.splat(0)));
  return f32x4.pmin(most, roundUp(chosen));
}

@inline
export function scaleOf(bits: i32, low: v128, high: v128, symmetric: bool): v128 {
  if (symmetric) {
    const extreme = v128.bitselect(high, low, f32x4.gt(f32x4.abs(high), f32x4.abs(low)));
    return f32x4.div(f32x4.neg(extreme), f32x4.splat(<f32>(1 << (bits - 1))));
  }
  return f32x4.div(f32x4.sub(high, low), f32x4.splat(<f32>((1 << bits) - 1)));
}

/** 1 / scale, and 0 where the scale is 0. */
@inline
export function reciprocalOf(scale: v128): v128 {
  return v128.and(f32x4.div(f32x4.splat(1), scale), f32x4.ne(scale, f32x4.splat(0)));
}
