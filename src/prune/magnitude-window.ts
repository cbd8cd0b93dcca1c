/**
 * @file The exact k-th smallest magnitude of large weights by one read, where a sample can tell about where it lies.
 *
 * About a million elements give an estimate; one read of all then counts the magnitudes around it one by one, and how many
 * are smaller. The answer is exact, or there is none: the sample led astray, or a weight is not finite.
 */
import type { Arena } from "../kernels/arena.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { BytesData, RangeData } from "../onnx/tensor-data.ts";
import type { RankedMagnitude } from "./magnitude-counts.ts";
import { pruningChunks } from "./pruning-chunks.ts";

/** Below, two reads cost less than a sample. */
const LEAST_ELEMENTS = 1 << 22;
const SAMPLE_ELEMENTS = 4096;
/** Of so many elements at least half lie within 0.05 % of their rank. */
const WANTED_SAMPLE = 1 << 20;
const MOST_SPARSE = 64;
/** Sampled places move on by this much, so that no pattern of rows meets them. */
const STAGGER = 37;

const COARSE_BUCKETS = 1 << 16;
const COARSE_BITS = 15;
/** Magnitudes that are counted one by one: two coarse buckets, about 1 % of their size. */
const WINDOW = 1 << 16;
const INFINITY_BITS = 0x7f800000;

/**
 * @param rank from 1 (the smallest) to all elements
 * @returns `undefined` where it takes `MagnitudeCounts` to find out
 */
export async function magnitudeInWindow(
  tensors: readonly Tensor[],
  rank: number,
  arena: Arena,
): Promise<RankedMagnitude | undefined> {
  const elements = tensors.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  if (elements < LEAST_ELEMENTS || !tensors.every(jumpsFreely)) return undefined;
  const mark = arena.mark();
  try {
    const oneIn = Math.min(MOST_SPARSE, Math.floor(elements / WANTED_SAMPLE));
    const estimate = await sampledMagnitude(tensors, oneIn, rank / elements, arena);
    const low = Math.max(0, estimate - WINDOW / 2);
    const pointer = arena.allocate(WINDOW * 4 + 4);
    arena.uint32(pointer, WINDOW + 1).fill(0);
    let below = 0;
    for (const tensor of tensors) {
      await eachChunk(tensor, arena, (x, count) => {
        below += arena.kernels.magnitudeHistogramAround(x, count, low, pointer);
      });
    }
    const counted = arena.uint32(pointer, WINDOW + 1);
    if ((counted[WINDOW] ?? 0) >= INFINITY_BITS || below >= rank) return undefined;
    const place = placeOf(rank - below, counted.subarray(0, WINDOW));
    return place && { bits: low + place.at, equal: place.here, ties: place.within };
  } finally {
    arena.release(mark);
  }
}

function jumpsFreely({ data }: Tensor): boolean {
  if (data instanceof BytesData) return true;
  return data instanceof RangeData && data.source.jumpsFreely === true;
}

/** The magnitude below which about `share` of the elements lie, as bits, from one element in `oneIn`. */
async function sampledMagnitude(
  tensors: readonly Tensor[],
  oneIn: number,
  share: number,
  arena: Arena,
): Promise<number> {
  const mark = arena.mark();
  const pointer = arena.allocate(2 * COARSE_BUCKETS * 4);
  arena.view(pointer, 2 * COARSE_BUCKETS * 4).fill(0);
  let sampled = 0;
  for (const tensor of tensors) {
    const count = elementCount(tensor.dims);
    const chunks = pruningChunks(tensor, arena);
    for (let piece = 0; piece * SAMPLE_ELEMENTS * oneIn < count; piece++) {
      const place = piece * oneIn + ((piece * STAGGER) % oneIn);
      const from = Math.min(place * SAMPLE_ELEMENTS, Math.max(0, count - SAMPLE_ELEMENTS));
      // no more of a short weight, or of the rest of one, than its share
      const left = count - piece * SAMPLE_ELEMENTS * oneIn;
      const wanted = Math.min(SAMPLE_ELEMENTS, Math.ceil(left / oneIn));
      await chunks.each(from, Math.min(count, from + wanted), (_first, length) => {
        arena.kernels.magnitudeHistogram(chunks.pointer, length, pointer);
        sampled += length;
      });
    }
    arena.release(chunks.pointer);
  }
  const tables = arena.uint32(pointer, 2 * COARSE_BUCKETS);
  const counts = tables.subarray(0, COARSE_BUCKETS);
  for (let i = 0; i < COARSE_BUCKETS; i++) {
    counts[i] = (counts[i] ?? 0) + (tables[COARSE_BUCKETS + i] ?? 0);
  }
  const place = placeOf(Math.max(1, Math.round(share * sampled)), counts);
  arena.release(mark);
  if (!place) return 0;
  return Math.floor((place.at + place.within / place.here) * 2 ** COARSE_BITS);
}

/** Where the `rank`-th of what was counted lies: the bucket, the count there, and how many of those it takes. */
function placeOf(
  rank: number,
  counts: Uint32Array,
): { at: number; here: number; within: number } | undefined {
  let left = rank;
  for (let at = 0; at < counts.length; at++) {
    const here = counts[at] ?? 0;
    if (left <= here) return { at, here, within: left };
    left -= here;
  }
  return undefined;
}

async function eachChunk(
  tensor: Tensor,
  arena: Arena,
  visit: (pointer: number, count: number) => void,
): Promise<void> {
  const mark = arena.mark();
  const chunks = pruningChunks(tensor, arena);
  await chunks.each(0, elementCount(tensor.dims), (_first, length, pointer) => {
    visit(pointer, length);
  });
  arena.release(mark);
}
