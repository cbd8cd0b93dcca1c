/** @file What a task's result must look like, by kind. Numbers are finite: NaN and Inf are no JSON, nor is 1e999 one of these. */
import { z } from "zod";
import type { TaskKind } from "./protocol.ts";

const finite = z.number().refine(Number.isFinite, "must be finite");
const count = z.number().int().nonnegative();
const milliseconds = finite.nonnegative();

/** Latency of one model on this device, in milliseconds a run. */
const Latency = z.strictObject({
  runs: count.min(1),
  median_ms: milliseconds,
  p90_ms: milliseconds,
  min_ms: milliseconds,
  load_ms: milliseconds,
});

export const BenchmarkResult = z.strictObject({
  backend: z.string().max(50),
  device: z.string().max(200),
  result: Latency,
  original: Latency.nullable(),
});

export const EvaluateResult = z.strictObject({
  backend: z.string().max(50),
  rows: count,
  /** By the names that were asked for: shares from 0 to 1, means of losses. */
  metrics: z.record(z.string().max(50), finite),
});

/** Ranges of activations over the samples. */
export const CalibrateResult = z.strictObject({
  backend: z.string().max(50),
  /** What the model was run on. */
  inputs: z.string().max(200),
  made_up: z.boolean(),
  runs: count,
  /** By value name: the extremes, and the range that the method makes of the values. */
  values: z.record(
    z.string(),
    z.strictObject({ min: finite, max: finite, low: finite, high: finite }),
  ),
  /** Why a value has no range, by its name. */
  unusable: z.record(z.string(), z.string().max(200)),
});

export const VerifyResult = z.strictObject({
  backend: z.string().max(50),
  loaded: z.boolean(),
  ran: z.boolean(),
  reason: z.string().max(2000).nullable(),
  min_cosine: finite.nullable(),
  min_sqnr_db: finite.nullable(),
  outputs: z.array(
    z.strictObject({
      name: z.string(),
      cosine: finite.nullable(),
      sqnr_db: finite.nullable(),
      max_abs_error: finite.nullable(),
    }),
  ),
});

export const GradientResult = z.strictObject({ steps: count });

export const RESULTS = {
  benchmark: BenchmarkResult,
  evaluate: EvaluateResult,
  calibrate: CalibrateResult,
  verify: VerifyResult,
  gradient: GradientResult,
} as const satisfies Record<TaskKind, z.ZodType>;
