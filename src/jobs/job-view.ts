/** @file A job: what its object keeps, and what the API shows of it. */
import type { CompressRequest } from "../compress/types.ts";
import type { Problem } from "../problem/api-error.ts";
import type { Headline } from "../problem/report-body.ts";
import type { MeasurementView } from "./measure/measurement.ts";
import type { OptimizeView, RecipeName } from "./recipes/recipe.ts";
import type { TrainingView } from "./training/training-view.ts";

export const JOB_STATES = ["queued", "running", "succeeded", "failed", "canceled"] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface JobResult {
  model_id: string;
  report_id: string;
  report: Headline;
}

/** What the API shows of every job; times are Unix seconds. */
export interface AnyJobView {
  id: string;
  object: "job";
  model_id: string;
  options: Record<string, unknown>;
  state: JobState;
  progress: { fraction: number; doing: string };
  /** How often the work was begun. */
  attempts: number;
  error: Problem | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
}

export interface CompressionView extends AnyJobView {
  operation: CompressRequest["operation"];
  result: JobResult | null;
}

export type JobView = CompressionView | TrainingView | MeasurementView | OptimizeView;

/** What the object is created with, and never changes. */
export interface CompressionOrder {
  id: string;
  workspace: string;
  modelId: string;
  request: CompressRequest;
  /** Named beforehand, so that a second attempt finds what the first one finished. */
  resultModelId: string;
  resultName: string;
  reportId: string;
  /** The stored recipe that ordered it. */
  recipe?: RecipeName | null;
}

export interface JobEvent {
  id: number;
  type: "state" | "progress" | "metrics";
  data: unknown;
}

export function isOver(state: JobState): boolean {
  return state === "succeeded" || state === "failed" || state === "canceled";
}

export function newCompressionView({ id, modelId, request }: CompressionOrder): CompressionView {
  return {
    ...queued(id, modelId, request.options),
    operation: request.operation,
    progress: { fraction: 0, doing: "waiting" },
    result: null,
  };
}

/** What every job starts with. */
export function queued(id: string, modelId: string, options: Record<string, unknown>) {
  return {
    id,
    object: "job" as const,
    model_id: modelId,
    options,
    state: "queued" as JobState,
    attempts: 0,
    error: null,
    created_at: Math.floor(Date.now() / 1000),
    started_at: null,
    finished_at: null,
  };
}
