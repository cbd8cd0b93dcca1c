/** @file A goal for an optimization: how much a metric may drop, and what is to be small; and what a search found. */
import { z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { judged, MetricName, place } from "./evaluate-options.ts";
import { invalidRequest } from "./validation.ts";

const MINIMIZED = ["bytes", "latency"] as const;

export const SearchGoal = z
  .strictObject({
    max_drop: z.number().min(0).openapi({
      description: "How much worse than the original's the metric may be, in its own unit.",
      example: 0.01,
    }),
    metric: MetricName,
    ...judged,
    minimize: z.enum(MINIMIZED).default("bytes").openapi({
      description: "`latency`: the median of one run, beside the original's in the same job.",
    }),
    max_evaluations: z.number().int().min(2).max(100).default(24).openapi({
      description: "Models that are made and measured at most, the original included.",
    }),
    keep: z.enum(["best", "all"]).default("best").openapi({
      description: "Models of other candidates are deleted at the end, or stay in the catalogue.",
    }),
    ...place,
  })
  .openapi("SearchGoal", {
    example: {
      max_drop: 0.01,
      metric: "accuracy",
      dataset: "dataset_2f9k4w",
      minimize: "bytes",
    } as never,
  });

export type SearchGoal = z.infer<typeof SearchGoal>;

/** @throws ApiError naming every option at fault */
export function requireGoal(value: unknown): SearchGoal {
  const given = SearchGoal.safeParse(value);
  if (given.success) return given.data;
  const refused = invalidRequest(given.error.issues, "json", Object.keys(SearchGoal.shape));
  const errors = (refused.members.errors ?? []).map(({ path, message }) => ({
    path: path ? `goal.${path}` : "goal",
    message,
  }));
  throw new ApiError(refused.code, `goal: ${refused.message.replace(/^body: /, "")}`, { errors });
}

/** What a search would try. */
export const SearchPlan = z
  .object({
    max_evaluations: z.number().int(),
    candidates: z.array(
      z.object({
        method: z.string().openapi({ example: "weight_only bits=4 block_size=32" }),
        options: z.record(z.string(), z.unknown()),
        bytes: z.number().int().openapi({ description: "Of the whole model under it." }),
        nodes: z.number().int().openapi({ description: "Nodes that can be left as they are." }),
      }),
    ),
    refused: z.array(z.object({ method: z.string(), reason: z.string() })),
  })
  .openapi("SearchPlan");

const SearchTrial = z
  .object({
    method: z.string().openapi({
      description: "`…, then weight_only`: a second method took what the first one left out.",
      example: "weight_only bits=4 block_size=32",
    }),
    excluded_nodes: z.number().int().openapi({ description: "Left out by the method." }),
    job_id: z.string().nullable().openapi({ description: "What made it, with all its options." }),
    evaluation_job_id: z.string().nullable(),
    model_id: z.string().nullable().openapi({ description: "Where the model is still there." }),
    bytes: z.number().int().nullable(),
    metric: z.number().nullable(),
    latency_ms: z.number().nullable().openapi({ description: "Where latency is minimized." }),
    drop: z.number().nullable().openapi({ description: "Below zero where it is better." }),
    meets: z.boolean(),
    on_curve: z.boolean().openapi({
      description: "Nothing that was tried beats it in one respect without losing in the other.",
    }),
    refusal: z.string().nullable().openapi({ description: "Why it was not measured." }),
  })
  .openapi("SearchTrial");

export const SearchReport = z
  .object({
    metric: z.string(),
    minimize: z.enum(MINIMIZED),
    max_drop: z.number(),
    best: z.number().int().nullable().openapi({ description: "Index into the trials." }),
    excluded_nodes: z.array(z.string()).openapi({ description: "Of the best." }),
    evaluations: z.number().int(),
    exhausted: z.boolean().openapi({ description: "There were more ideas than evaluations." }),
    trials: z
      .array(SearchTrial)
      .openapi({ description: "As they were tried, the original first." }),
  })
  .openapi("SearchReport");
