/**
 * @file The options of a training job as the API names them, and the settings that they stand for.
 *
 * Numbers and names are checked here; what depends on the model or the data (patterns, shapes) is
 * checked where the step is built.
 */
import { type LossOptions, type LossSettings, lossSettings } from "./losses/loss-options.ts";
import { knownKeys, nameOption, numberOption } from "./option-check.ts";
import {
  type OptimizerOptions,
  type OptimizerSettings,
  type ScheduleOptions,
  type ScheduleSettings,
  optimizerSettings,
  scheduleSettings,
} from "./optimizer-options.ts";

export interface LoraOptions {
  /** Columns of A and rows of B. Default 8. */
  rank?: number;
  /** The product B·A is scaled by alpha / rank. Default: 2 · rank. */
  alpha?: number;
  /** Patterns of weight or node names. Default: every MatMul and Gemm whose weight is a stored float matrix. */
  target?: string[];
}

export interface QatOptions {
  /** Type of the activations' codes; `none`: only weights are quantized. Default `uint8`. */
  activations?: "uint8" | "int8" | "none";
  /** One scale per output channel of a weight. Default true. */
  per_channel?: boolean;
  /** Share of a batch's range in the running range of an activation (torch's averaging_constant). Default 0.01. */
  averaging?: number;
  /** Only these op types. Default: Conv, ConvTranspose, Gemm, MatMul. */
  op_types?: string[];
  /** Never these nodes. */
  nodes_to_exclude?: string[];
}

export interface TeacherOptions {
  /** The teacher's model id; absent: its outputs are a field of the data. */
  model?: string;
  /** The outputs are divided by it before the softmax (Hinton et al. 2015). Default 2. */
  temperature?: number;
  /** The teacher's outputs are logits (not probabilities). Default: what the teacher's last node says; for a field true. */
  from_logits?: boolean;
  /** Share of the distillation loss; the rest is `loss` on the labels. Default 0.5. */
  alpha?: number;
}

export interface TrainingOptions {
  loss?: LossOptions["type"] | LossOptions;
  optimizer?: OptimizerOptions["type"] | OptimizerOptions;
  schedule?: ScheduleOptions["type"] | ScheduleOptions;
  /** Largest L2 norm of the whole gradient; absent: not clipped. */
  clip_norm?: number;
  /** Batches whose gradients are averaged before one step of the optimizer. Default 1. */
  accumulation_steps?: number;
  /** Rows that a rank reads for one gradient. Default 32. */
  batch_size?: number;
  /** Passes over the data; `steps` instead counts steps of the optimizer. Default 1. */
  epochs?: number;
  steps?: number;
  /** Orders the batches and seeds dropout and LoRA. Default 0. */
  seed?: number;
  /** Patterns (`*` any characters) of parameters to train. Default: all that are weights. */
  trainable?: string[];
  /** Patterns of parameters that stay as they are; they win over `trainable`. */
  frozen?: string[];
  /** Trains low-rank adapters instead of the weights, merged in the result. */
  lora?: boolean | LoraOptions;
  /** Zeros of weight matrices (pruned weights) stay zero. Default false. */
  keep_sparsity?: boolean;
  /** Trains through 8-bit rounding; the result is a QDQ model. */
  qat?: boolean | QatOptions;
  teacher?: TeacherOptions;
  /**
   * BatchNormalization: `train` uses the batch's statistics and moves the running ones (by the population variance,
   * as ONNX has it), `frozen` keeps them. Default `train`.
   */
  batch_normalization?: "train" | "frozen";
  /** The model's Dropout nodes drop, with masks drawn from the seed. Default true. */
  dropout?: boolean;
}

export interface LoraSettings {
  rank: number;
  alpha: number;
  target: readonly string[] | undefined;
}

export interface QatSettings {
  activations: "uint8" | "int8" | "none";
  perChannel: boolean;
  averaging: number;
  opTypes: readonly string[];
  nodesToExclude: readonly string[];
}

export interface TeacherSettings {
  model: string | undefined;
  fromLogits: boolean | undefined;
  temperature: number;
  alpha: number;
}

