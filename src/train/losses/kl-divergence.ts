/** @file Kullback-Leibler divergence of a model's class probabilities from given ones. */
import type { Emitter } from "../../autodiff/rule.ts";
import { frontAxis } from "../../graph/infer-shape.ts";
import { type ClassScores, classScores, logProbabilities } from "./class-scores.ts";
import type { LossSettings } from "./loss-options.ts";
import { labelLike, type LossContext, type LossValue, sizeOf, sumAll } from "./loss-value.ts";

/** So that 0·log 0 is 0. */
const SMALLEST_NORMAL = 2 ** -126;

/**
 * The mean over positions of Σ p·(log p − log q), p the label's probabilities and q the model's.
 * @param label probabilities, of the output's shape
 */
export function klDivergence(
  context: LossContext,
  output: string,
  label: string,
  settings: Pick<LossSettings, "fromLogits" | "classAxis">,
): LossValue {
  const { emitter } = context;
  const axis = distributionAxis(emitter, output, settings.classAxis);
  const logQ = logProbabilities(emitter, classScores(context, output, axis, settings.fromLogits));
  const p = labelLike(emitter, output, label);
  const logP = emitter.emit("Log", [emitter.emit("Max", [p, emitter.float(SMALLEST_NORMAL)])]);
  return divergence(emitter, p, logP, logQ, axis);
}

/**
 * The same between softened scores, times temperature², which keeps the gradient's size (Hinton et al. 2015).
 * @param teacher of the output's shape
 */
export function softenedDivergence(
  emitter: Emitter,
  student: ClassScores,
  teacher: ClassScores,
  temperature: number,
): LossValue {
  const logP = logProbabilities(emitter, teacher, temperature);
  const logQ = logProbabilities(emitter, student, temperature);
  const value = divergence(emitter, emitter.emit("Exp", [logP]), logP, logQ, student.axis);
  const scale = emitter.float(temperature * temperature);
  return { ...value, loss: emitter.emit("Mul", [value.loss, scale]) };
}

function divergence(
  emitter: Emitter,
  p: string,
  logP: string,
  logQ: string,
  axis: number,
): LossValue {
  const product = emitter.emit("Mul", [p, emitter.emit("Sub", [logP, logQ])]);
  const positions = emitter.reduce("ReduceSum", product, [axis], true);
  const count = sizeOf(emitter, positions);
  return { loss: emitter.emit("Div", [sumAll(emitter, positions), count]), count };
}

/** The last axis of [N, C] and [N, T, C], axis 1 of [N, C, H, W], unless another one is asked for. */
export function distributionAxis(
  emitter: Emitter,
  output: string,
  asked: number | undefined,
): number {
  return distributionAxisOf(emitter.dims(output).length, asked);
}

export function distributionAxisOf(rank: number, asked: number | undefined): number {
  return frontAxis(asked ?? (rank <= 3 ? -1 : 1), rank);
}
