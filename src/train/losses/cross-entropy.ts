/**
 * @file Cross-entropy of class scores against class indices or class probabilities, as torch's
 * `cross_entropy`: label smoothing, `ignore_index`, per position of a sequence or an image.
 */
import { makeInt } from "../../graph/attributes.ts";
import type { Emitter } from "../../autodiff/rule.ts";
import { DataType } from "../../onnx/data-type.ts";
import { type ClassScores, classAxis, classScores, logProbabilities } from "./class-scores.ts";
import type { LossSettings } from "./loss-options.ts";
import {
  cast,
  isFloat,
  labelLike,
  type LossContext,
  type LossValue,
  refusal,
  rowSizes,
  sumAll,
} from "./loss-value.ts";

/**
 * The mean of −log p[label] over all labels that are not `ignoreIndex` (0 where there is none).
 *
 * @param output [N, C], [N, …, C] or [N, C, …]
 * @param label class indices, integers or whole floats, [N], [N, 1] or the output's shape without its
 *   class axis; or floats of the output's shape: probabilities
 * @throws RangeError when the shapes do not fit
 */
export function crossEntropy(
  context: LossContext,
  output: string,
  label: string,
  settings: LossSettings,
): LossValue {
  const { emitter } = context;
  if (isSoft(emitter, output, label)) return softCrossEntropy(context, output, label, settings);
  const axis = classAxis(emitter, output, label, settings.classAxis);
  const scores = classScores(context, output, axis, settings.fromLogits);
  const logP = logProbabilities(emitter, scores);

  const shape = emitter.dims(output).map((dim, i) => (i === axis ? 1 : dim));
  // WebGPU computes no int64.
  const index = emitter.target === "webgpu" ? DataType.int32 : DataType.int64;
  const labels = cast(emitter, emitter.reshape(label, shape), index);
  const constant = (value: number): string => cast(emitter, emitter.int64([value]), index);
  const counts = emitter.emit("Not", [
    emitter.emit("Equal", [labels, constant(settings.ignoreIndex)]),
  ]);
  // A negative label would be counted from the end: it becomes one that is out of range, and so an error.
  const size = classCount(emitter, output, axis);
  const isNegative = emitter.emit("Less", [labels, constant(0)]);
  const checked = emitter.emit("Where", [isNegative, constant(size), labels]);
  const classes = emitter.emit("Where", [counts, checked, constant(0)]);
  const weight = cast(emitter, counts, DataType.float32);
  const count = sumAll(emitter, weight);

  const picked = emitter.emit("GatherElements", [logP, classes], [makeInt("axis", axis)]);
  const logLikelihood = smoothed(emitter, picked, logP, axis, settings.labelSmoothing);
  const total = sumAll(emitter, emitter.emit("Mul", [logLikelihood, weight]));
  const atLeastOne = emitter.emit("Max", [count, emitter.float(1)]);
  const loss = emitter.emit("Neg", [emitter.emit("Div", [total, atLeastOne])]);

  const right = cast(emitter, isRight(emitter, scores, classes), DataType.float32);
  const correct = sumAll(emitter, emitter.emit("Mul", [right, weight]));
  return { loss, correct, count, classes: size };
}

/** @throws RangeError for a single class, whose probability is always 1 */
function classCount(emitter: Emitter, output: string, axis: number): number {
  const size = emitter.sizes(output, 1)[axis] ?? 0;
  if (size > 1) return size;
  throw refusal(`"${output}" has ${size} class: its loss is binary_cross_entropy`);
}

/** (1 − ε)·log p[label] + ε·mean over the classes of log p (Szegedy et al. 2016, section 7). */
function smoothed(
  emitter: Emitter,
  picked: string,
  logP: string,
  axis: number,
  smoothing: number,
): string {
  if (smoothing === 0) return picked;
  const uniform = emitter.reduce("ReduceMean", logP, [axis], true);
  return emitter.emit("Add", [
    emitter.emit("Mul", [picked, emitter.float(1 - smoothing)]),
    emitter.emit("Mul", [uniform, emitter.float(smoothing)]),
  ]);
}

/** Bool, of the classes' shape: the label has the largest score; of equal ones the first, on WebGPU none. */
function isRight(emitter: Emitter, { scores, axis }: ClassScores, classes: string): string {
  if (emitter.target !== "webgpu") {
    const best = emitter.emit("ArgMax", [scores], [makeInt("axis", axis), makeInt("keepdims", 1)]);
    return emitter.emit("Equal", [best, classes]);
  }
  const own = emitter.emit("GatherElements", [scores, classes], [makeInt("axis", axis)]);
  const above = cast(emitter, emitter.emit("GreaterOrEqual", [scores, own]), DataType.float32);
  return emitter.emit("Equal", [
    emitter.reduce("ReduceSum", above, [axis], true),
    emitter.float(1),
  ]);
}

/** Float labels of the output's own shape, with more than one class. */
function isSoft(emitter: Emitter, output: string, label: string): boolean {
  return (
    isFloat(emitter.elementType(label)) &&
    rowSizes(emitter, label).join() === rowSizes(emitter, output).join() &&
    rowSizes(emitter, output).some((size) => size > 1)
  );
}

/** The mean over positions of −Σ target·log p. */
function softCrossEntropy(
  context: LossContext,
  output: string,
  label: string,
  settings: LossSettings,
): LossValue {
  const { emitter } = context;
  const rank = emitter.dims(output).length;
  const axis = settings.classAxis ?? (rank <= 3 ? rank - 1 : 1);
  const scores = classScores(context, output, axis < 0 ? axis + rank : axis, settings.fromLogits);
  const logP = logProbabilities(emitter, scores);
  const target = labelLike(emitter, output, label);
  const sum = (value: string): string => emitter.reduce("ReduceSum", value, [scores.axis], true);
  const picked = sum(emitter.emit("Mul", [target, logP]));
  const logLikelihood = smoothed(emitter, picked, logP, scores.axis, settings.labelSmoothing);
  const all = [...emitter.dims(logLikelihood).keys()];
  const loss = emitter.emit("Neg", [emitter.reduce("ReduceMean", logLikelihood, all, false)]);

  const best = [makeInt("axis", scores.axis), makeInt("keepdims", 1)];
  const right = emitter.emit("Equal", [
    emitter.emit("ArgMax", [scores.scores], best),
    emitter.emit("ArgMax", [target], best),
  ]);
  const correct = sumAll(emitter, cast(emitter, right, DataType.float32));
  const count = cast(emitter, emitter.emit("Size", [right]), DataType.float32);
  return { loss, correct, count };
}
