/**
 * @file The largest magnitudes of each block as float32 with their places; the rest is left to the error feedback.
 *
 * A block keeps ceil(ratio · count) values, always as many: [values float32][places uint16, ascending]. Of equal
 * magnitudes the first are kept. Without a residual the rest would be lost for good (Stich et al. 2018).
 */
import type { Arena } from "../../kernels/arena.ts";
import type { Codec } from "./codec.ts";

const MAGNITUDE = 0x7fffffff;
/** The digits of a magnitude's 31 bits, highest first. */
const DIGITS = [
  { shift: 20, bits: 11 },
  { shift: 10, bits: 10 },
  { shift: 0, bits: 10 },
] as const;

/**
 * The codec that keeps `ratio` of each block.
 * @throws RangeError unless 0 < ratio ≤ 1
 */
export function topK(ratio: number): Codec {
  if (!(ratio > 0 && ratio <= 1)) {
    throw new RangeError(`collectives: a top_k ratio of ${ratio} is not in (0, 1]`);
  }
  const kept = (count: number) => Math.ceil(ratio * count);
  return {
    name: "top_k",
    lossless: false,
    blockBytes: (count) => kept(count) * 6,
    store(arena: Arena, pointer, count, out) {
      const k = kept(count);
      const bits = arena.uint32(pointer, count);
      const values = new Uint32Array(k);
      const places = new Uint16Array(k);
      const { threshold, ties } = select(bits, k);
      let left = ties;
      let at = 0;
      for (let i = 0; i < count && at < k; i++) {
        const value = bits[i] ?? 0;
        const magnitude = value & MAGNITUDE;
        if (magnitude < threshold || (magnitude === threshold && left-- <= 0)) continue;
        values[at] = value;
        places[at++] = i;
      }
      out.set(new Uint8Array(values.buffer));
      out.set(new Uint8Array(places.buffer), k * 4);
    },
    load(arena: Arena, block, count, pointer) {
      const k = kept(count);
      const bytes = block.slice();
      const values = new Float32Array(bytes.buffer, 0, k);
      const places = new Uint16Array(bytes.buffer, k * 4, k);
      const out = arena.float32(pointer, count).fill(0);
      for (let at = 0; at < k; at++) {
        const place = places[at] ?? 0;
        if (place >= count) {
          throw new RangeError(`collectives: top_k names place ${place} of ${count} elements`);
        }
        out[place] = values[at] ?? 0;
      }
    },
  };
}

/** The k-th largest magnitude, and how many equal to it belong to the k largest. */
function select(bits: Uint32Array, k: number): { threshold: number; ties: number } {
  let prefix = 0;
  let known = 0;
  let left = k;
  for (const digit of DIGITS) {
    const counts = new Uint32Array(1 << digit.bits);
    const mask = counts.length - 1;
    for (const value of bits) {
      const magnitude = value & MAGNITUDE;
      if ((magnitude & known) === prefix) counts[(magnitude >>> digit.shift) & mask]!++;
    }
    let bin = mask;
    while (bin > 0 && left > (counts[bin] ?? 0)) left -= counts[bin--] ?? 0;
    prefix |= bin << digit.shift;
    known |= mask << digit.shift;
  }
  return { threshold: prefix, ties: left };
}
