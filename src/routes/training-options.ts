/** @file The body of POST /v1/training-jobs: names, types and plain bounds; what depends on the model is checked with it. */
import { z } from "@hono/zod-openapi";
import { MAX_WORLD_SIZE, MODES } from "../jobs/training/training-order.ts";
import { LOSSES } from "../train/losses/loss-options.ts";
import { OPTIMIZERS, SCHEDULES } from "../train/optimizer-options.ts";
import { QAT_OP_TYPES } from "../train/options.ts";

const id = (example: string) => z.string().min(1).max(64).openapi({ example });
const name = z.string().min(1).max(1000);
const patterns = (description: string) =>
  z
    .array(name)
    .min(1)
    .max(1000)
    .openapi({ description, example: ["fc*"] });
const count = (max: number) => z.number().int().min(1).max(max);

const Loss = z
  .union([
    z.enum(LOSSES),
    z.strictObject({
      type: z.union([z.enum(LOSSES), z.templateLiteral(["output:", z.string().min(1)])]),
      output: name.optional().openapi({ description: "Output that it reads; default the first." }),
      from_logits: z.boolean().optional(),
      label_smoothing: z.number().min(0).lt(1).optional(),
      ignore_index: z.number().int().optional(),
      class_axis: z.number().int().optional(),
      delta: z.number().gt(0).optional().openapi({ description: "Of huber." }),
    }),
  ])
  .openapi({ description: "Default cross_entropy.", example: "cross_entropy" });

const beta = z.number().min(0).lt(1);

const Optimizer = z
  .union([
    z.enum(OPTIMIZERS),
    z.strictObject({
      type: z.enum(OPTIMIZERS),
      lr: z.number().min(0).optional(),
      weight_decay: z.number().min(0).optional(),
      no_decay: patterns("Parameters without weight decay.").optional(),
      momentum: z.number().min(0).lt(1).optional(),
      dampening: z.number().min(0).max(1).optional(),
      nesterov: z.boolean().optional(),
      betas: z.tuple([beta, beta]).optional(),
      eps: z.number().min(0).optional(),
    }),
  ])
  .openapi({
    description: "Default adam; torch.optim's defaults.",
    example: { type: "adamw", lr: 0.001 },
  });

const Schedule = z
  .union([
    z.enum(SCHEDULES),
    z.strictObject({
      type: z.enum(SCHEDULES),
      warmup_steps: z.number().int().min(0).optional(),
      step_size: count(1e9).optional(),
      gamma: z.number().gt(0).max(1).optional(),
      min_lr: z.number().min(0).optional(),
    }),
  ])
  .openapi({ description: "Of the learning rate; default constant.", example: "cosine" });

const Lora = z.union([
  z.boolean(),
  z.strictObject({
    rank: count(4096).optional(),
    alpha: z.number().gt(0).optional(),
    target: patterns("Weights or nodes.").optional(),
  }),
]);

const Qat = z.union([
  z.boolean(),
  z.strictObject({
    activations: z.enum(["uint8", "int8", "none"]).optional(),
    per_channel: z.boolean().optional(),
    averaging: z.number().gt(0).max(1).optional(),
    op_types: z.array(z.enum(QAT_OP_TYPES)).min(1).optional(),
    nodes_to_exclude: patterns("Nodes that stay in float.").optional(),
  }),
]);

const Teacher = z.strictObject({
  model: id("model_8c1d2e")
    .optional()
    .openapi({ description: "A stored model of the same inputs." }),
  field: name
    .optional()
    .openapi({ description: "Or the dataset's field with its outputs.", example: "teacher" }),
  temperature: z.number().gt(0).optional(),
  alpha: z.number().gt(0).max(1).optional(),
});

const Validation = z.union([
  z.strictObject({ fraction: z.number().gt(0).lt(1) }),
  z.strictObject({ dataset: id("dataset_7m3q1x") }),
]);

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
  shuffle: z
    .boolean()
    .optional()
    .openapi({ description: "New order of the rows in each epoch; default true." }),
  loss: Loss.optional(),
  optimizer: Optimizer.optional(),
  schedule: Schedule.optional(),
  clip_norm: z.number().gt(0).optional(),
  accumulation_steps: count(10_000).optional(),
  batch_size: count(1_000_000)
    .optional()
    .openapi({ description: "Rows of one rank's gradient; default 32." }),
  epochs: count(1_000_000).optional().openapi({ description: "Default 1; or `steps`." }),
  steps: count(1e9).optional(),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional(),
  trainable: patterns("Parameters to train; default all weights.").optional(),
  frozen: patterns("Parameters that stay.").optional(),
  lora: Lora.optional().openapi({
    description: "Trains low-rank adapters, merged at the end.",
    example: { rank: 8 },
  }),
  keep_sparsity: z
    .boolean()
    .optional()
    .openapi({ description: "Zeros of weight matrices (of a pruned model) stay zero." }),
  qat: Qat.optional().openapi({
    description: "Trains through 8-bit rounding; the result is a QDQ model.",
  }),
  teacher: Teacher.optional().openapi({ description: "Distillation." }),
  batch_normalization: z.enum(["train", "frozen"]).optional(),
  mode: z.enum(MODES).optional().openapi({ description: "Default sync." }),
  world_size: count(MAX_WORLD_SIZE).optional().openapi({ description: "Ranks; default 1." }),
  allreduce: z
    .strictObject({
      algorithm: z.enum(["direct", "ring"]).optional(),
      compression: z.enum(["none", "float16", "bfloat16", "int8", "top_k"]).optional(),
    })
    .optional(),
  max_staleness: z
    .number()
    .int()
    .min(0)
    .max(1000)
    .optional()
    .openapi({ description: "async: steps that a rank may be ahead of the slowest; default 4." }),
  local_steps: count(100_000)
    .optional()
    .openapi({ description: "local_sgd: steps between two exchanges; default: as many as leave these a tenth of the time in one region." }),
  outer_lr: z.number().gt(0).max(10).optional().openapi({ description: "local_sgd; default 0.7." }),
  outer_momentum: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .openapi({ description: "local_sgd, Nesterov; default 0.9." }),
  executor: z.enum(["edge", "runner"]).optional().openapi({ description: "Default edge." }),
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

export const TrainingRequest = TrainingFields.openapi("TrainingRequest");
export type TrainingRequestBody = z.infer<typeof TrainingFields>;
export const TRAINING_OPTION_NAMES = Object.keys(TrainingFields.shape);
