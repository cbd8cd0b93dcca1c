/**
 * @file Scale and zero point of an 8-bit affine quantization, x ≈ (q − zeroPoint)·scale.
 *
 * The arithmetic of onnxruntime 1.30's `compute_scale_zp`, bit for bit: the range is a difference in the
 * weight's own precision, the scale is divided in float64 and rounded once.
 */

export type AffineType = "int8" | "uint8";

/** The precision of the weight, which is also that of its scale. */
export type AffinePrecision = "float32" | "float16";

export interface AffineParameters {
  scale: number;
  zeroPoint: number;
}

/** Smallest normal number; a smaller scale becomes 1 with zero point 0. */
const SMALLEST_NORMAL = { float32: 2 ** -126, float16: 2 ** -14 } as const;

/**
 * The codes that the range of a weight is mapped to.
 * Values are clipped to the full range of the type all the same.
 */
export function codeRange(
  type: AffineType,
  symmetric: boolean,
  reduceRange: boolean,
): readonly [qmin: number, qmax: number] {
  if (reduceRange) return type === "int8" ? [-64, 64] : [0, 127];
  if (type === "uint8") return [0, 255];
  return symmetric ? [-127, 127] : [-128, 127];
}

/**
 * Scale and zero point for values between `min` and `max`; 0 is always inside and always exact.
 * @returns `undefined` when the scale is not a finite number: NaN or Inf among the values, or a range
 * that overflows the precision
 */
export function affineParameters(
  min: number,
  max: number,
  [qmin, qmax]: readonly [number, number],
  symmetric: boolean,
  precision: AffinePrecision = "float32",
): AffineParameters | undefined {
  const round = precision === "float16" ? Math.f16round : Math.fround;
  let low = Math.min(min, 0);
  let high = Math.max(max, 0);
  if (symmetric) {
    high = Math.max(-low, high);
    low = -high;
  }
  const exactScale = round(high - low) / (qmax - qmin);
  if (!Number.isFinite(exactScale)) return undefined;
  if (exactScale < SMALLEST_NORMAL[precision]) return { scale: 1, zeroPoint: 0 };
  const zeroPoint = symmetric
    ? roundHalfEven((qmin + qmax) / 2)
    : roundHalfEven(qmin - low / exactScale);
  return { scale: round(exactScale), zeroPoint };
}

/** Rounds |x| < 2^51 to the nearest integer, ties to even: beyond 2^52 float64 has no fraction bits. */
function roundHalfEven(x: number): number {
  const shift = 1.5 * 2 ** 52;
  return x + shift - shift;
}
