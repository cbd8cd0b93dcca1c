/** @file Metrics of a model on rows with labels: shares of rows that are right, and the losses that a training can have. */
import { type LossName, LOSSES } from "../train/losses/loss-options.ts";

/** `top_5_accuracy`: the label is among the five highest scores; of equal scores the first counts as higher. */
export type Metric = "accuracy" | `top_${number}_accuracy` | LossName;

const TOP = /^top_([1-9]\d{0,4})_accuracy$/;
/** For schemas. */
export const METRIC_PATTERN = new RegExp(
  `^(accuracy|${TOP.source.slice(1, -1)}|${LOSSES.join("|")})$`,
);

export interface MetricOptions {
  /** The output holds logits (the default), not probabilities. */
  from_logits?: boolean | undefined;
  /** The axis of the classes. Default: found by the labels' shape. */
  class_axis?: number | undefined;
  /** A label that does not count. Default -100. */
  ignore_index?: number | undefined;
  /** huber: where the square turns into a line. Default 1. */
  delta?: number | undefined;
}

/** How many of the highest scores count; `undefined` for other metrics. */
export function topCount(metric: string): number | undefined {
  const count = TOP.exec(metric)?.[1];
  return count === undefined ? undefined : Number(count);
}

/** Shares are better the higher they are, losses the lower. */
export function higherIsBetter(metric: string): boolean {
  return !LOSSES.some((loss) => loss === metric);
}

/** Numbers of a batch, row-major; sizes are those of one row. */
export interface JudgedBatch {
  rows: number;
  output: ArrayLike<number>;
  outputRow: readonly number[];
  label: ArrayLike<number>;
  labelRow: readonly number[];
  /** Of the dataset's field; class probabilities are floats of the output's shape. */
  labelIsFloat: boolean;
}

/** A metric is `sum` / `count`, over all batches. */
export interface Tally {
  sum: number;
  count: number;
}

/** Adds up what each element or position gives; `undefined` does not count. */
export function tally(length: number, at: (index: number) => number | undefined): Tally {
  const total = { sum: 0, count: 0 };
  for (let index = 0; index < length; index++) {
    const value = at(index);
    if (value === undefined) continue;
    total.sum += value;
    total.count++;
  }
  return total;
}
