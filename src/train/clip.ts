/** @file Clipping by the global norm, over ranks that hold parts of the gradient, as torch.nn.utils.clip_grad_norm_. */
import type { Collective } from "../collectives/collective.ts";

/** Σ x² in float64, added up in the order of the elements. */
export function sumOfSquares(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    sum += value * value;
  }
  return sum;
}

/** What the gradient is multiplied with: 1 where its norm is within the bound; NaN where the norm is. */
export function clipFactor(norm: number, maxNorm: number): number {
  // torch's guard against dividing by 0
  const factor = maxNorm / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

/** values *= factor, in float32. */
export function scaleInPlace(values: Float32Array, factor: number): void {
  const scalar = Math.fround(factor);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) * scalar;
}

/** A norm travels as two float32, so that 48 of its bits arrive. */
const PARTS = 2;

/**
 * The L2 norm of a vector that lies in parts on the ranks; the same bits on all of them, since each adds the
 * parts in the order of the ranks.
 * @param squares this rank's `sumOfSquares`
 */
export async function globalNorm(collective: Collective, squares: number): Promise<number> {
  if (collective.worldSize === 1) return Math.sqrt(squares);
  const norms = new Float32Array(PARTS * collective.worldSize);
  const norm = Math.sqrt(squares);
  const high = Math.fround(norm);
  norms.set([high, Number.isFinite(high) ? norm - high : 0], PARTS * collective.rank);
  await collective.allgather(norms);
  let sum = 0;
  for (let rank = 0; rank < collective.worldSize; rank++) {
    const [a = NaN, b = NaN] = norms.subarray(PARTS * rank);
    sum += (a + b) ** 2;
  }
  return Math.sqrt(sum);
}
