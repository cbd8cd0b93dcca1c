/**
 * @file The range whose 8-bit form tells least less than the values do: the least Kullback-Leibler divergence between
 * their histogram, cut off at the range, and the same in 128 steps (S. Migacz, "8-bit Inference with TensorRT",
 * GTC 2017), computed in float32 as onnxruntime's calibrator does.
 */
import type { ActivationRange } from "../quantize/static/activation-parameters.ts";
import type { Histogram } from "./histogram.ts";
import { pairwiseSum } from "./pairwise-sum.ts";
import { QUANTIZED_BINS } from "./settings.ts";

const f32 = Math.fround;
/** What an empty bin gets, taken from the others in equal parts. */
const SMOOTHING = 0.0001;

/** @param histogram between two numbers of equal magnitude */
export function entropyRange({ counts, edges }: Histogram): ActivationRange {
  const bins = counts.length;
  const zero = Math.floor(bins / 2);
  const before = new Float64Array(bins + 1);
  for (const [i, count] of counts.entries()) before[i + 1] = (before[i] ?? 0) + count;
  const sum = (from: number, to: number): number => (before[to] ?? 0) - (before[from] ?? 0);
  let least = Infinity;
  let best: ActivationRange | undefined;
  for (let half = QUANTIZED_BINS / 2; half <= zero; half++) {
    const start = zero - half;
    const end = Math.min(zero + half + 1, bins);
    const range = { low: edges[start] ?? 0, high: edges[end] ?? 0 };
    best ??= range;
    const cut = counts.slice(start, end);
    cut[0] = (cut[0] ?? 0) + sum(0, start);
    cut[cut.length - 1] = (cut.at(-1) ?? 0) + sum(end, bins);
    const distance = divergence(
      cut,
      inSteps(cut, (from, to) => sum(start + from, start + to)),
    );
    if (distance < least) {
      least = distance;
      best = range;
    }
  }
  return best ?? { low: edges[0] ?? 0, high: edges[bins] ?? 0 };
}

/** As many bins again, after the merger into 128: each step's count is spread over those of its bins that are not empty. */
function inSteps(cut: Float64Array, sum: (from: number, to: number) => number): Float64Array {
  const merged = Math.floor(cut.length / QUANTIZED_BINS);
  const spread = new Float64Array(cut.length);
  for (let step = 0; step < QUANTIZED_BINS; step++) {
    const from = step * merged;
    const to = from + merged;
    let filled = 0;
    for (let i = from; i < to; i++) if (cut[i] !== 0) filled++;
    if (filled === 0) continue;
    // The last step counts what does not divide.
    const count = sum(from, step === QUANTIZED_BINS - 1 ? cut.length : to);
    spread.fill(Math.trunc(count / filled), from, to);
  }
  return spread;
}

function divergence(p: Float64Array, q: Float64Array): number {
  const a = normalised(p);
  const b = normalised(q);
  if (!a || !b) return Infinity;
  return pairwiseSum(a.map((x, i) => x * f32(Math.log(f32(x / (b[i] ?? 0))))));
}

/** Smoothed, so that no bin is empty, with a sum of 1; `undefined` where all are empty. */
function normalised(counts: Float64Array): Float32Array | undefined {
  const empty = counts.reduce((sum, count) => sum + (count === 0 ? 1 : 0), 0);
  const filled = counts.length - empty;
  if (filled === 0) return undefined;
  const taken = f32(-((SMOOTHING * empty) / filled));
  const smooth = Float32Array.from(counts, (x) => f32(x) + (x === 0 ? f32(SMOOTHING) : taken));
  const total = pairwiseSum(smooth);
  return smooth.map((x) => x / total);
}
