/** @file The operations that all ranks of a group perform together, as an interface; `direct.ts` and `ring.ts` implement it. */
import type { Arena } from "../kernels/arena.ts";
import type { Codec } from "./codecs/codec.ts";
import type { Clock, Transport } from "./transport.ts";

/** Elements [start, end) of a vector. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** What a message was turned into, and how many there were. Payload bytes only: names and numbers are not counted. */
export interface Counts {
  bytesSent: number;
  bytesReceived: number;
  messagesSent: number;
  messagesReceived: number;
}

export interface EncodingOptions {
  /** How values cross the network (default `none`: float32). The same on all ranks. */
  readonly codec?: Codec;
  /**
   * Error feedback: what encoding lost so far, as long as the vector, zeros at first, kept by the caller from
   * operation to operation (and in its checkpoints). A rank uses the elements of other ranks' segments for what
   * it contributes, and those of its own segment for what it delivers, so a reduceScatter and an allgather can
   * share one.
   */
  readonly residual?: Float32Array;
}

export interface ReduceOptions extends EncodingOptions {
  /** `mean` is the sum times 1/worldSize. */
  readonly op: "sum" | "mean";
}

/**
 * All ranks call the same operations, with vectors of the same length, in the same order; a rank may start
 * one before the last has ended. All work in place on float32 vectors; a vector must be left alone until
 * its operation ends. The order of summation is fixed (by rank, or by place in the ring), so the result does not
 * depend on timing, and after an allgather, allreduce or broadcast all ranks hold the same bits.
 *
 * Any failure ends the whole collective: the operation, and all others, reject with a PeerError that names the
 * peer (`silent`: no progress for `deadlineMs`, or half as long again where another rank may know better), and the vector's contents are then undefined.
 * Memory: at most `(worldSize − 1)` × 2 × 2 chunks are held (by the ring 2), whatever the vector's length.
 */
export interface Collective {
  readonly rank: number;
  readonly worldSize: number;
  readonly counts: Counts;
  /** The part of a vector that `rank` (default: this rank) owns: [⌊rank·length/N⌋, ⌊(rank+1)·length/N⌋). */
  segment(length: number, rank?: number): Segment;
  /** Afterwards this rank's segment of `vector` holds the sum or mean over the ranks; the rest of it is undefined. */
  reduceScatter(vector: Float32Array, options: ReduceOptions): Promise<Segment>;
  /**
   * Afterwards `vector` holds each rank's segment. With a lossy codec the own segment too is replaced by what
   * the others decode.
   */
  allgather(vector: Float32Array, options?: EncodingOptions): Promise<void>;
  /** Afterwards `vector` holds the sum or mean over the ranks. Bytes sent are 2(N−1)/N of the vector. */
  allreduce(vector: Float32Array, options: ReduceOptions): Promise<void>;
  /** Afterwards `vector` is the root's. */
  broadcast(vector: Float32Array, root: number): Promise<void>;
  /** Resolves once all ranks have called it. */
  barrier(): Promise<void>;
  /** Ends all operations as `closed` and leaves the transport. Idempotent. */
  close(reason?: string): void;
}

export interface CollectiveOptions {
  readonly transport: Transport;
  /** Scratch for the SIMD kernels, about 128 KiB; ranks of one isolate may share it (nothing stays in it between calls). */
  readonly arena: Arena;
  /** Default: `choose.ts`'s for the world size and each vector's length. */
  readonly algorithm?: "direct" | "ring";
  /**
   * Least bytes of float32 in one message of a longer vector; less than twice as many is the most. The same on all
   * ranks. Default 1 MiB, less for `direct` among more than 5 ranks, 8 MiB where all read each other's memory.
   */
  readonly chunkBytes?: number;
  /** An operation that sees no message for so long fails as `silent` (default 30,000). */
  readonly deadlineMs?: number;
  readonly clock?: Clock;
}
