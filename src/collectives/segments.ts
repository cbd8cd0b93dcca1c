/** @file How a vector is cut: into a segment for each rank, and those into chunks, alike on all ranks. */
import type { Segment } from "./collective.ts";

/** Messages between Durable Objects are fastest from 1 MiB on: one of 1 MiB takes 0.14 ms, one of half of that 0.24. */
const CHUNK_BYTES = 1 << 20;
/**
 * What `direct` may hold of other ranks' chunks of this size (of those almost twice as large, twice that), so that 64
 * ranks need no more memory than 5.
 */
const HELD_BYTES = 16 << 20;
const LEAST_CHUNK_BYTES = 16 << 10;
/** Chunks under way from one rank to another, each way; of smaller messages as many as make up two chunks. */
export const WINDOW = 2;

/** [⌊rank·length/N⌋, ⌊(rank+1)·length/N⌋) */
export function segmentOf(length: number, rank: number, worldSize: number): Segment {
  return {
    start: Math.floor((rank * length) / worldSize),
    end: Math.floor(((rank + 1) * length) / worldSize),
  };
}

/**
 * The segment's chunks in order, each of `chunkLength` elements to less than twice as many, or all of it. They are
 * equal to within one element: a short rest would cost a Durable Object more than a full chunk.
 */
export function* chunksOf({ start, end }: Segment, chunkLength: number): Generator<Segment> {
  if (start === end) return;
  const chunks = Math.max(1, Math.floor((end - start) / chunkLength));
  for (let i = 0; i < chunks; i++) {
    const { start: from, end: to } = segmentOf(end - start, i, chunks);
    yield { start: start + from, end: start + to };
  }
}

/** Where ranks read each other's memory a chunk takes none, and a message costs 0.07 ms: 4 × 25M floats in 0.6 of the time. */
export const LENT_CHUNK_BYTES = 8 << 20;

/** Bytes of float32 in a chunk, unless told otherwise. */
export function defaultChunkBytes(algorithm: "direct" | "ring", worldSize: number): number {
  if (algorithm === "ring") return CHUNK_BYTES;
  const fair = HELD_BYTES / (2 * WINDOW * Math.max(1, worldSize - 1));
  return Math.max(LEAST_CHUNK_BYTES, Math.min(CHUNK_BYTES, 2 ** Math.floor(Math.log2(fair))));
}