/** The options with their defaults, checked. */
export interface TrainingSettings {
  loss: LossSettings;
  optimizer: OptimizerSettings;
  schedule: ScheduleSettings;
  clipNorm: number | undefined;
  accumulationSteps: number;
  batchSize: number;
  /** Exactly one of `epochs` and `steps` is there. */
  epochs: number | undefined;
  steps: number | undefined;
  seed: number;
  trainable: readonly string[] | undefined;
  frozen: readonly string[];
  lora: LoraSettings | undefined;
  keepSparsity: boolean;
  qat: QatSettings | undefined;
  teacher: TeacherSettings | undefined;
  batchNormalization: "train" | "frozen";
  dropout: boolean;
}

export const QAT_OP_TYPES = ["Conv", "ConvTranspose", "Gemm", "MatMul"] as const;

/** @throws RangeError naming the option, its value and what it can be */
export function trainingSettings(options: TrainingOptions): TrainingSettings {
  const { epochs, steps } = options;
  if (epochs !== undefined && steps !== undefined) {
    throw new RangeError(`train: give epochs (${epochs}) or steps (${steps}), not both`);
  }
  const settings: TrainingSettings = {
    loss: lossSettings(options.loss ?? "cross_entropy"),
    optimizer: optimizerSettings(options.optimizer ?? "adam"),
    schedule: scheduleSettings(options.schedule ?? "constant"),
    clipNorm:
      options.clip_norm === undefined
        ? undefined
        : numberOption("clip_norm", options.clip_norm, { above: 0 }),
    accumulationSteps: count("accumulation_steps", options.accumulation_steps ?? 1),
    batchSize: count("batch_size", options.batch_size ?? 32),
    epochs: steps === undefined ? count("epochs", epochs ?? 1) : undefined,
    steps: steps === undefined ? undefined : count("steps", steps),
    seed: numberOption("seed", options.seed ?? 0, { min: 0, max: 2 ** 32 - 1, whole: true }),
    trainable: options.trainable,
    frozen: options.frozen ?? [],
    lora: options.lora ? loraSettings(options.lora === true ? {} : options.lora) : undefined,
    keepSparsity: options.keep_sparsity ?? false,
    qat: options.qat ? qatSettings(options.qat === true ? {} : options.qat) : undefined,
    teacher: options.teacher && teacherSettings(options.teacher),
    batchNormalization: nameOption("batch_normalization", options.batch_normalization ?? "train", [
      "train",
      "frozen",
    ]),
    dropout: options.dropout ?? true,
  };
  if (settings.lora && settings.keepSparsity) {
    throw new RangeError(
      "train: lora and keep_sparsity do not go together: a merged adapter fills the zeros",
    );
  }
  if (settings.lora && settings.qat) {
    throw new RangeError(
      "train: lora and qat do not go together: the merged weight is new to the rounding",
    );
  }
  return settings;
}

const count = (name: string, value: number): number =>
  numberOption(name, value, { min: 1, max: 1e9, whole: true });

function loraSettings(options: LoraOptions): LoraSettings {
  knownKeys("lora", options, ["rank", "alpha", "target"]);
  const rank = numberOption("lora.rank", options.rank ?? 8, { min: 1, max: 4096, whole: true });
  const alpha = numberOption("lora.alpha", options.alpha ?? 2 * rank, { above: 0 });
  return { rank, alpha, target: options.target };
}

function qatSettings(options: QatOptions): QatSettings {
  knownKeys("qat", options, [
    "activations",
    "per_channel",
    "averaging",
    "op_types",
    "nodes_to_exclude",
  ]);
  for (const type of options.op_types ?? []) nameOption("qat.op_types", type, QAT_OP_TYPES);
  return {
    activations: nameOption("qat.activations", options.activations ?? "uint8", [
      "uint8",
      "int8",
      "none",
    ]),
    perChannel: options.per_channel ?? true,
    averaging: numberOption("qat.averaging", options.averaging ?? 0.01, { above: 0, max: 1 }),
    opTypes: options.op_types ?? QAT_OP_TYPES,
    nodesToExclude: options.nodes_to_exclude ?? [],
  };
}

function teacherSettings(options: TeacherOptions): TeacherSettings {
  knownKeys("teacher", options, ["model", "from_logits", "temperature", "alpha"]);
  return {
    model: options.model,
    fromLogits: options.from_logits,
    temperature: numberOption("teacher.temperature", options.temperature ?? 2, { above: 0 }),
    alpha: numberOption("teacher.alpha", options.alpha ?? 0.5, { above: 0, max: 1 }),
  };
}
