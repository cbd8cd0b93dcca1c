/** @file A model as the API shows it. */
import { z } from "@hono/zod-openapi";
import type { StoredModel } from "../store/models.ts";
import { seconds, Timestamp } from "./schemas.ts";

export const Value = z
  .object({
    name: z.string(),
    type: z.string().openapi({ example: "float32" }),
    shape: z
      .array(z.union([z.number(), z.string(), z.null()]))
      .nullable()
      .openapi({
        description: "Sizes, symbols, null where unknown.",
        example: ["batch", 3, 224, 224],
      }),
  })
  .openapi("Value");

/** A stored recipe, where it is said that something is its work. */
export const RecipeName = z.object({
  id: z.string(),
  name: z.string().openapi({ example: "small" }),
  version: z.number().int(),
});

const Sha256 = z.string().openapi({
  example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
});

export const Model = z
  .object({
    id: z.string().openapi({ example: "model_4k2v9x" }),
    object: z.literal("model"),
    name: z.string().openapi({ example: "resnet18.onnx" }),
    sha256: Sha256,
    bytes: z.number().int().openapi({ description: "Of the model and its external data." }),
    opset: z.number().int().nullable().openapi({ description: "Of ai.onnx.", example: 17 }),
    opsets: z.record(z.string(), z.number().int()),
    ir_version: z.number().int().openapi({ example: 8 }),
    producer: z.string().openapi({ example: "pytorch 2.13" }),
    nodes: z.number().int(),
    parameters: z.number().int().openapi({ description: "Elements of all weights." }),
    inputs: z.array(Value),
    outputs: z.array(Value),
    external_data: z.array(
      z.object({ location: z.string(), bytes: z.number().int(), sha256: Sha256 }),
    ),
    job_id: z.string().nullable().openapi({ description: "The job that made it." }),
    lineage: z
      .object({
        parent: z
          .string()
          .openapi({ description: "The model it was made of; deleted since, maybe." }),
        job: z.string(),
        operation: z.string().openapi({ example: "train" }),
        options: z.record(z.string(), z.unknown()),
        dataset: z.string().optional().openapi({ description: "Of a trained model." }),
        recipe: RecipeName.optional().openapi({
          description: "The stored recipe whose step, or whose search, made it.",
        }),
      })
      .nullable()
      .openapi({ description: "How a job made it; null for a model that was sent in." }),
    created_at: Timestamp,
  })
  .openapi("Model");

export function modelBody(model: StoredModel) {
  const main = model.files.find(({ location }) => location === "");
  const { description } = model;
  return {
    id: model.id,
    object: "model" as const,
    name: model.name,
    sha256: main?.sha256 ?? "",
    bytes: model.files.reduce((sum, { bytes }) => sum + bytes, 0),
    opset: description.opset,
    opsets: description.opsets,
    ir_version: description.ir_version,
    producer: description.producer,
    nodes: description.nodes,
    parameters: description.parameters,
    inputs: description.inputs,
    outputs: description.outputs,
    external_data: model.files
      .filter(({ location }) => location !== "")
      .map(({ location, bytes, sha256 }) => ({ location, bytes, sha256 })),
    job_id: model.job_id,
    lineage: model.lineage,
    created_at: seconds(model.created_at),
  };
}
