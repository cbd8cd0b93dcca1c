/** @file How many of `size` an amount means, by torch's rule. */
import type { PruneAmount } from "./options.ts";

/**
 * A fraction of `size` is rounded half to even, as Python's `round` does in torch's
 * `_compute_nparams_toprune`; a count stands for itself.
 * @param what the tensor's name, for the error
 * @throws RangeError when a count is larger than `size`
 */
export function amountCount(amount: PruneAmount, size: number, what: string): number {
  const count = typeof amount === "object" ? amount.count : amount;
  if (typeof amount === "number" && amount <= 1) return roundHalfToEven(amount * size);
  if (count > size) {
    throw new RangeError(`prune: amount ${count} is more than the ${size} of "${what}"`);
  }
  return count;
}

/** `x` ≥ 0 to the nearest whole number, halves to the even one. */
export function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** `50 %`, or `12 of 100`. */
export function amountLabel(amount: PruneAmount, size: number): string {
  if (typeof amount === "number" && amount <= 1) return `${Number((amount * 100).toFixed(4))} %`;
  return `${typeof amount === "object" ? amount.count : amount} of ${size}`;
}
