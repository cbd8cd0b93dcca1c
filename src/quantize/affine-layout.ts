/** @file How the channels of a weight, and the order of its quantized form, lie in the stored tensor. */
import { elementCount } from "../onnx/data-type.ts";

export interface AffineLayout {
  /**
   * The stored elements as [outer, channels, inner], row-major: element e belongs to channel
   * floor(e / inner) mod channels. One scale for all: channels 1.
   */
  channels: number;
  inner: number;
  /** Elements in all. */
  count: number;
  /** The order of the quantized form, where it is not that of the stored tensor. */
  reorder?: Reorder;
}

export type Reorder =
  /** Each of `batches` matrices [rows, cols] becomes [cols, rows]. */
  | { kind: "transpose"; batches: number; rows: number; cols: number }
  /** Any permutation of the stored dims. */
  | { kind: "permute"; dims: readonly number[]; permutation: readonly number[] };

/**
 * The layout of a stored tensor whose value is transposed by `permutation` (as ONNX's Transpose) and
 * has one scale per index of the value's `axis`.
 * @throws RangeError when the axis or the permutation does not fit the rank
 */
export function affineLayout(
  dims: readonly number[],
  axis: number | undefined,
  permutation: readonly number[] | undefined,
): AffineLayout {
  const rank = dims.length;
  if (permutation) checkPermutation(permutation, rank);
  if (axis !== undefined && !(Number.isInteger(axis) && axis >= 0 && axis < rank)) {
    throw new RangeError(`quantize: axis ${axis} of a weight of rank ${rank}`);
  }
  const count = elementCount(dims);
  const layout: AffineLayout = { channels: 1, inner: count, count };
  if (axis !== undefined) {
    const stored = permutation?.[axis] ?? axis;
    layout.channels = dims[stored] ?? 1;
    layout.inner = elementCount(dims.slice(stored + 1));
  }
  const reorder = permutation && reorderOf(dims, permutation);
  if (reorder) layout.reorder = reorder;
  return layout;
}

function checkPermutation(permutation: readonly number[], rank: number): void {
  const seen = new Set(permutation);
  const whole = permutation.length === rank && seen.size === rank;
  if (!whole || permutation.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= rank)) {
    throw new RangeError(`quantize: [${permutation}] is no permutation of ${rank} axes`);
  }
}

/** The simplest form of a permutation: none, matrices transposed, or the general one. */
function reorderOf(dims: readonly number[], permutation: readonly number[]): Reorder | undefined {
  const merged = mergeAxes(dims, permutation);
  const order = merged.permutation.join();
  const [first = 1, second = 1, third = 1] = merged.dims;
  if (merged.permutation.length <= 1) return undefined;
  if (order === "1,0") return { kind: "transpose", batches: 1, rows: first, cols: second };
  if (order === "0,2,1") return { kind: "transpose", batches: first, rows: second, cols: third };
  return { kind: "permute", ...merged };
}

/** Drops axes of size 1 and joins the axes that stay neighbours in the same order. */
function mergeAxes(
  dims: readonly number[],
  permutation: readonly number[],
): { dims: number[]; permutation: number[] } {
  const runs: number[][] = [];
  for (const axis of permutation.filter((candidate) => dims[candidate] !== 1)) {
    const last = runs.at(-1);
    const from = last?.at(-1);
    if (
      last &&
      from !== undefined &&
      dims.slice(from + 1, axis).every((dim) => dim === 1) &&
      from < axis
    ) {
      last.push(axis);
    } else {
      runs.push([axis]);
    }
  }
  const stored = runs.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  return {
    dims: stored.map((run) => elementCount(run.map((axis) => dims[axis] ?? 1))),
    permutation: runs.map((run) => stored.indexOf(run)),
  };
}
