/**
 * @file Parquet's RLE / bit-packing hybrid: levels, dictionary indices, booleans. Bounded by `count`, whatever a run
 * says of its length.
 *
 * Source: apache/parquet-format, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid".
 */

/** Bytes with a position; reading past the end throws. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new RangeError(`the page ends at byte ${this.bytes.length}`);
    this.at++;
    return byte;
  }

  uint32(): number {
    return this.byte() + this.byte() * 2 ** 8 + this.byte() * 2 ** 16 + this.byte() * 2 ** 24;
  }

  /** The next `length` bytes; a view. */
  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) {
      throw new RangeError(
        `the page has ${this.bytes.length - this.at} bytes left, ${length} are needed`,
      );
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** ULEB128, at most 64 bits. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new RangeError("the page has a number longer than 10 bytes");
  }

  zigzag(): bigint {
    const value = this.varint();
    return (value >> 1n) ^ -(value & 1n);
  }
}

/** `count` values of `width` bits (0 to 32). */
export function readHybrid(reader: ByteReader, width: number, count: number): Uint32Array {
  if (width > 32) throw new RangeError(`the page has values of ${width} bits, at most 32 are read`);
  const out = new Uint32Array(count);
  for (let done = 0; done < count;) {
    const header = Number(reader.varint());
    if (header % 2 === 1) {
      const values = Math.min(Math.floor(header / 2) * 8, count - done);
      unpackBits(reader, width, out.subarray(done, done + values));
      done += values;
      continue;
    }
    const length = Math.min(header / 2, count - done);
    // A run of nothing would never end.
    if (length === 0) throw new RangeError("the page has an empty run");
    let value = 0;
    for (let byte = 0; byte < Math.ceil(width / 8); byte++)
      value += reader.byte() * 2 ** (8 * byte);
    out.fill(value, done, done + length);
    done += length;
  }
  return out;
}

/** Whole groups of eight are there, except that the last one may end with the page. */
function unpackBits(reader: ByteReader, width: number, out: Uint32Array): void {
  if (out.length === 0) throw new RangeError("the page has an empty run");
  const packed = Math.ceil((Math.ceil(out.length / 8) * 8 * width) / 8);
  const need = Math.ceil((out.length * width) / 8);
  const bytes = reader.take(Math.max(need, Math.min(packed, reader.bytes.length - reader.at)));
  for (let i = 0, bit = 0; i < out.length; i++) {
    let value = 0;
    for (let got = 0; got < width;) {
      const free = 8 - (bit & 7);
      const bits = Math.min(free, width - got);
      const piece = ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & (2 ** bits - 1);
      value += piece * 2 ** got;
      got += bits;
      bit += bits;
    }
    out[i] = value;
  }
}
