/** @file The body of POST /v1/models/{id}/evaluate. */
import { z } from "@hono/zod-openapi";
import { type Metric, METRIC_PATTERN } from "../evaluate/metric.ts";
import { EXECUTORS } from "../jobs/measure/measurement.ts";
import { Backend } from "../runner/protocol.ts";
import { LOSSES } from "../train/losses/loss-options.ts";
import { TrainingRequest } from "./training-options.ts";
import { count, id, name } from "./training-parts.ts";

/** Where a measurement is done. */
export const place = {
  executor: z.enum(EXECUTORS).default("auto").openapi({
    description: "`auto`: a runner that has what it takes, else the Worker (small models).",
  }),
  backend: Backend.optional().openapi({
    description: "Only there. `wasm` is what the Worker has.",
    example: "webgpu",
  }),
};

const { inputs, label } = TrainingRequest.shape;

/** A key of records. */
export const MetricKey = z
  .string()
  .regex(METRIC_PATTERN, `must be accuracy, top_K_accuracy, ${LOSSES.join(", ")}`);
export const MetricName = MetricKey.transform((metric) => metric as Metric).openapi({
  type: "string",
  pattern: METRIC_PATTERN.source,
  example: "accuracy",
});

/** Which rows, and how they are judged. */
export const judged = {
  dataset: id("dataset_2f9k4w"),
  inputs,
  label,
  output: name.optional().openapi({ description: "What is judged; default the first output." }),
  from_logits: z.boolean().optional().openapi({
    description:
      "The output holds logits, not probabilities; default: unless it is a Softmax's or a Sigmoid's.",
  }),
  class_axis: z.number().int().optional().openapi({
    description: "Of the output; default: found by the shape of the labels.",
  }),
  ignore_index: z
    .number()
    .int()
    .optional()
    .openapi({ description: "A label that does not count; default -100." }),
  delta: z.number().gt(0).optional().openapi({ description: "Of huber; default 1." }),
  batch_size: count(100_000).optional().openapi({
    description: "Rows fed at once; default 32, or what the model fixes.",
  }),
  split: z
    .strictObject({
      fraction: z.number().gt(0).lt(1),
      seed: z
        .number()
        .int()
        .min(0)
        .max(2 ** 32 - 1)
        .default(0),
    })
    .optional()
    .openapi({
      description:
        "Only the rows that a training with this `validation.fraction` and `seed` does not train on.",
      example: { fraction: 0.1, seed: 0 },
    }),
  limit: count(2 ** 32)
    .optional()
    .openapi({ description: "Only the first so many rows." }),
};

export const Evaluate = z
  .strictObject({
    ...judged,
    metrics: z
      .array(MetricName)
      .min(1)
      .max(16)
      .optional()
      .openapi({
        description:
          "`accuracy`, `top_K_accuracy`, or a loss of training by its name. Default: accuracy where the labels are " +
          "whole numbers, else mse and l1.",
        example: ["accuracy", "top_5_accuracy", "cross_entropy"],
      }),
    ...place,
  })
  .openapi("EvaluateRequest", {
    example: { dataset: "dataset_2f9k4w", metrics: ["accuracy", "cross_entropy"] },
  });
