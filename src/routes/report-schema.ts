/** @file The report of a compression as the API shows it (`reportBody` makes it). */
import { z } from "@hono/zod-openapi";

const decibels = z.number().nullable().openapi({
  description: "10·log10 of signal over error power, in dB; null where exact or without meaning.",
  example: 41.7,
});
const cosine = z.number().nullable().openapi({ example: 0.99996 });

export const CompressionOperation = z.enum(["quantize", "prune", "simplify"]);

export const Report = z
  .object({
    object: z.literal("report"),
    operation: CompressionOperation,
    method: z.string().openapi({ example: "weight_only" }),
    options: z.record(z.string(), z.unknown()),
    bytes_before: z.number().int(),
    bytes_after: z.number().int(),
    ratio: z.number().openapi({ description: "Before / after.", example: 3.74 }),
    verification: z.object({
      loaded: z.boolean().openapi({ description: "ONNX Runtime loaded the result." }),
      ran: z.boolean().openapi({ description: "The result was run beside the original." }),
      reason: z.string().nullable().openapi({ description: "Why it was not." }),
      runtime: z.string().nullable(),
      inputs: z.string().nullable(),
      min_cosine: cosine,
      min_sqnr_db: decibels,
      outputs: z.array(
        z.object({
          name: z.string(),
          data_type: z.string(),
          dims: z.array(z.number()),
          cosine,
          sqnr_db: decibels,
          max_abs_error: z.number().nullable(),
          argmax_agreement: z.number().nullable(),
          equal: z.number().nullable(),
        }),
      ),
    }),
    tried: z.array(
      z.object({
        method: z.string(),
        bytes: z.number().nullable(),
        min_sqnr_db: decibels,
        min_cosine: cosine,
        outcome: z.enum(["chosen", "refused", "failed"]),
        reason: z.string().nullable(),
      }),
    ),
    changed: z.array(
      z.object({
        name: z.string(),
        node: z.string(),
        method: z.string(),
        dims: z.array(z.number()),
        from: z.string(),
        to: z.string(),
        bytes_before: z.number(),
        bytes_after: z.number(),
        sqnr_db: decibels,
      }),
    ),
    kept: z.array(z.object({ name: z.string(), reason: z.string() })),
    activations: z
      .array(
        z.object({
          name: z.string(),
          type: z.enum(["int8", "uint8"]),
          low: z.number().openapi({ description: "The range that calibration found." }),
          high: z.number(),
          scale: z.number(),
          zero_point: z.number().int(),
          shared_with: z
            .string()
            .nullable()
            .openapi({ description: "The value whose scale it takes." }),
        }),
      )
      .openapi({ description: "Activations that are 8-bit now (static quantization)." }),
    notes: z.array(z.string()),
    simplification: z
      .object({
        nodes_before: z.number().int(),
        nodes_after: z.number().int(),
        op_types: z
          .array(
            z.object({
              op_type: z.string(),
              before: z.number().int(),
              after: z.number().int(),
            }),
          )
          .openapi({ description: "Nodes by op type, those of subgraphs too." }),
        passes: z
          .array(z.object({ name: z.string(), changes: z.number().int() }))
          .openapi({ description: "What each pass changed, over all rounds." }),
        rounds: z.number().int(),
      })
      .nullable()
      .openapi({ description: "What became of the graph; null for other operations." }),
  })
  .openapi("Report");

/** The headline, also in the `Hone-Report` header. */
export const ReportSummary = z
  .object({
    operation: CompressionOperation,
    method: z.string(),
    bytes_before: z.number().int(),
    bytes_after: z.number().int(),
    ratio: z.number(),
    verified: z.boolean(),
    min_cosine: cosine,
    min_sqnr_db: decibels,
    changed: z.number().int().openapi({ description: "How many weights." }),
    kept: z.number().int(),
    nodes_before: z.number().int().optional().openapi({ description: "Of `simplify` alone." }),
    nodes_after: z.number().int().optional(),
  })
  .openapi("ReportSummary");
