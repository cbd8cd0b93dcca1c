/** @file A gradient's entry added to the sums: the same arithmetic, to the bit, wherever it was computed. */
import type { Arena } from "../kernels/arena.ts";
import type { GradientSink } from "./executor.ts";
import type { LayoutEntry } from "./layout.ts";
import { tiled } from "./optimizers/tiles.ts";

/** @param arena SIMD kernels; without them the same in plain TypeScript */
export function addGradient(
  arena: Arena | undefined,
  { into, weight }: GradientSink,
  { offset, length }: LayoutEntry,
  values: Float32Array,
): void {
  const alpha = Math.fround(weight);
  const sums = into.subarray(offset, offset + length);
  if (arena) {
    return tiled(arena, [sums], [values], ([sumsAt = 0, valuesAt = 0], n) =>
      arena.kernels.axpy(alpha, valuesAt, sumsAt, n),
    );
  }
  for (let i = 0; i < length; i++) {
    sums[i] = (sums[i] ?? 0) + Math.fround(alpha * (values[i] ?? 0));
  }
}
