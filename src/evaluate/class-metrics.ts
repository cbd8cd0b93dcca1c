/** @file Metrics of class scores: which class is the highest, and how likely the label's is. The losses are those of `src/train/losses`. */
import { elementCount } from "../onnx/data-type.ts";
import { classAxisOf, SMALLEST_PROBABILITY } from "../train/losses/class-scores.ts";
import { distributionAxisOf } from "../train/losses/kl-divergence.ts";
import { type JudgedBatch, type MetricOptions, tally, type Tally } from "./metric.ts";

const IGNORED = -100;

/** True where each row has a class: scores of several, and not a 0 or 1 for each of them. */
export function hasClasses(batch: JudgedBatch): boolean {
  if (elementCount(batch.outputRow) === 1) return false;
  return batch.outputRow.join() !== batch.labelRow.join() || isSoft(batch);
}

/** The label's score is one of the `k` highest; of equal ones the first is the higher. */
export function topAccuracy(batch: JudgedBatch, k: number, options: MetricOptions): Tally {
  if (isSoft(batch)) {
    const scores = distribution(batch.output, batch, options);
    const target = distribution(batch.label, batch, options);
    return tally(scores.positions, (at) => (scores.before(at, target.best(at)) < k ? 1 : 0));
  }
  const { scores, labelAt } = labelled(batch, options);
  return tally(scores.positions, (at) => {
    const label = labelAt(at);
    return label === undefined ? undefined : scores.before(at, label) < k ? 1 : 0;
  });
}

/** −log p of the label, or −Σ p·log q of the label's probabilities. */
export function crossEntropy(batch: JudgedBatch, options: MetricOptions): Tally {
  const logits = options.from_logits !== false;
  if (isSoft(batch)) {
    return overClasses(batch, options, (p, logQ) => (p === 0 ? 0 : -p * logQ));
  }
  const { scores, labelAt } = labelled(batch, options);
  return tally(scores.positions, (at) => {
    const label = labelAt(at);
    return label === undefined ? undefined : -scores.logProbabilities(at, logits)(label);
  });
}

/** Σ p·(log p − log q). */
export function klDivergence(batch: JudgedBatch, options: MetricOptions): Tally {
  return overClasses(batch, options, (p, logQ) => (p === 0 ? 0 : p * (Math.log(p) - logQ)));
}

function overClasses(
  batch: JudgedBatch,
  options: MetricOptions,
  term: (p: number, logQ: number) => number,
): Tally {
  const { outputRow, labelRow } = batch;
  if (elementCount(outputRow) !== elementCount(labelRow)) {
    throw new RangeError(
      `evaluate: a row of the output is [${outputRow.join(", ")}], a row of the label [${labelRow.join(", ")}]`,
    );
  }
  const scores = distribution(batch.output, batch, options);
  const target = distribution(batch.label, batch, options);
  return tally(scores.positions, (at) => {
    const logQ = scores.logProbabilities(at, options.from_logits !== false);
    let sum = 0;
    for (let c = 0; c < scores.classes; c++) sum += term(target.at(at, c), logQ(c));
    return sum;
  });
}

/** Float labels of the output's own shape, with more than one class: probabilities. */
function isSoft({ outputRow, labelRow, labelIsFloat }: JudgedBatch): boolean {
  return labelIsFloat && outputRow.join() === labelRow.join() && outputRow.some((size) => size > 1);
}

function distribution(values: ArrayLike<number>, batch: JudgedBatch, options: MetricOptions) {
  const axis = distributionAxisOf(batch.outputRow.length + 1, options.class_axis);
  return new Scores(values, batch, axis);
}

/** @throws RangeError for a label that is no class */
function labelled(batch: JudgedBatch, options: MetricOptions) {
  const { output, outputRow, labelRow, label } = batch;
  const axis = classAxisOf("output", outputRow, labelRow, options.class_axis);
  const scores = new Scores(output, batch, axis);
  const ignored = options.ignore_index ?? IGNORED;
  const labelAt = (at: number): number | undefined => {
    const found = label[at] ?? NaN;
    if (found === ignored) return undefined;
    if (Number.isInteger(found) && found >= 0 && found < scores.classes) return found;
    throw new RangeError(`evaluate: a label is ${found}, there are ${scores.classes} classes`);
  };
  return { scores, labelAt };
}

/** Numbers by position (all axes but that of the classes) and class. */
class Scores {
  readonly positions: number;
  readonly classes: number;
  readonly #values: ArrayLike<number>;
  /** Elements from one class to the next. */
  readonly #stride: number;

  /** @param values of the output's shape */
  constructor(values: ArrayLike<number>, { rows, outputRow }: JudgedBatch, axis: number) {
    this.#values = values;
    this.classes = outputRow[axis - 1] ?? 1;
    this.#stride = elementCount(outputRow.slice(axis));
    this.positions = (rows * elementCount(outputRow)) / this.classes;
  }

  at(position: number, label: number): number {
    const stride = this.#stride;
    const first = Math.floor(position / stride) * stride * this.classes + (position % stride);
    return this.#values[first + label * stride] ?? NaN;
  }

  /** The first class of the highest score. */
  best(position: number): number {
    let best = 0;
    for (let c = 1; c < this.classes; c++) {
      if (this.at(position, c) > this.at(position, best)) best = c;
    }
    return best;
  }

  /** How many classes come before the label. A label whose score is NaN comes last. */
  before(position: number, label: number): number {
    const own = this.at(position, label);
    if (Number.isNaN(own)) return this.classes;
    let before = 0;
    for (let c = 0; c < this.classes; c++) {
      const score = this.at(position, c);
      if (score > own || (score === own && c < label)) before++;
    }
    return before;
  }

  /** log p by class, of logits or of probabilities. */
  logProbabilities(position: number, logits: boolean): (label: number) => number {
    if (!logits) {
      return (label) =>
        Math.log(Math.min(Math.max(this.at(position, label), SMALLEST_PROBABILITY), 1));
    }
    let largest = -Infinity;
    for (let c = 0; c < this.classes; c++) largest = Math.max(largest, this.at(position, c));
    let sum = 0;
    for (let c = 0; c < this.classes; c++) sum += Math.exp(this.at(position, c) - largest);
    const shift = largest + Math.log(sum);
    return (label) => this.at(position, label) - shift;
  }
}
