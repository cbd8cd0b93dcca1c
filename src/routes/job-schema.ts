/** @file A job as the API shows it. */
import { z } from "@hono/zod-openapi";
import { JOB_STATES, type JobView } from "../jobs/job-view.ts";
import { MEASUREMENTS } from "../jobs/measure/measurement.ts";
import { RECIPE_OPS, STEP_STATES } from "../jobs/recipes/recipe.ts";
import { RESULTS } from "../runner/results.ts";
import { RecipeName } from "./model-schema.ts";
import { CompressionOperation, ReportSummary } from "./report-schema.ts";
import { SearchReport } from "./search-goal.ts";
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
    operation: CompressionOperation,
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

const MEASURED = [RESULTS.benchmark, RESULTS.verify, RESULTS.evaluate, RESULTS.calibrate] as const;

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
    result: z.union([...MEASURED, z.null()]),
  })
  .openapi("MeasurementJob");

const StepResult = z
  .object({
    op: z.enum(RECIPE_OPS),
    job_id: z.string().openapi({ description: "The job that did it." }),
    model_id: z.string().openapi({ description: "What it made, or measured." }),
    sha256: z.string(),
    bytes: z.number().int(),
    ms: z.number().int(),
    cached: z.boolean().openapi({
      description: "The same step on the same bytes was done before, or was being done.",
    }),
    measured: z.union([...MEASURED, z.null()]),
  })
  .openapi("RecipeStepResult");

const OptimizeJob = z
  .object({
    ...common,
    operation: z.literal("optimize"),
    recipe: RecipeName.nullable().openapi({ description: "The stored recipe, if it is one." }),
    progress: z.object({
      fraction,
      doing: z.string().openapi({ example: "quantize: writing" }),
      steps: z.array(
        z.object({
          op: z.enum(RECIPE_OPS),
          state: z.enum(STEP_STATES),
          job_id: z.string().nullable(),
          fraction,
          doing: z.string(),
          of: z.string().optional().openapi({ description: "Of a search: what it tries." }),
        }),
      ),
    }),
    attempts: z.number().int().openapi({ description: "How often its Workflow was begun." }),
    result: z
      .object({
        model_id: z.string(),
        bytes_before: z.number().int(),
        bytes: z.number().int(),
        ratio: z.number(),
        steps: z.array(StepResult),
        search: SearchReport.optional().openapi({
          description: "Of a goal: all that was tried, and the trade-off curve.",
        }),
        lineage: z
          .array(z.string())
          .openapi({ description: "Models, from the one it began with to the result." }),
        links: z
          .object({
            expires_at: Timestamp,
            files: z.array(
              z.object({
                file: z.string(),
                bytes: z.number().int(),
                sha256: z.string(),
                place: z.string().openapi({ description: "An address that needs no key." }),
              }),
            ),
          })
          .optional()
          .openapi({ description: "For a hook that delivers by signed URL." }),
      })
      .nullable(),
  })
  .openapi("OptimizeJob");

export const JobOperation = z.enum([
  ...CompressionOperation.options,
  "train",
  ...MEASUREMENTS,
  "optimize",
]);

export const JobSchema = z
  .discriminatedUnion("operation", [CompressionJob, TrainingJob, MeasurementJob, OptimizeJob])
  .openapi("Job");

export function jobBody(view: JobView): z.infer<typeof JobSchema> {
  return view as z.infer<typeof JobSchema>;
}
