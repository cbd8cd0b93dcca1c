/** @file How float32 values cross the network: a chunk is encoded block by block, each block by itself. */
import type { Arena } from "../../kernels/arena.ts";

export type CodecName = "none" | "float16" | "bfloat16" | "int8" | "top_k";

/** Elements that are encoded at a time: 32 KiB of float32, so that a block and its sum stay in the first caches. */
export const BLOCK = 8192;

/**
 * A pure function from the elements of a block to bytes of a known size, and back.
 *
 * Encoding what was decoded gives the same bytes again, so that a ring may pass on what it has decoded.
 * A NaN or infinity in a block is still a NaN or infinity in that block after decoding.
 */
export interface Codec {
  readonly name: CodecName;
  /** Whether decoding gives back the same bits. */
  readonly lossless: boolean;
  /** Bytes that a block of `count` elements, 1 … BLOCK, takes; never more for fewer. */
  blockBytes(count: number): number;
  /** Encodes `count` float32 at `pointer` of the arena's memory to the bytes of `out`, blockBytes(count) of them. */
  store(arena: Arena, pointer: number, count: number, out: Uint8Array): void;
  /** Decodes a block to `count` float32 at `pointer` of the arena's memory. */
  load(arena: Arena, block: Uint8Array, count: number, pointer: number): void;
}

/** Bytes of a chunk of `length` elements. */
export function encodedBytes(codec: Codec, length: number): number {
  const whole = Math.floor(length / BLOCK);
  const rest = length - whole * BLOCK;
  return whole * codec.blockBytes(BLOCK) + (rest > 0 ? codec.blockBytes(rest) : 0);
}
