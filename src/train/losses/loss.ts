/** @file The loss of a training job, from the model's output and the label to a scalar. */
import { binaryCrossEntropy } from "./binary-cross-entropy.ts";
import { classScores } from "./class-scores.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { distributionAxis, klDivergence, softenedDivergence } from "./kl-divergence.ts";
import type { LossSettings } from "./loss-options.ts";
import {
  checkFloat,
  type LossContext,
  type LossValue,
  meanAll,
  refusal,
  sizeOf,
} from "./loss-value.ts";
import { regression } from "./regression.ts";

/**
 * Emits the loss.
 * @param output the model's output that the loss reads
 * @param label absent for `output:NAME`
 * @throws RangeError when the output is no float, or its shape does not fit the label's
 */
export function emitLoss(
  context: LossContext,
  output: string,
  label: string | undefined,
  settings: LossSettings,
): LossValue {
  checkFloat(context.emitter, output);
  if (settings.type === "output") {
    return { loss: meanAll(context.emitter, output), count: sizeOf(context.emitter, output) };
  }
  if (label === undefined) throw refusal(`the loss ${settings.type} needs a label`);
  switch (settings.type) {
    case "cross_entropy":
      return crossEntropy(context, output, label, settings);
    case "binary_cross_entropy":
      return binaryCrossEntropy(context, output, label, settings);
    case "kl_divergence":
      return klDivergence(context, output, label, settings);
    case "mse":
    case "l1":
    case "huber":
      return regression(context, output, label, settings);
  }
}

/** How close the output comes to a teacher's. */
export interface Distillation {
  /** The teacher's output. */
  teacher: string;
  /** The teacher's output holds logits, probabilities (false), or whatever its last node says. */
  fromLogits: boolean | undefined;
  temperature: number;
}

/**
 * The distillation loss: between classes, the divergence of softened scores; where the loss is one of
 * single elements, that loss against the teacher's output.
 */
export function emitDistillation(
  context: LossContext,
  output: string,
  { teacher, fromLogits, temperature }: Distillation,
  settings: LossSettings,
): LossValue {
  const { emitter } = context;
  checkFloat(emitter, output);
  checkFloat(emitter, teacher);
  if (settings.type === "output") throw refusal("a loss that is an output has no distillation");
  if (settings.type === "binary_cross_entropy") {
    const isProbability = fromLogits === false || context.producer(teacher)?.opType === "Sigmoid";
    const soft = isProbability ? teacher : emitter.emit("Sigmoid", [teacher]);
    return binaryCrossEntropy(context, output, soft, settings);
  }
  if (settings.type !== "cross_entropy" && settings.type !== "kl_divergence") {
    return regression(context, output, teacher, settings);
  }
  const axis = distributionAxis(emitter, output, settings.classAxis);
  const own = emitter.dims(output);
  const theirs = emitter.dims(teacher);
  if (own.length !== theirs.length || own[axis] !== theirs[axis]) {
    throw refusal(
      `the output is [${own.map((dim) => dim ?? "?").join(", ")}], the teacher's [${theirs.map((dim) => dim ?? "?").join(", ")}]`,
    );
  }
  return softenedDivergence(
    emitter,
    classScores(context, output, axis, settings.fromLogits),
    classScores(context, teacher, axis, fromLogits),
    temperature,
  );
}
