/**
 * @file One LZ4 block of known size.
 *
 * Source: lz4/lz4, doc/lz4_Block_format.md.
 */

const MIN_MATCH = 4;

/** @throws RangeError when the block reads or writes outside its bounds */
export function readLz4Block(packed: Uint8Array, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let from = 0;
  let to = 0;
  const next = (): number => {
    const byte = packed[from++];
    if (byte === undefined) throw new RangeError(`lz4: the block ends at byte ${packed.length}`);
    return byte;
  };
  /** A nibble of 15 goes on in bytes until one is below 255. */
  const length = (nibble: number): number => {
    let sum = nibble;
    if (nibble < 15) return sum;
    for (;;) {
      const byte = next();
      sum += byte;
      if (byte < 255) return sum;
    }
  };
  while (from < packed.length) {
    const token = next();
    const literals = length(token >> 4);
    if (from + literals > packed.length || to + literals > bytes) {
      throw new RangeError(`lz4: ${literals} literals pass the block's end`);
    }
    out.set(packed.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    // The last sequence has literals only.
    if (from === packed.length) break;
    const offset = next() + next() * 256;
    const match = length(token & 15) + MIN_MATCH;
    if (offset === 0 || offset > to || to + match > bytes) {
      throw new RangeError(
        `lz4: a match of ${match} bytes, ${offset} back, passes the block's bounds`,
      );
    }
    // Byte by byte: a match may overlap what it writes.
    for (let i = 0; i < match; i++, to++) out[to] = out[to - offset] ?? 0;
  }
  if (to !== bytes) throw new RangeError(`lz4: the block has ${to} bytes, ${bytes} are due`);
  return out;
}
