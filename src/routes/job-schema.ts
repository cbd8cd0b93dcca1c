/** @file A job as the API shows it. */
import { z } from "@hono/zod-openapi";
import { JOB_STATES, type JobView } from "../jobs/job-view.ts";
import { ReportSummary } from "./report-schema.ts";
import { ProblemSchema, Timestamp } from "./schemas.ts";

export const JobState = z.enum(JOB_STATES);

export const JobSchema = z
  .object({
    id: z.string().openapi({ example: "job_9d4w" }),
    object: z.literal("job"),
    operation: z.enum(["quantize", "prune"]),
    model_id: z.string().openapi({ example: "model_4k2v9x" }),
    options: z.record(z.string(), z.unknown()),
    state: JobState,
    progress: z.object({
      fraction: z.number().min(0).max(1),
      doing: z.string().openapi({ example: "writing" }),
    }),
    attempts: z.number().int().openapi({ description: "How often the work was begun; at most 3." }),
    result: z
      .object({
        model_id: z.string(),
        report_id: z.string().openapi({ description: "The full report, at /v1/reports/{id}." }),
        report: ReportSummary,
      })
      .nullable(),
    error: z.union([ProblemSchema, z.null()]),
    created_at: Timestamp,
    started_at: Timestamp.nullable(),
    finished_at: Timestamp.nullable(),
  })
  .openapi("Job");

export function jobBody(view: JobView): z.infer<typeof JobSchema> {
  return view as z.infer<typeof JobSchema>;
}
