/** @file One value's range over all runs: its extremes, then, where the method asks for it, a histogram between them. */
import type { ActivationRange } from "../quantize/static/activation-parameters.ts";
import { entropyRange } from "./entropy.ts";
import { Histogram } from "./histogram.ts";
import { pairwiseSum } from "./pairwise-sum.ts";
import { percentileRange } from "./percentile.ts";
import { type CalibrationSettings, QUANTIZED_BINS } from "./settings.ts";

/** What was observed, and the range that the method makes of it. */
export interface ObservedRange extends ActivationRange {
  min: number;
  max: number;
}

/** True where the values are looked at twice: their extremes say where the bins are. */
export function needsHistogram({ method, bins }: CalibrationSettings): boolean {
  // As many bins as steps leave entropy nothing to choose.
  return method === "percentile" || (method === "entropy" && bins > QUANTIZED_BINS);
}

export class RangeCollector {
  readonly #settings: CalibrationSettings;
  readonly #minima: number[] = [];
  readonly #maxima: number[] = [];
  #least = Infinity;
  #most = -Infinity;
  #leastMagnitude = Infinity;
  #isFinite = true;
  #histogram: Histogram | "none" | undefined;

  constructor(settings: CalibrationSettings) {
    this.#settings = settings;
  }

  /** False once a value was NaN or Inf. */
  get isFinite(): boolean {
    return this.#isFinite;
  }

  /** One run's values. */
  observe(values: Float32Array): void {
    if (values.length === 0) return;
    let [min, max, magnitude] = [Infinity, -Infinity, Infinity];
    for (let i = 0; i < values.length; i++) {
      const x = values[i] ?? 0;
      if (x < min) min = x;
      if (x > max) max = x;
      const size = Math.abs(x);
      if (size < magnitude) magnitude = size;
      if (Number.isNaN(x)) this.#isFinite = false;
    }
    if (!Number.isFinite(max - min)) this.#isFinite = false;
    this.#minima.push(min);
    this.#maxima.push(max);
    this.#least = Math.min(this.#least, min);
    this.#most = Math.max(this.#most, max);
    this.#leastMagnitude = Math.min(this.#leastMagnitude, magnitude);
  }

  /** One run's values again, once all were observed. */
  count(values: Float32Array): void {
    if (!this.#isFinite || this.#minima.length === 0) return;
    this.#histogram ??= this.#bins() ?? "none";
    if (this.#histogram !== "none") this.#histogram.add(values, this.#ofMagnitudes);
  }

  get #ofMagnitudes(): boolean {
    return this.#settings.method === "percentile" && this.#settings.symmetric;
  }

  #bins(): Histogram | undefined {
    const most = Math.max(Math.abs(this.#least), Math.abs(this.#most));
    const first = this.#ofMagnitudes ? this.#leastMagnitude : -most;
    return Histogram.between(first, most, this.#settings.bins);
  }

  /** `undefined` where values were not finite; all zeros where there were none. */
  range(): ObservedRange | undefined {
    if (!this.#isFinite) return undefined;
    if (this.#minima.length === 0) return { min: 0, max: 0, low: 0, high: 0 };
    const [min, max] = [this.#least, this.#most];
    const found = this.#method(min, max);
    return { min, max, ...found };
  }

  #method(min: number, max: number): ActivationRange {
    const { method, symmetric, movingAverage, percentile } = this.#settings;
    if (method === "minmax") {
      const low = movingAverage ? mean(this.#minima) : min;
      const high = movingAverage ? mean(this.#maxima) : max;
      const most = Math.max(Math.abs(low), Math.abs(high));
      return symmetric ? { low: -most, high: most } : { low, high };
    }
    const histogram = this.#histogram;
    if (histogram === undefined || histogram === "none") return { low: min, high: max };
    const { low, high } =
      method === "entropy"
        ? entropyRange(histogram)
        : percentileRange(histogram, percentile, symmetric);
    return { low: low < min ? min : low, high: high > max ? max : high };
  }
}

const mean = (values: readonly number[]): number =>
  Math.fround(pairwiseSum(Float32Array.from(values)) / values.length);
