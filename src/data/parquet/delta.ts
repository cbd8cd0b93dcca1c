/**
 * @file Parquet's DELTA_BINARY_PACKED integers.
 *
 * Source: apache/parquet-format, Encodings.md, "Delta Encoding". Sums wrap at the type's width, as they do there.
 */
import type { ByteReader } from "./hybrid.ts";

/** Fills `out`; 32-bit values take the low half of the sums. */
export function readDelta(reader: ByteReader, out: Int32Array | BigInt64Array): void {
  const blockSize = Number(reader.varint());
  const miniblocks = Number(reader.varint());
  const total = Number(reader.varint());
  const perMiniblock = blockSize / miniblocks;
  if (
    !Number.isInteger(perMiniblock) ||
    perMiniblock % 8 !== 0 ||
    perMiniblock === 0 ||
    blockSize > 2 ** 20
  ) {
    throw new RangeError(`the page has delta blocks of ${blockSize} in ${miniblocks} parts`);
  }
  if (total !== out.length) {
    throw new RangeError(`the page has ${total} deltas, ${out.length} values are due`);
  }
  if (total === 0) return;
  let value = reader.zigzag();
  let index = 0;
  const put = () => {
    if (out instanceof BigInt64Array) out[index++] = BigInt.asIntN(64, value);
    else out[index++] = Number(BigInt.asIntN(32, value));
  };
  put();
  while (index < total) {
    const least = reader.zigzag();
    const widths = reader.take(miniblocks).slice();
    for (const width of widths) {
      if (index >= total) break;
      if (width > 64) throw new RangeError(`the page has deltas of ${width} bits`);
      const bytes = reader.take((perMiniblock * width) / 8);
      const count = Math.min(perMiniblock, total - index);
      for (let i = 0; i < count; i++) {
        value = BigInt.asIntN(64, value + least + bitsAt(bytes, i * width, width));
        put();
      }
    }
  }
}

function bitsAt(bytes: Uint8Array, start: number, width: number): bigint {
  let value = 0n;
  for (let got = 0; got < width;) {
    const bit = start + got;
    const bits = Math.min(8 - (bit & 7), width - got);
    const piece = ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & (2 ** bits - 1);
    value |= BigInt(piece) << BigInt(got);
    got += bits;
  }
  return value;
}
