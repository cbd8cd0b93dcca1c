/** @file How a vector is cut: into a segment for each rank, and those into chunks, alike on all ranks. */
import type { Segment } from "./collective.ts";

/** 1 MiB of float32: the fastest message between Durable Objects. */
const CHUNK_BYTES = 1 << 20;
/** What `direct` may hold of other ranks' chunks, so that 64 ranks need no more memory than 5. */
const HELD_BYTES = 16 << 20;
const LEAST_CHUNK_BYTES = 16 << 10;
/** Chunks under way from one rank to another, each way. */
export const WINDOW = 2;

/** [⌊rank·length/N⌋, ⌊(rank+1)·length/N⌋) */
export function segmentOf(length: number, rank: number, worldSize: number): Segment {
  return {
    start: Math.floor((rank * length) / worldSize),
    end: Math.floor(((rank + 1) * length) / worldSize),
  };
}

/** The segment's chunks in order: all of `chunkLength` elements but the last. */
export function* chunksOf({ start, end }: Segment, chunkLength: number): Generator<Segment> {
  for (let at = start; at < end; at += chunkLength) {
    yield { start: at, end: Math.min(end, at + chunkLength) };
  }
}

/** Bytes of float32 in a chunk, unless told otherwise. */
export function defaultChunkBytes(algorithm: "direct" | "ring", worldSize: number): number {
  if (algorithm === "ring") return CHUNK_BYTES;
  const fair = HELD_BYTES / (2 * WINDOW * Math.max(1, worldSize - 1));
  return Math.max(LEAST_CHUNK_BYTES, Math.min(CHUNK_BYTES, 2 ** Math.floor(Math.log2(fair))));
}
