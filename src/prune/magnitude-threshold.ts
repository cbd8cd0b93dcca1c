/**
 * @file The magnitude at which a weight, or several together, are cut, and what happens to ties.
 *
 * torch takes what its C++ library's nth_element happens to leave among equal magnitudes (libstdc++,
 * libc++ and MSVC differ); Hone prunes the first ones in storage order, over the weights in the
 * file's order, so a result depends on the weights alone. Both prune the same magnitudes.
 */
import type { Arena } from "../kernels/arena.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { MagnitudeCounts } from "./magnitude-counts.ts";
import { elementMask, type Mask } from "./mask.ts";
import { pruningChunks } from "./pruning-chunks.ts";

/** Weights up to this size are sorted. */
const SORTED_ELEMENTS = 4096;

/** Prune everything with |x| bits below `bits`, and the first `ties` elements that equal it. */
export interface MagnitudeThreshold {
  bits: number;
  ties: number;
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
    return (await counts.add(tensor)) ? await counts.ranked(pruned) : undefined;
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
  const chunks = pruningChunks(tensor, arena);
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
