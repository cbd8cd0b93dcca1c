/** @file Codes of one byte each to codes of 2 or 4 bits, low first. */
import { held } from "./lanes";

const LOW_2_BITS = held(0x03030303);
const LOW_4_BITS = held(0x0f0f0f0f);
const LOW_BYTES = held(0x00ff00ff);

/** Halves 32 bytes to 16: each byte's low `bits`, neighbours joined low first. */
@inline
function join(a: v128, b: v128, bits: i32): v128 {
  const mask = bits == 4 ? LOW_4_BITS : LOW_2_BITS;
  const byte = LOW_BYTES;
  const p = v128.and(a, mask);
  const q = v128.and(b, mask);
  return i8x16.narrow_i16x8_u(
    v128.and(v128.or(p, i16x8.shr_u(p, 8 - bits)), byte),
    v128.and(v128.or(q, i16x8.shr_u(q, 8 - bits)), byte),
  );
}

export function packCodes(q: usize, n: i32, bits: i32, out: usize): void {
  let i = 0;
  if (bits == 4) {
    for (; i + 32 <= n; i += 32, q += 32, out += 16) {
      v128.store(out, join(v128.load(q), v128.load(q, 16), 4));
    }
  } else {
    for (; i + 64 <= n; i += 64, q += 64, out += 16) {
      const a = join(v128.load(q), v128.load(q, 16), 2);
      const b = join(v128.load(q, 32), v128.load(q, 48), 2);
      v128.store(out, join(a, b, 4));
    }
  }
  const mask: u32 = (1 << bits) - 1;
  while (i < n) {
    let byte: u32 = 0;
    for (let shift = 0; shift < 8 && i < n; shift += bits, i++, q++) {
      byte |= (load<u8>(q) & mask) << shift;
    }
    store<u8>(out++, byte);
  }
}
