/** @file bfloat16: a float32's upper half. */

/** To nearest even; every NaN becomes 0x7fc0, as torch's scalar conversion (c10/util/BFloat16.h). */
export function bfloat16FromFloat32(x: Float32Array): Uint16Array {
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length);
  return Uint16Array.from(bits, (u) => {
    if ((u & 0x7fffffff) > 0x7f800000) return 0x7fc0;
    const lower = u & 0xffff;
    const upper = u >>> 16;
    if (lower < 0x8000 || (lower === 0x8000 && upper % 2 === 0)) return upper;
    return upper + 1;
  });
}

export function float32FromBfloat16(x: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(x, (upper) => upper << 16).buffer);
}
