/**
 * @file N:M sparsity: of every M weights along one axis the N of largest magnitude stay.
 *
 * Groups count from the start of the axis, separately for each position on the other axes; a short
 * last group is filled up with zeros in thought, so min(N, its length) stay. Of equal magnitudes the
 * lower index stays.
 */
import type { Arena } from "../kernels/arena.ts";
import { CHUNK_ELEMENTS } from "../kernels/weight-chunks.ts";
import type { Mask, Zeroer } from "./mask.ts";
import { PRUNING_CHUNK } from "./pruning-chunks.ts";
import type { SliceView } from "./slices.ts";

/** Most elements that a block of whole groups may have, so that it fits the scratch memory. */
const MAX_BLOCK_ELEMENTS = CHUNK_ELEMENTS;

/** Rows of at least this many elements. */
const LONG_ROW = 64;

/**
 * The mask of N:M along the view's axis.
 * @returns `undefined` when the M rows of one group, side by side, pass `MAX_BLOCK_ELEMENTS`
 */
export function groupMask(view: SliceView, keep: number, group: number): Mask | undefined {
  const { slices, inner, elements } = view;
  const rows = { view, keep, group };
  const section = slices * inner;
  // whole sections where they are small; else rows of whole groups, counted anew in each section
  const cut = slices % group === 0 && section > PRUNING_CHUNK;
  if (section <= MAX_BLOCK_ELEMENTS && !cut) {
    return { multipleOf: section, section: elements, begin: (arena, n) => groups(arena, n, rows) };
  }
  if (group * inner > MAX_BLOCK_ELEMENTS) return undefined;
  return {
    multipleOf: group * inner,
    section: slices % group === 0 ? elements : section,
    begin: (arena, n) => groups(arena, n, rows),
  };
}

function groups(
  arena: Arena,
  blockElements: number,
  { view, keep, group }: { view: SliceView; keep: number; group: number },
): Zeroer {
  const { slices, inner } = view;
  const { kernels } = arena;
  // long rows are turned one group at a time: that reads and writes in order
  const rowsAtOnce = inner >= LONG_ROW ? Math.min(group, slices) : slices;
  const turned = inner > 1 ? arena.allocate(Math.min(blockElements, rowsAtOnce * inner) * 4) : 0;
  /** Zeroes in rows of `length` elements along the axis. */
  const prune = (pointer: number, count: number, length: number): void => {
    if (length % group === 0) return kernels.pruneNM(pointer, count, keep, group);
    // a row at a time, because the kernel's last group is the short one
    for (let done = 0; done < count; done += length) {
      kernels.pruneNM(pointer + done * 4, length, keep, group);
    }
  };
  // position along the axis: groups end with it
  let row = 0;
  return (pointer, count) => {
    if (inner === 1) return prune(pointer, count, Math.min(count, slices));
    for (let done = 0; done < count;) {
      const length = Math.min(rowsAtOnce, slices - row, (count - done) / inner);
      const at = pointer + done * 4;
      kernels.transpose32(at, length, inner, turned);
      prune(turned, length * inner, length);
      kernels.transpose32(turned, inner, length, at);
      done += length * inner;
      row = (row + length) % slices;
    }
  };
}
