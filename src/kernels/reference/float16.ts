/** @file IEEE 754 binary16, both ways. */
import { bitsOf, floatOf, halfToEven } from "./rounding.ts";

const LEAST_NORMAL = 2 ** -14;
const LEAST_SUBNORMAL = 2 ** -24;
const FIRST_OVERFLOW = 65520;

/**
 * Halves of `x`, to nearest even, with the clamps of `convert_np_to_float16` (onnxruntime.transformers.float16):
 * 0 < |x| < `minPositive` becomes ±`minPositive`, finite |x| > `maxFinite` becomes ±`maxFinite`.
 * NaN keeps its sign and the leading bits of its payload, of which one is set at least, as NumPy's.
 */
export function float16FromFloat32(
  x: Float32Array,
  minPositive: number,
  maxFinite: number,
): Uint16Array {
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length);
  return Uint16Array.from(bits, (u) => {
    const sign = (u >>> 16) & 0x8000;
    const magnitude = u & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7c00 | ((magnitude >>> 13) & 0x3ff || 1);
    let size = floatOf(magnitude);
    if (size > 0 && size < Math.fround(minPositive)) size = Math.fround(minPositive);
    if (size < Infinity) size = Math.min(size, Math.fround(maxFinite));
    return sign | magnitudeBits16(size);
  });
}

function magnitudeBits16(size: number): number {
  if (size >= FIRST_OVERFLOW) return 0x7c00;
  if (size < LEAST_NORMAL) return halfToEven(size / LEAST_SUBNORMAL);
  const exponent = (bitsOf(size) >>> 23) - 127;
  // 1024 … 2048 steps of 2^(exponent − 10); 2048 carries into the exponent by itself
  const significand = halfToEven(size / 2 ** (exponent - 10));
  return ((exponent + 14) << 10) + significand;
}

/** The float32 of each half; exact. NaN keeps its payload. */
export function float32FromFloat16(halves: Uint16Array): Float32Array {
  const bits = Uint32Array.from(halves, (h) => {
    const sign = (h & 0x8000) << 16;
    const exponent = (h >>> 10) & 31;
    const fraction = h & 0x3ff;
    if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
    if (exponent === 0) return sign | bitsOf(fraction * LEAST_SUBNORMAL);
    return sign | ((exponent + 112) << 23) | (fraction << 13);
  });
  return new Float32Array(bits.buffer);
}
