/** @file The body of POST /v1/training-jobs: names, types and plain bounds; what depends on the model is checked with it. */
import { z } from "@hono/zod-openapi";
import { EXECUTORS, MAX_WORLD_SIZE, METRICS, MODES } from "../jobs/training/training-order.ts";
import { LINE_CODECS } from "../runner/vector-encoding.ts";
import {
  count,
  id,
  Lora,
  Loss,
  name,
  Optimizer,
  patterns,
  Qat,
  Schedule,
  Teacher,
  Validation,
} from "./training-parts.ts";

const TrainingFields = z.strictObject({
  model: id("model_4k2v9x")
    .optional()
    .openapi({ description: "Needed unless `resume_from` is given." }),
  dataset: id("dataset_2f9k4w")
    .optional()
    .openapi({ description: "Needed unless `resume_from` is given." }),
  name: z.string().min(1).max(200).optional().openapi({ description: "Of the resulting model." }),
  inputs: z
    .record(name, z.union([name, z.strictObject({ field: name, scale: z.number().optional() })]))
    .optional()
    .openapi({
      description:
        "Fields of the dataset by the model's inputs; default: the one of the input's name, else the only one that fits. " +
        "Numbers are multiplied by `scale`.",
      example: { x: { field: "image", scale: 0.00392156862745098 } },
    }),
  label: name.optional().openapi({
    description: "The field with the labels; default `label`, else the only one left.",
  }),
  validation: Validation.optional().openapi({
    description: "Rows to measure on after each epoch: a share of the dataset, or another one.",
    example: { fraction: 0.1 },
  }),
  metrics: z.array(z.enum(METRICS)).min(1).optional().openapi({
    description:
      "What is told of each epoch; default: the loss, and the accuracy where the loss is a classification.",
  }),
  shuffle: z
    .boolean()
    .optional()
    .openapi({ description: "New order of the rows in each epoch; default true." }),
  loss: Loss.optional(),
  optimizer: Optimizer.optional(),
  lr: z
    .number()
    .min(0)
    .optional()
    .openapi({ description: "The optimizer's learning rate, where `optimizer` is only a name." }),
  schedule: Schedule.optional(),
  clip_norm: z
    .number()
    .gt(0)
    .optional()
    .openapi({ description: "Largest L2 norm of the whole gradient; default: not clipped." }),
  accumulation_steps: count(10_000)
    .optional()
    .openapi({ description: "Batches whose gradients make one step; default 1." }),
  batch_size: count(1_000_000)
    .optional()
    .openapi({ description: "Rows of one rank's gradient; default 32." }),
  epochs: count(1_000_000).optional().openapi({ description: "Default 1; or `steps`." }),
  steps: count(1e9).optional().openapi({ description: "Steps of the optimizer." }),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional()
    .openapi({ description: "Orders the rows, draws dropout and adapters; default 0." }),
  trainable: patterns("Parameters to train; default all weights.").optional(),
  frozen: patterns("Parameters that stay.").optional(),
  lora: Lora.optional().openapi({
    description:
      "Trains low-rank adapters, merged at the end; or an object of `rank` (8), `alpha` (2 × rank), `target` (patterns).",
    example: { rank: 8 },
  }),
  keep_sparsity: z
    .boolean()
    .optional()
    .openapi({ description: "Zeros of weight matrices (of a pruned model) stay zero." }),
  qat: Qat.optional().openapi({
    description:
      "Trains through 8-bit rounding; the result is a QDQ model. Or an object of `activations`, `per_channel`, " +
      "`averaging`, `op_types`, `nodes_to_exclude`.",
  }),
  teacher: Teacher.optional().openapi({
    description:
      "Distillation from a stored `model` or from a `field` with its outputs; `temperature` (2), `from_logits`, `alpha` (0.5).",
  }),
  batch_normalization: z
    .enum(["train", "frozen"])
    .optional()
    .openapi({ description: "With the batch's statistics (default), or with the running ones." }),
  dropout: z
    .boolean()
    .optional()
    .openapi({ description: "The model's Dropout nodes drop; default true." }),
  mode: z.enum(MODES).optional().openapi({ description: "Default sync." }),
  world_size: count(MAX_WORLD_SIZE).optional().openapi({ description: "Ranks; default 1." }),
  allreduce: z
    .strictObject({
      algorithm: z.enum(["direct", "ring"]).optional(),
      compression: z.enum(["none", "float16", "bfloat16", "int8", "top_k"]).optional(),
    })
    .optional()
    .openapi({
      description:
        "`algorithm`: direct or ring (default: the faster one); `compression`: none, float16, bfloat16, int8, top_k.",
    }),
  max_staleness: z
    .number()
    .int()
    .min(0)
    .max(1000)
    .optional()
    .openapi({ description: "async: steps that a rank may be ahead of the slowest; default 4." }),
  local_steps: count(100_000).optional().openapi({
    description:
      "local_sgd: steps between two exchanges; default: as many as leave these a tenth of the time in one region.",
  }),
  outer_lr: z.number().gt(0).max(10).optional().openapi({ description: "local_sgd; default 0.7." }),
  outer_momentum: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .openapi({ description: "local_sgd, Nesterov; default 0.9." }),
  executor: z
    .enum(EXECUTORS)
    .optional()
    .openapi({
      description:
        "Who computes gradients: `edge` (default), the service itself; `runner`, connected runners, one for each rank, " +
        "which the training waits for; `auto`, runners as they come and go, else the service.",
    }),
  runners: z
    .strictObject({ compression: z.enum(LINE_CODECS).optional() })
    .optional()
    .openapi({
      description:
        "Their lines: `compression` of gradients and new parameters: none (default), float16, bfloat16, with error feedback.",
    }),
  checkpoint_every: count(1e9)
    .optional()
    .openapi({ description: "Steps between checkpoints that are kept; default: only the last." }),
  resume_from: z
    .strictObject({ job: id("job_9d4w"), step: z.number().int().min(1) })
    .optional()
    .openapi({
      description:
        "A checkpoint of another job to go on from. Model, dataset and options are that job's unless given.",
    }),
});

export const TrainingRequest = TrainingFields.openapi("TrainingRequest", {
  example: {
    model: "model_4k2v9x",
    dataset: "dataset_2f9k4w",
    world_size: 4,
    epochs: 5,
    optimizer: { type: "adamw", lr: 0.001 },
    validation: { fraction: 0.1 },
  },
});
export type TrainingRequestBody = z.infer<typeof TrainingFields>;
export const TRAINING_OPTION_NAMES = Object.keys(TrainingFields.shape);
