/** @file Options of a training that are objects of their own: loss, optimizer, schedule, adapters, rounding, teacher. */
import { z } from "@hono/zod-openapi";
import { LOSSES } from "../train/losses/loss-options.ts";
import { OPTIMIZERS, SCHEDULES } from "../train/optimizer-options.ts";
import { QAT_OP_TYPES } from "../train/options.ts";

export const id = (example: string) => z.string().min(1).max(64).openapi({ example });
export const name = z.string().min(1).max(256);
export const patterns = (description: string) =>
  z
    .array(name)
    .min(1)
    .max(256)
    .openapi({ description, example: ["fc*"] });
export const count = (max: number) => z.number().int().min(1).max(max);

const OutputLoss = z.templateLiteral(["output:", z.string().min(1)]);

export const Loss = z
  .union([
    z.enum(LOSSES),
    OutputLoss,
    z.strictObject({
      type: z.union([z.enum(LOSSES), OutputLoss]),
      output: name.optional().openapi({ description: "Output that it reads; default the first." }),
      from_logits: z.boolean().optional(),
      label_smoothing: z.number().min(0).lt(1).optional(),
      ignore_index: z.number().int().optional(),
      class_axis: z.number().int().optional(),
      delta: z.number().gt(0).optional().openapi({ description: "Of huber." }),
    }),
  ])
  .openapi({
    description:
      "Default cross_entropy; or an object of `type`, `output`, `from_logits`, `label_smoothing`, `ignore_index`, " +
      "`class_axis`, `delta`. `output:NAME` takes an output of the model as the loss.",
    example: "cross_entropy",
  });

const beta = z.number().min(0).lt(1);

export const Optimizer = z
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
    description:
      "Default adam; or an object of `type`, `lr`, `weight_decay`, `no_decay`, `momentum`, `dampening`, `nesterov`, " +
      "`betas`, `eps`, with torch.optim's defaults.",
    example: { type: "adamw", lr: 0.001 },
  });

export const Schedule = z
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
  .openapi({
    description:
      "Of the learning rate, default constant; or an object of `type`, `warmup_steps`, `step_size`, `gamma`, `min_lr`.",
    example: "cosine",
  });

export const Lora = z.union([
  z.boolean(),
  z.strictObject({
    rank: count(4096).optional(),
    alpha: z.number().gt(0).optional(),
    target: patterns("Weights or nodes.").optional(),
  }),
]);

export const Qat = z.union([
  z.boolean(),
  z.strictObject({
    activations: z.enum(["uint8", "int8", "none"]).optional(),
    per_channel: z.boolean().optional(),
    averaging: z.number().gt(0).max(1).optional(),
    op_types: z.array(z.enum(QAT_OP_TYPES)).min(1).optional(),
    nodes_to_exclude: patterns("Nodes that stay in float.").optional(),
  }),
]);

export const Teacher = z.strictObject({
  model: id("model_8c1d2e")
    .optional()
    .openapi({ description: "A stored model of the same inputs." }),
  field: name
    .optional()
    .openapi({ description: "Or the dataset's field with its outputs.", example: "teacher" }),
  temperature: z.number().gt(0).optional(),
  from_logits: z.boolean().optional(),
  alpha: z.number().gt(0).max(1).optional(),
});

export const Validation = z.union([
  z.strictObject({ fraction: z.number().gt(0).lt(1) }),
  z.strictObject({ dataset: id("dataset_7m3q1x") }),
]);
