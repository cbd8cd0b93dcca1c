/** @file A classifier's output as log-probabilities along its class axis, whatever the model ends in. */
import { intAttribute, makeInt } from "../../graph/attributes.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import type { Emitter } from "../../autodiff/rule.ts";
import { beforeFinal, type LossContext, refusal, rowSizes } from "./loss-value.ts";

/** Probabilities below it count as it, where a model gives probabilities and not logits. */
export const SMALLEST_PROBABILITY = 1e-7;

export interface ClassScores {
  /** Its largest entry along `axis` is the predicted class: logits, or probabilities. */
  scores: string;
  logits: boolean;
  axis: number;
}

/**
 * The scores behind the output: what a final Softmax or LogSoftmax over the classes is applied to, since
 * the logarithm of a rounded probability loses what the loss needs; else the output itself, which is taken
 * for logits unless `fromLogits` is false.
 */
export function classScores(
  context: LossContext,
  output: string,
  axis: number,
  fromLogits: boolean | undefined,
): ClassScores {
  if (fromLogits === true) return { scores: output, logits: true, axis };
  const final = beforeFinal(context, output, ["Softmax", "LogSoftmax"]);
  const rank = context.emitter.dims(output).length;
  if (final && frontAxis(intAttribute(final, "axis", -1), rank) === axis) {
    return { scores: final.inputs[0] ?? "", logits: true, axis };
  }
  return { scores: output, logits: fromLogits !== false, axis };
}

/** log p of every class, of logits divided by `temperature`. */
export function logProbabilities(
  emitter: Emitter,
  { scores, logits, axis }: ClassScores,
  temperature = 1,
): string {
  let z = scores;
  if (!logits) {
    const clipped = emitter.emit("Clip", [
      scores,
      emitter.float(SMALLEST_PROBABILITY),
      emitter.float(1),
    ]);
    z = emitter.emit("Log", [clipped]);
    if (temperature === 1) return z;
  }
  if (temperature !== 1) z = emitter.emit("Mul", [z, emitter.float(1 / temperature)]);
  if (emitter.target !== "webgpu") return emitter.emit("LogSoftmax", [z], [makeInt("axis", axis)]);
  // LogSoftmax has no WebGPU kernel. Any shift near the maximum keeps Exp in range; Ceil also
  // keeps the gradient, which does not depend on the shift, from walking through it.
  const shift = emitter.emit("Ceil", [emitter.reduce("ReduceMax", z, [axis], true)]);
  const shifted = emitter.emit("Sub", [z, shift]);
  const sum = emitter.reduce("ReduceSum", emitter.emit("Exp", [shifted]), [axis], true);
  return emitter.emit("Sub", [shifted, emitter.emit("Log", [sum])]);
}

/** `classAxisOf` of values in a graph. */
export function classAxis(
  emitter: Emitter,
  output: string,
  label: string,
  asked: number | undefined,
): number {
  return classAxisOf(output, rowSizes(emitter, output), rowSizes(emitter, label), asked);
}

/**
 * The axis of the classes: the one without which a row of the output has the shape of a row of the
 * label. Where two fit, the last of a sequence's output [N, T, C] and the first of an image's [N, C, H, W].
 * @param sizes of a row of the output: axis 1 is the first of them
 * @param labels of a row of the label
 * @throws RangeError when none fits
 */
export function classAxisOf(
  output: string,
  sizes: readonly number[],
  labels: readonly number[],
  asked: number | undefined,
): number {
  const rank = sizes.length + 1;
  const fits = (axis: number): boolean =>
    sameSizes(
      sizes.filter((_, i) => i !== axis - 1),
      labels,
    );
  if (asked !== undefined) {
    const axis = frontAxis(asked, rank);
    if (axis > 0 && fits(axis)) return axis;
    throw refusal(`class_axis ${asked} does not fit ${shapes(output, sizes, labels)}`);
  }
  const preferred = rank <= 3 ? [rank - 1, 1] : [1, rank - 1];
  const axis = preferred.find((candidate) => candidate > 0 && fits(candidate));
  if (axis !== undefined) return axis;
  throw refusal(`no axis of classes: ${shapes(output, sizes, labels)}`);
}

/** Equal but for sizes of 1: a label may be [N] or [N, 1], an output [N, C, 1, 1]. */
function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  const large = (sizes: readonly number[]) => sizes.filter((size) => size !== 1).join();
  return large(a) === large(b);
}

const shapes = (output: string, sizes: readonly number[], labels: readonly number[]): string =>
  `a row of "${output}" is [${sizes.join(", ")}], a row of the label [${labels.join(", ")}]`;
