/** @file The options of a loss, and the settings that they stand for. */
import { knownKeys, nameOption, numberOption, typed } from "../option-check.ts";

export const LOSSES = [
  "cross_entropy",
  "binary_cross_entropy",
  "mse",
  "l1",
  "huber",
  "kl_divergence",
] as const;
export type LossName = (typeof LOSSES)[number];

export interface LossOptions {
  /** A loss by name, or `output:NAME`: an output of the model is the loss (its mean where it has elements). */
  type: LossName | `output:${string}`;
  /** The model's output that the loss reads. Default: its first. */
  output?: string;
  /**
   * cross_entropy and binary_cross_entropy: the output holds logits, not probabilities. Default: logits,
   * unless the output is a Softmax's, LogSoftmax's or Sigmoid's, whose input is taken instead.
   */
  from_logits?: boolean;
  /** cross_entropy: share of the target that is spread over all classes. Default 0. */
  label_smoothing?: number;
  /** cross_entropy: a label that does not count. Default -100, as in torch. */
  ignore_index?: number;
  /** cross_entropy and kl_divergence: the axis of the classes. Default: found by the labels' shape. */
  class_axis?: number;
  /** huber: where the square turns into a line. Default 1. */
  delta?: number;
}

export interface LossSettings {
  /** `output`: the loss is the model's output `output`. */
  type: LossName | "output";
  output: string | undefined;
  fromLogits: boolean | undefined;
  labelSmoothing: number;
  ignoreIndex: number;
  classAxis: number | undefined;
  delta: number;
}

const KEYS: Readonly<Record<LossName, readonly string[]>> = {
  cross_entropy: ["from_logits", "label_smoothing", "ignore_index", "class_axis"],
  binary_cross_entropy: ["from_logits"],
  mse: [],
  l1: [],
  huber: ["delta"],
  kl_divergence: ["from_logits", "class_axis"],
};

/** @throws RangeError naming the option, its value and what it can be */
export function lossSettings(option: LossOptions["type"] | LossOptions): LossSettings {
  const options = typed<LossOptions>(option);
  const named = /^output:(.+)$/s.exec(String(options.type))?.[1];
  const type = named === undefined ? nameOption("loss", options.type, LOSSES) : "output";
  const keys = type === "output" ? [] : ["output", ...KEYS[type]];
  knownKeys(`loss ${type}`, options, ["type", ...keys]);
  return {
    type,
    output: named ?? options.output,
    fromLogits: options.from_logits,
    labelSmoothing: numberOption("label_smoothing", options.label_smoothing ?? 0, {
      min: 0,
      below: 1,
    }),
    ignoreIndex: numberOption("ignore_index", options.ignore_index ?? -100, { whole: true }),
    classAxis:
      options.class_axis === undefined
        ? undefined
        : numberOption("class_axis", options.class_axis, { whole: true }),
    delta: numberOption("delta", options.delta ?? 1, { above: 0 }),
  };
}
