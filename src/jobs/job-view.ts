/** @file A job: what its object keeps, and what the API shows of it. */
import type { CompressRequest } from "../compress/types.ts";
import type { Problem } from "../problem/api-error.ts";
import type { Headline } from "../problem/report-body.ts";

export const JOB_STATES = ["queued", "running", "succeeded", "failed", "canceled"] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface JobResult {
  model_id: string;
  report_id: string;
  report: Headline;
}

/** As the API shows it; times are Unix seconds. */
export interface JobView {
  id: string;
  object: "job";
  operation: CompressRequest["operation"];
  model_id: string;
  options: Record<string, unknown>;
  state: JobState;
  progress: { fraction: number; doing: string };
  /** How often the work was begun. */
  attempts: number;
  result: JobResult | null;
  error: Problem | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
}

/** What the object is created with, and never changes. */
export interface JobOrder {
  id: string;
  workspace: string;
  modelId: string;
  request: CompressRequest;
  /** Named beforehand, so that a second attempt finds what the first one finished. */
  resultModelId: string;
  resultName: string;
  reportId: string;
}

export interface JobEvent {
  id: number;
  type: "state" | "progress";
  data: unknown;
}

export function isOver(state: JobState): boolean {
  return state === "succeeded" || state === "failed" || state === "canceled";
}

export function newJobView({ id, modelId, request }: JobOrder): JobView {
  return {
    id,
    object: "job",
    operation: request.operation,
    model_id: modelId,
    options: request.options,
    state: "queued",
    progress: { fraction: 0, doing: "waiting" },
    attempts: 0,
    result: null,
    error: null,
    created_at: Math.floor(Date.now() / 1000),
    started_at: null,
    finished_at: null,
  };
}
