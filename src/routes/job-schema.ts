/** @file A job as the API shows it. */
import { z } from "@hono/zod-openapi";
import { JOB_STATES, type JobView } from "../jobs/job-view.ts";
import { MEASUREMENTS } from "../jobs/measure/measurement.ts";
import { RESULTS } from "../runner/results.ts";
import { ReportSummary } from "./report-schema.ts";
import { ProblemSchema, Timestamp } from "./schemas.ts";

export const JobState = z.enum(JOB_STATES);

const common = {
  id: z.string().openapi({ example: "job_9d4w" }),
  object: z.literal("job"),
  model_id: z.string().openapi({ example: "model_4k2v9x" }),
  options: z.record(z.string(), z.unknown()),
  state: JobState,
  error: z.union([ProblemSchema, z.null()]),
  created_at: Timestamp,
  started_at: Timestamp.nullable(),
  finished_at: Timestamp.nullable(),
};

const fraction = z.number().min(0).max(1);

const CompressionJob = z
  .object({
    ...common,
    operation: z.enum(["quantize", "prune"]),
    progress: z.object({ fraction, doing: z.string().openapi({ example: "writing" }) }),
    attempts: z.number().int().openapi({ description: "How often the work was begun; at most 3." }),
    result: z
      .object({
        model_id: z.string(),
        report_id: z.string().openapi({ description: "The full report, at /v1/reports/{id}." }),
        report: ReportSummary,
      })
      .nullable(),
  })
  .openapi("CompressionJob");

const EpochMetrics = z
  .object({
    epoch: z.number().int(),
    step: z.number().int().openapi({ description: "The last step of the epoch." }),
    loss: z.number(),
    accuracy: z
      .number()
      .nullable()
      .openapi({ description: "Null where the loss is no classification." }),
    validation_loss: z.number().nullable(),
    validation_accuracy: z.number().nullable(),
  })
  .openapi("EpochMetrics");

const RankFigures = z
  .object({
    rank: z.number().int(),
    step: z.number().int(),
    executor: z
      .string()
      .openapi({ description: "Who computed its last gradient: `edge`, or a runner's id." }),
    compute_ms: z.number().openapi({ description: "Of one step." }),
    allreduce_ms: z.number().openapi({
      description: "The rest of the step: the exchange, with waiting for other ranks.",
    }),
    wait_ms: z.number().openapi({ description: "Waiting for rows." }),
    staleness: z.number().int().nullable().openapi({ description: "Of mode async." }),
    bytes_sent: z.number().int(),
  })
  .openapi("RankFigures");

const TrainingJob = z
  .object({
    ...common,
    operation: z.literal("train"),
    dataset_id: z.string().openapi({ example: "dataset_2f9k4w" }),
    progress: z.object({
      fraction,
      doing: z.string().openapi({ example: "training" }),
      step: z.number().int().openapi({ description: "Finished steps, of the slowest rank." }),
      steps: z.number().int(),
      epoch: z.number().int(),
      loss: z.number().nullable(),
      samples_per_second: z.number().nullable(),
      bytes_reduced: z.number().int().openapi({ description: "Sent by the ranks to each other." }),
      ranks: z.array(RankFigures),
    }),
    attempts: z.number().int().openapi({
      description: "How often the ranks were brought together: once, and after each fault.",
    }),
    metrics: z.array(EpochMetrics),
    checkpoint_step: z
      .number()
      .int()
      .nullable()
      .openapi({ description: "The latest checkpoint: what `resume_from` can name." }),
    result: z
      .object({
        model_id: z.string(),
        step: z.number().int(),
        metrics: EpochMetrics.nullable(),
      })
      .nullable(),
  })
  .openapi("TrainingJob");

const MeasurementJob = z
  .object({
    ...common,
    operation: z.enum(MEASUREMENTS),
    progress: z.object({ fraction, doing: z.string().openapi({ example: "timing the model" }) }),
    attempts: z.number().int(),
    executor: z
      .string()
      .nullable()
      .openapi({ description: "Where it is done: `edge`, `runner`, at the end the runner's id." }),
    result: z.union([RESULTS.benchmark, RESULTS.verify, z.null()]),
  })
  .openapi("MeasurementJob");

export const JobOperation = z.enum(["quantize", "prune", "train", ...MEASUREMENTS]);

export const JobSchema = z
  .discriminatedUnion("operation", [CompressionJob, TrainingJob, MeasurementJob])
  .openapi("Job");

export function jobBody(view: JobView): z.infer<typeof JobSchema> {
  return view as z.infer<typeof JobSchema>;
}
