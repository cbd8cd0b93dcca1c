/** @file The range that holds a share of the values, by their histogram. */
import type { ActivationRange } from "../quantize/static/activation-parameters.ts";
import type { Histogram } from "./histogram.ts";

/** @param symmetric the histogram is one of magnitudes, and the range is around 0 */
export function percentileRange(
  { counts, edges }: Histogram,
  percentile: number,
  symmetric: boolean,
): ActivationRange {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const shares = new Float64Array(counts.length);
  let sum = 0;
  for (const [i, count] of counts.entries()) shares[i] = sum += count / total;
  const edgeAt = (share: number): number => {
    const bin = shares.findIndex((each) => each >= share);
    return edges[bin < 0 ? counts.length : bin] ?? 0;
  };
  if (symmetric) {
    const high = edgeAt(percentile / 100);
    return { low: -high, high };
  }
  const cut = (100 - percentile) / 200;
  return { low: edgeAt(cut), high: edgeAt(1 - cut) };
}
