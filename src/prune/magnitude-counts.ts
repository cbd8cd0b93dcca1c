/**
 * @file The exact k-th smallest magnitude of weights of any size, by two reads and 512 KiB of counts.
 *
 * Magnitudes are ordered by the bits of |x|: a first histogram over the upper 16 bits finds the
 * bucket of the k-th, a second one over the lower 15 within that bucket finds its bits.
 */
import type { Arena } from "../kernels/arena.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { pruningChunks } from "./pruning-chunks.ts";

const COARSE_BUCKETS = 1 << 16;
const FINE_BITS = 15;
const FINE_BUCKETS = 1 << FINE_BITS;
/** The kernel counts into two tables of u32. */
const TABLES_BYTES = 2 * COARSE_BUCKETS * 4;
/** First coarse bucket of Inf and NaN. */
const NON_FINITE_BUCKET = 0x7f800000 >>> FINE_BITS;
/** Counts move to float64 before one of them could pass 2^32. */
const MOVE_ELEMENTS = 2 ** 31;

export interface RankedMagnitude {
  /** Bits of the magnitude at the rank. */
  bits: number;
  /** Elements that equal it, and how many of them lie within the rank, the smaller ones all included. */
  equal: number;
  ties: number;
}

/** Counts of magnitudes over several weights. */
export class MagnitudeCounts {
  /** The weights counted, in order. */
  readonly tensors: Tensor[] = [];
  elements = 0;
  readonly #arena: Arena;
  /** Counts that were moved out of the arena; none for models below 2^31 weights. */
  #moved: Float64Array | undefined;
  readonly #pointer: number;
  #unmoved = 0;

  /** Takes 512 KiB of the arena until the caller releases it. */
  constructor(arena: Arena) {
    this.#arena = arena;
    this.#pointer = emptyTables(arena);
  }

  /** Counts a weight in, unless it holds NaN or Inf: then nothing changes and the answer is false. */
  async add(tensor: Tensor): Promise<boolean> {
    const count = elementCount(tensor.dims);
    if (this.#unmoved + count > MOVE_ELEMENTS) this.#move();
    await this.#count(tensor, this.#pointer);
    if (this.#holdsNonFinite()) {
      // counted once more, to be taken off
      const mark = this.#arena.mark();
      const own = emptyTables(this.#arena);
      await this.#count(tensor, own);
      const counted = tables(this.#arena, this.#pointer);
      tables(this.#arena, own).forEach((n, i) => (counted[i] = (counted[i] ?? 0) - n));
      this.#arena.release(mark);
      return false;
    }
    this.#unmoved += count;
    this.tensors.push(tensor);
    this.elements += count;
    return true;
  }

  /**
   * The magnitude of the counted weights' element of a rank.
   * @param rank from 1 (the smallest) to `elements`
   */
  async ranked(rank: number): Promise<RankedMagnitude> {
    const { at: bucket, below } = this.#bucketOf(rank, COARSE_BUCKETS);
    this.#clear();
    const { kernels } = this.#arena;
    for (const tensor of this.tensors) {
      const mark = this.#arena.mark();
      const chunks = pruningChunks(tensor, this.#arena);
      await chunks.each(0, elementCount(tensor.dims), (_first, length) => {
        if (this.#unmoved + length > MOVE_ELEMENTS) this.#move();
        kernels.magnitudeHistogramWithin(chunks.pointer, length, bucket, this.#pointer);
        this.#unmoved += length;
      });
      this.#arena.release(mark);
    }
    const { at, below: within, here } = this.#bucketOf(rank - below, FINE_BUCKETS);
    return { bits: bucket * FINE_BUCKETS + at, equal: here, ties: rank - below - within };
  }

  async #count(tensor: Tensor, pointer: number): Promise<void> {
    const mark = this.#arena.mark();
    const chunks = pruningChunks(tensor, this.#arena);
    await chunks.each(0, elementCount(tensor.dims), (_first, length) => {
      this.#arena.kernels.magnitudeHistogram(chunks.pointer, length, pointer);
    });
    this.#arena.release(mark);
  }

  #holdsNonFinite(): boolean {
    const counted = tables(this.#arena, this.#pointer);
    const last = COARSE_BUCKETS;
    return [0, last].some((table) =>
      counted.subarray(table + NON_FINITE_BUCKET, table + last).some((n) => n > 0),
    );
  }

  /** The bucket that holds the `rank`-th element (from 1), and how many lie before and in it. */
  #bucketOf(rank: number, buckets: number): { at: number; below: number; here: number } {
    const counted = tables(this.#arena, this.#pointer);
    let below = 0;
    for (let at = 0; at < buckets; at++) {
      const fresh = (counted[at] ?? 0) + (counted[COARSE_BUCKETS + at] ?? 0);
      const here = fresh + (this.#moved?.[at] ?? 0);
      if (below + here >= rank) return { at, below, here };
      below += here;
    }
    throw new RangeError(`prune: rank ${rank} of ${below} elements`);
  }

  #move(): void {
    const moved = (this.#moved ??= new Float64Array(COARSE_BUCKETS));
    const counted = tables(this.#arena, this.#pointer);
    for (let i = 0; i < COARSE_BUCKETS; i++) {
      moved[i] = (moved[i] ?? 0) + (counted[i] ?? 0) + (counted[COARSE_BUCKETS + i] ?? 0);
    }
    counted.fill(0);
    this.#unmoved = 0;
  }

  #clear(): void {
    tables(this.#arena, this.#pointer).fill(0);
    this.#moved = undefined;
    this.#unmoved = 0;
  }
}

function emptyTables(arena: Arena): number {
  const pointer = arena.allocate(TABLES_BYTES);
  arena.view(pointer, TABLES_BYTES).fill(0);
  return pointer;
}

const tables = (arena: Arena, pointer: number): Uint32Array =>
  arena.uint32(pointer, TABLES_BYTES / 4);
