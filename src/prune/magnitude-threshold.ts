/**
 * @file The exact k-th smallest magnitude of weights of any size, by two reads and 512 KiB of counts.
 *
 * Magnitudes are ordered by the bits of |x|: a first histogram over the upper 16 bits finds the
 * bucket of the k-th, a second one over the lower 15 within that bucket finds its bits.
 *
 * Ties. torch takes what its C++ library's nth_element happens to leave among equal magnitudes
 * (libstdc++, libc++ and MSVC differ); Hone prunes the first ones in storage order, over the weights
 * in the file's order, so a result depends on the weights alone. Both prune the same magnitudes.
 */
import type { Arena } from "../kernels/arena.ts";
import { CHUNK_ELEMENTS, weightChunks } from "../kernels/weight-chunks.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { elementMask, type Mask } from "./mask.ts";

const COARSE_BUCKETS = 1 << 16;
const FINE_BITS = 15;
const FINE_BUCKETS = 1 << FINE_BITS;
/** First coarse bucket of Inf and NaN. */
const NON_FINITE_BUCKET = 0x7f800000 >>> FINE_BITS;
/** Weights up to this size are sorted. */
const SORTED_ELEMENTS = 4096;
/** Counts are u32: they are moved to float64 before they could pass 2^32. */
const FLUSH_ELEMENTS = 2 ** 31;

