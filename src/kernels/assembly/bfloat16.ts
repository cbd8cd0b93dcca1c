/** @file bfloat16: the upper half of a float32, rounded to nearest even. */
import { held } from "./lanes";

const ONE = held(1);
const ALMOST_HALF = held(0x7fff);
const NAN = held(0x7fc0);

/** bfloat16 bits in 32-bit lanes; every NaN becomes 0x7fc0. */
@inline
function truncate(u: v128): v128 {
  const odd = v128.and(i32x4.shr_u(u, 16), ONE);
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(u, ALMOST_HALF), odd), 16);
  return v128.bitselect(NAN, rounded, f32x4.ne(u, u));
}

export function bfloat16FromFloat32(x: usize, n: i32, out: usize): void {
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 32, out += 16) {
    v128.store(out, i16x8.narrow_i32x4_u(truncate(v128.load(x)), truncate(v128.load(x, 16))));
  }
  for (; i < n; i++, x += 4, out += 2) {
    store<u16>(out, <u16>i32x4.extract_lane(truncate(v128.load32_zero(x)), 0));
  }
}

export function float32FromBfloat16(x: usize, n: i32, out: usize): void {
  const zero = i16x8.splat(0);
  let i = 0;
  for (; i + 8 <= n; i += 8, x += 16, out += 32) {
    const h = v128.load(x);
    v128.store(out, i16x8.shuffle(zero, h, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(out, i16x8.shuffle(zero, h, 4, 12, 5, 13, 6, 14, 7, 15), 16);
  }
  for (; i < n; i++, x += 2, out += 4) store<u32>(out, (<u32>load<u16>(x)) << 16);
}
