/** @file Unpacking a Parquet page to a size that is known beforehand. */
import { type CompressionCodec, snappyUncompress } from "hyparquet";
import { readLz4Block } from "./lz4.ts";

/**
 * Unpacks `packed` to at most `bytes` bytes. A platform brings those it has built in; src/data has none of its own
 * for gzip, brotli and zstd.
 */
export type Unpack = (packed: Uint8Array, bytes: number) => Uint8Array;

export interface Decompressors {
  gzip: Unpack;
  brotli: Unpack;
  zstd: Unpack;
}

/** @throws RangeError when the bytes do not unpack to exactly as many */
export function unpackPage(
  packed: Uint8Array,
  bytes: number,
  codec: CompressionCodec | undefined,
  decompressors: Decompressors,
): Uint8Array {
  if (bytes === 0) return new Uint8Array(0);
  const unpacked = unpack(packed, bytes, codec, decompressors);
  if (unpacked.length !== bytes) {
    throw new RangeError(`a page unpacks to ${unpacked.length} bytes, its header says ${bytes}`);
  }
  return unpacked;
}

function unpack(
  packed: Uint8Array,
  bytes: number,
  codec: CompressionCodec | undefined,
  { gzip, brotli, zstd }: Decompressors,
): Uint8Array {
  switch (codec) {
    case "UNCOMPRESSED":
      return packed;
    case "SNAPPY": {
      const out = new Uint8Array(bytes);
      snappyUncompress(packed, out);
      return out;
    }
    case "GZIP":
      return gzip(packed, bytes);
    case "BROTLI":
      return brotli(packed, bytes);
    case "ZSTD":
      return zstd(packed, bytes);
    case "LZ4_RAW":
      return readLz4Block(packed, bytes);
    default:
      throw new RangeError(
        `pages packed by ${codec ?? "an unknown codec"} are not read; use snappy, zstd, gzip, brotli, lz4_raw or none`,
      );
  }
}
