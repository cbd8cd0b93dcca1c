/** @file What a training job is created with and never changes. */
import type { FieldChoice } from "../../data/mapping.ts";
import type { LineCodec } from "../../runner/vector-encoding.ts";
import type { TrainingOptions } from "../../train/options.ts";
import type { RowSchedule } from "../../train/row-schedule.ts";
import type { RecipeName } from "../recipes/recipe.ts";

export const MODES = ["sync", "async", "local_sgd"] as const;
export type Mode = (typeof MODES)[number];

/** Who computes gradients: the ranks, runners, or runners where there are some. */
export const EXECUTORS = ["edge", "runner", "auto"] as const;
export type ExecutorChoice = (typeof EXECUTORS)[number];

export const MAX_WORLD_SIZE = 64;

/** What is told of an epoch. */
export const METRICS = ["loss", "accuracy"] as const;
export type Metric = (typeof METRICS)[number];

export interface AllreduceOptions {
  /** Absent: the faster one for the vector's length and the world size. */
  algorithm?: "direct" | "ring" | undefined;
  compression: "none" | "float16" | "bfloat16" | "int8" | "top_k";
}

/** How ranks work together, as the API names it, defaults filled in. */
export interface ModeOptions {
  mode: Mode;
  world_size: number;
  allreduce: AllreduceOptions;
  /** async: no rank is more than so many steps ahead of the slowest. */
  max_staleness: number;
  /** local_sgd: steps between two exchanges (H). Absent: as many as leave the exchange a tenth of the time. */
  local_steps?: number | undefined;
  /** local_sgd: the outer step's learning rate and Nesterov momentum. */
  outer_lr: number;
  outer_momentum: number;
}

/** Which rows the ranks read. */
export interface DataOptions {
  /** Fields of the dataset by input of the model, where their names do not say it. */
  inputs: Record<string, string | FieldChoice>;
  /** The field that the loss compares with; absent for a loss that is an output of the model. */
  label?: string | undefined;
  /** The field with a teacher's outputs. */
  teacher?: string | undefined;
  /** Rows to measure on: a share of the dataset, or another dataset. */
  validation?: { fraction: number } | { dataset: string } | undefined;
  shuffle: boolean;
}

/** A checkpoint of another job to go on from. */
export interface Origin {
  job: string;
  step: number;
  /** The parts in R2, the other job's rank 0 first. */
  keys: string[];
  /** With the optimizer's state and the count of steps; else only the weights are taken. */
  whole: boolean;
  /** How the other job's steps lay in epochs, and whether this one trains on the same rows. */
  schedule?: RowSchedule | undefined;
  sameRows?: boolean;
}

export interface TrainingOrder {
  id: string;
  workspace: string;
  modelId: string;
  datasetId: string;
  /** The numeric options, as they were given. */
  training: TrainingOptions;
  mode: ModeOptions;
  executor: ExecutorChoice;
  /** How parameters and gradients travel between a rank and its runner. */
  runnerCodec: LineCodec;
  data: DataOptions;
  /** Absent: all that there are. */
  metrics?: Metric[] | undefined;
  /** Steps between two checkpoints in R2; absent: only the last. */
  checkpointEvery?: number | undefined;
  origin?: Origin | undefined;
  /** How steps lie in epochs, for those who go on from a checkpoint. */
  schedule?: RowSchedule | undefined;
  /** All options as the API shows them. */
  shown: Record<string, unknown>;
  /** Named beforehand, so that a second attempt finds what the first one finished. */
  resultModelId: string;
  resultName: string;
  /** The stored recipe that ordered it. */
  recipe?: RecipeName | null;
}
