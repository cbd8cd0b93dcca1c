/** @file Metrics of single numbers: each element of the output against the label's. The losses are those of `src/train/losses`. */
import { elementCount } from "../onnx/data-type.ts";
import { MARGIN } from "../train/losses/binary-cross-entropy.ts";
import { type JudgedBatch, type MetricOptions, tally, type Tally } from "./metric.ts";

type ElementLoss = (output: number, label: number) => number;

export function regression(batch: JudgedBatch, type: "mse" | "l1" | "huber", delta = 1): Tally {
  const losses: Record<typeof type, ElementLoss> = {
    mse: (output, label) => (output - label) ** 2,
    l1: (output, label) => Math.abs(output - label),
    huber: (output, label) => {
      const distance = Math.abs(output - label);
      const inner = Math.min(distance, delta);
      return inner * (distance - inner / 2);
    },
  };
  return elementwise(batch, losses[type]);
}

/** Of logits z: log(1 + exp z) − y·z; of probabilities −y·log p − (1 − y)·log(1 − p). */
export function binaryCrossEntropy(batch: JudgedBatch, { from_logits }: MetricOptions): Tally {
  const ofProbability: ElementLoss = (output, label) => {
    const p = Math.min(Math.max(output, MARGIN), 1 - MARGIN);
    return -label * Math.log(p) - (1 - label) * Math.log(1 - p);
  };
  const ofLogit: ElementLoss = (z, label) =>
    Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - label * z;
  return elementwise(batch, from_logits === false ? ofProbability : ofLogit);
}

/** The output is on the label's side of a half. */
export function binaryAccuracy(batch: JudgedBatch, { from_logits }: MetricOptions): Tally {
  const half = from_logits === false ? 0.5 : 0;
  return elementwise(batch, (output, label) => (output > half === label > 0.5 ? 1 : 0));
}

/** @throws RangeError when a row of the one has other than as many elements as a row of the other */
function elementwise(batch: JudgedBatch, loss: ElementLoss): Tally {
  const { rows, output, outputRow, label, labelRow } = batch;
  if (elementCount(outputRow) !== elementCount(labelRow)) {
    throw new RangeError(
      `evaluate: a row of the output is [${outputRow.join(", ")}], a row of the label [${labelRow.join(", ")}]`,
    );
  }
  return tally(rows * elementCount(outputRow), (i) => loss(output[i] ?? NaN, label[i] ?? NaN));
}
