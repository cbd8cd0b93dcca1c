/**
 * @file The slices of a weight along one axis, in storage order: the tensor seen as
 * [outer, slices, inner], where slice `c` is every run of `inner` elements at [o, c].
 */
import type { Arena } from "../kernels/arena.ts";
import { elementMask, type Mask } from "./mask.ts";

export interface SliceView {
  /** Number of slices: the size of the axis. */
  slices: number;
  /** Elements that lie side by side in one slice: the product of the dims after the axis. */
  inner: number;
  elements: number;
}

export function sliceView(dims: readonly number[], axis: number): SliceView {
  let inner = 1;
  for (const dim of dims.slice(axis + 1)) inner *= dim;
  let elements = inner;
  for (const dim of dims.slice(0, axis + 1)) elements *= dim;
  return { slices: dims[axis] ?? 0, inner, elements };
}

/** Calls `visit` for each run of one slice among the elements [first, first + count), also for cut ones. */
export function forEachRun(
  view: SliceView,
  first: number,
  count: number,
  visit: (slice: number, offset: number, length: number) => void,
): void {
  const { slices, inner } = view;
  let slice = Math.floor(first / inner) % slices;
  let length = inner - (first % inner);
  for (let offset = 0; offset < count; length = inner) {
    length = Math.min(length, count - offset);
    visit(slice, offset, length);
    offset += length;
    slice = slice + 1 === slices ? 0 : slice + 1;
  }
}

/**
 * Zeroes whole slices.
 * @param keep by slice, 0 where it goes and -1 where it stays
 */
export function sliceMask(view: SliceView, keep: Int32Array): Mask {
  return elementMask(view.elements, (arena: Arena) => {
    let first = 0;
    return (pointer, count) => {
      const bits = new Int32Array(arena.bytes.buffer, pointer, count);
      if (view.inner === 1) {
        let slice = first % view.slices;
        for (let i = 0; i < count; i++) {
          bits[i] = (bits[i] ?? 0) & (keep[slice] ?? 0);
          slice = slice + 1 === view.slices ? 0 : slice + 1;
        }
      } else {
        forEachRun(view, first, count, (slice, offset, length) => {
          if (keep[slice] === 0) bits.fill(0, offset, offset + length);
        });
      }
      first += count;
    };
  });
}