/** Prune everything with |x| bits below `bits`, and the first `ties` elements that equal it. */
export interface MagnitudeThreshold {
  bits: number;
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
    this.#pointer = arena.allocate(COARSE_BUCKETS * 8);
    this.#clear();
  }

  /** Counts a weight in, unless it holds NaN or Inf: then nothing changes and the answer is false. */
  async add(tensor: Tensor): Promise<boolean> {
    const { kernels } = this.#arena;
    const count = elementCount(tensor.dims);
    // counts of a weight that comes in several chunks are kept apart until all of it proved finite
    const whole = count <= CHUNK_ELEMENTS;
    if (!whole || this.#unflushed + count > FLUSH_ELEMENTS) this.#flush();
    const mark = this.#arena.mark();
    const chunks = weightChunks(tensor, this.#arena, count);
    let finite = true;
    await chunks.each(0, count, (_first, length) => {
      finite &&= !whole || kernels.absMaxBits(chunks.pointer, length) < 0x7f800000;
      if (finite) kernels.magnitudeHistogram(chunks.pointer, length, this.#pointer);
    });
    this.#arena.release(mark);
    if (!whole) {
      finite = !this.#counts()
        .subarray(NON_FINITE_BUCKET)
        .some((n) => n > 0);
      finite &&= !this.#counts(1)
        .subarray(NON_FINITE_BUCKET)
        .some((n) => n > 0);
    }
    if (!finite) {
      if (!whole) this.#clear();
      return false;
    }
    this.#unflushed += count;
    if (!whole) this.#flush();
    this.tensors.push(tensor);
    this.elements += count;
    return true;
  }

  /**
   * The threshold that prunes exactly `pruned` elements of the counted weights.
   * @param pruned from 1 to `elements`
   */
  async threshold(pruned: number): Promise<MagnitudeThreshold & { equal: number }> {
    this.#flush();
    const { at: bucket, below } = rankOf(this.#coarse, pruned);
    const fine = new Float64Array(FINE_BUCKETS);
    for (const tensor of this.tensors) {
      const count = elementCount(tensor.dims);
      const mark = this.#arena.mark();
      const chunks = weightChunks(tensor, this.#arena, count);
      await chunks.each(0, count, (_first, length) => {
        if (this.#unflushed + length > FLUSH_ELEMENTS) this.#flush(fine);
        this.#arena.kernels.magnitudeHistogramWithin(chunks.pointer, length, bucket, this.#pointer);
        this.#unflushed += length;
      });
      this.#arena.release(mark);
    }
    this.#flush(fine);
    const { at, below: within } = rankOf(fine, pruned - below);
    return {
      bits: bucket * FINE_BUCKETS + at,
      ties: pruned - below - within,
      equal: fine[at] ?? 0,
    };
  }

  #counts(table = 0): Uint32Array {
    return this.#arena.uint32(this.#pointer + table * COARSE_BUCKETS * 4, COARSE_BUCKETS);
  }

  /** Moves the counts of the arena's tables to `into`. */
  #flush(into = this.#coarse): void {
    if (this.#unflushed === 0) return;
    for (const table of [0, 1]) addAndClear(this.#counts(table).subarray(0, into.length), into);
    this.#unflushed = 0;
  }

  #clear(): void {
    this.#arena.view(this.#pointer, COARSE_BUCKETS * 8).fill(0);
  }
}

function addAndClear(counts: Uint32Array, into: Float64Array): void {
  for (let i = 0; i < counts.length; i++) into[i] = (into[i] ?? 0) + (counts[i] ?? 0);
  counts.fill(0);
}

/** The bucket that holds the `rank`-th element (from 1), and how many lie in the buckets before it. */
function rankOf(counts: Float64Array, rank: number): { at: number; below: number } {
  let below = 0;
  for (let at = 0; at < counts.length; at++) {
    const here = counts[at] ?? 0;
    if (below + here >= rank) return { at, below };
    below += here;
  }
  throw new RangeError(`prune: ${rank} elements to prune of ${below}`);
}

/**
 * The threshold for one weight alone, or `undefined` when it holds NaN or Inf.
 * @param pruned from 1 to the weight's elements
 */
export async function magnitudeThreshold(
  tensor: Tensor,
  pruned: number,
  arena: Arena,
): Promise<MagnitudeThreshold | undefined> {
  const count = elementCount(tensor.dims);
  const mark = arena.mark();
  try {
    if (count <= SORTED_ELEMENTS) return await sortedThreshold(tensor, count, pruned, arena);
    const counts = new MagnitudeCounts(arena);
    return (await counts.add(tensor)) ? await counts.threshold(pruned) : undefined;
  } finally {
    arena.release(mark);
  }
}

/** Sorts a weight too small for histograms of 65,536 counts to be worth their clearing. */
async function sortedThreshold(
  tensor: Tensor,
  count: number,
  pruned: number,
  arena: Arena,
): Promise<MagnitudeThreshold | undefined> {
  const chunks = weightChunks(tensor, arena, count);
  const sorted = new Uint32Array(count);
  await chunks.each(0, count, (first, length) => {
    sorted.set(arena.uint32(chunks.pointer, length), first);
  });
  for (let i = 0; i < count; i++) sorted[i] = (sorted[i] ?? 0) & 0x7fffffff;
  sorted.sort();
  if ((sorted[count - 1] ?? 0) >= 0x7f800000) return undefined;
  const bits = sorted[pruned - 1] ?? 0;
  return { bits, ties: pruned - sorted.indexOf(bits) };
}

/**
 * Splits the threshold's ties over the weights: the first ones in order are pruned.
 * Reads only until the last tie is found.
 */
export async function thresholdsByTensor(
  tensors: readonly Tensor[],
  threshold: MagnitudeThreshold & { equal: number },
  arena: Arena,
): Promise<MagnitudeThreshold[]> {
  const { bits } = threshold;
  if (threshold.ties === threshold.equal || tensors.length === 1) {
    return tensors.map(() => ({ bits, ties: threshold.ties }));
  }
  const split: MagnitudeThreshold[] = [];
  let left = threshold.ties;
  for (const tensor of tensors) {
    const before = left;
    const count = elementCount(tensor.dims);
    const mark = arena.mark();
    const chunks = weightChunks(tensor, arena, count);
    const step = CHUNK_ELEMENTS;
    for (let from = 0; from < count && left > 0; from += step) {
      await chunks.each(from, Math.min(count, from + step), (_first, length) => {
        left -= arena.kernels.zeroBelow(chunks.pointer, length, bits, left);
      });
    }
    arena.release(mark);
    split.push({ bits, ties: before - left });
  }
  return split;
}

/** Zeroes below the threshold, and its ties from the start of the weight on. */
export function magnitudeMask(elements: number, threshold: MagnitudeThreshold): Mask {
  return elementMask(elements, (arena) => {
    let left = threshold.ties;
    return (pointer, count) => {
      // the kernel counts in i32
      const ties = Math.min(left, count);
      left -= arena.kernels.zeroBelow(pointer, count, threshold.bits, ties);
    };
  });
}
