/** @file The two roundings of the quantizers, and float32 values as bits. */

/** The nearest integer, halves to the even one: C's `rint`, NumPy's `round`. */
export function halfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The nearest integer, halves away from zero: C's `roundf`. */
export function halfAwayFromZero(x: number): number {
  return Math.sign(x) * Math.floor(Math.abs(x) + 0.5);
}

/** `x` limited to [least, most]; NaN gives `least`. */
export function clamp(x: number, least: number, most: number): number {
  return x > least ? Math.min(x, most) : least;
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The bits of `x` rounded to float32. */
export function bitsOf(x: number): number {
  float[0] = x;
  return word[0] ?? 0;
}

/** The float32 of these bits. */
export function floatOf(bits: number): number {
  word[0] = bits;
  return float[0] ?? 0;
}

/** Bits of |x|: their order is the order of magnitudes, NaN above Inf above all numbers. */
export function magnitudeBits(x: number): number {
  return bitsOf(x) & 0x7fffffff;
}
