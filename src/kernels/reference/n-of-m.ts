/** @file N:M sparsity: `keep` of each `m` stay (Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021). */
import { magnitudeBits } from "./rounding.ts";

/** Zeroes, in place, all but the `keep` largest magnitudes of each `m` neighbours; of equal ones the first stay. */
export function pruneNM(x: Float32Array, keep: number, m: number): void {
  for (let start = 0; start < x.length; start += m) {
    const group = x.subarray(start, start + m);
    // the sort is stable: equal magnitudes stay in order
    const order = [...group.keys()].toSorted(
      (i, j) => magnitudeBits(group[j] ?? 0) - magnitudeBits(group[i] ?? 0),
    );
    for (const i of order.slice(keep)) group[i] = 0;
  }
}
