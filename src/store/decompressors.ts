/** @file The platform's decompressors, each bounded by the size that is due. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Decompressors } from "../data/parquet/codecs.ts";

/** zlib refuses an output of exactly its limit. */
const SLACK_BYTES = 64 << 10;

const atMost = (bytes: number) => ({ maxOutputLength: bytes + SLACK_BYTES });

export const decompressors: Decompressors = {
  gzip: (packed, bytes) => gunzipSync(packed, atMost(bytes)),
  brotli: (packed, bytes) => brotliDecompressSync(packed, atMost(bytes)),
  zstd: (packed, bytes) => zstdDecompressSync(packed, atMost(bytes)),
};
