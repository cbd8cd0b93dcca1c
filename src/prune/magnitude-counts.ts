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
const FLUSH_ELEMENTS = 2 ** 31;

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
  readonly #coarse = new Float64Array(COARSE_BUCKETS);
  readonly #pointer: number;
  #unflushed = 0;

  /** Takes 512 KiB of the arena until the caller releases it. */
  constructor(arena: Arena) {
    this.#arena = arena;
    this.#pointer = emptyTables(arena);
  }

  /** Counts a weight in, unless it holds NaN or Inf: then nothing changes and the answer is false. */
  async add(tensor: Tensor): Promise<boolean> {
    const count = elementCount(tensor.dims);
    if (this.#unflushed + count > FLUSH_ELEMENTS) this.#flush();
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
    this.#unflushed += count;
    this.tensors.push(tensor);
    this.elements += count;
    return true;
  }

  /**
   * The magnitude of the counted weights' element of a rank.
   * @param rank from 1 (the smallest) to `elements`
   */
  async ranked(rank: number): Promise<RankedMagnitude> {
    this.#flush();
    const { at: bucket, below } = bucketOf(this.#coarse, rank);
    const fine = new Float64Array(FINE_BUCKETS);
    const { kernels } = this.#arena;
    for (const tensor of this.tensors) {
      const mark = this.#arena.mark();
      const chunks = pruningChunks(tensor, this.#arena);
      await chunks.each(0, elementCount(tensor.dims), (_first, length) => {
        if (this.#unflushed + length > FLUSH_ELEMENTS) this.#flush(fine);
        kernels.magnitudeHistogramWithin(chunks.pointer, length, bucket, this.#pointer);
        this.#unflushed += length;
      });
      this.#arena.release(mark);
    }
    this.#flush(fine);
    const { at, below: within } = bucketOf(fine, rank - below);
    return {
      bits: bucket * FINE_BUCKETS + at,
      equal: fine[at] ?? 0,
      ties: rank - below - within,
    };
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

  /** Moves the counts of the arena's tables to `into`. */
  #flush(into = this.#coarse): void {
    if (this.#unflushed === 0) return;
    const counted = tables(this.#arena, this.#pointer);
    const second = into.length === COARSE_BUCKETS ? COARSE_BUCKETS : counted.length;
    for (let i = 0; i < into.length; i++) {
      into[i] = (into[i] ?? 0) + (counted[i] ?? 0) + (counted[second + i] ?? 0);
    }
    counted.fill(0);
    this.#unflushed = 0;
  }
}

function emptyTables(arena: Arena): number {
  const pointer = arena.allocate(TABLES_BYTES);
  arena.view(pointer, TABLES_BYTES).fill(0);
  return pointer;
}

const tables = (arena: Arena, pointer: number): Uint32Array =>
  arena.uint32(pointer, TABLES_BYTES / 4);

/** The bucket that holds the `rank`-th element (from 1), and how many lie in the buckets before it. */
function bucketOf(counts: Float64Array, rank: number): { at: number; below: number } {
  let below = 0;
  for (let at = 0; at < counts.length; at++) {
    const here = counts[at] ?? 0;
    if (below + here >= rank) return { at, below };
    below += here;
  }
  throw new RangeError(`prune: rank ${rank} of ${below} elements`);
}
