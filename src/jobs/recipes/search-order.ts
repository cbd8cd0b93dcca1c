/** @file An optimization that is given a goal instead of steps: what it may lose, what is to be small; and what it found. */
import type { EvaluationRequest } from "../measure/order-evaluation.ts";
import type { Metric } from "../../evaluate/metric.ts";
import { ApiError } from "../../problem/api-error.ts";

/** As the API has it, defaults filled in. */
export interface SearchGoalOptions extends Omit<EvaluationRequest, "metrics"> {
  max_drop: number;
  metric: Metric;
  minimize: "bytes" | "latency";
  max_evaluations: number;
  /** Candidates that are not the best are deleted from the catalogue, or stay there. */
  keep: "best" | "all";
}

/** A point of the trade-off curve, or what was refused. */
export interface SearchTrial {
  /** `original`, or the method: `weight_only bits=4 block_size=32`; two of them: the second takes what the first leaves. */
  method: string;
  /** Nodes that the method left out. */
  excluded_nodes: number;
  /** Its job, with all its options; `null` for the original. */
  job_id: string | null;
  evaluation_job_id: string | null;
  /** Where the model is still there. */
  model_id: string | null;
  bytes: number | null;
  metric: number | null;
  /** Of one run, beside the original's in the same job; `null` where it was not asked for. */
  latency_ms: number | null;
  drop: number | null;
  meets: boolean;
  /** Nothing that was tried beats it in one respect without losing in the other. */
  on_curve: boolean;
  /** Why it was not measured. */
  refusal: string | null;
}

export interface SearchReport {
  metric: string;
  minimize: "bytes" | "latency";
  max_drop: number;
  /** Index into the trials; `null` where none is better than the original and meets the goal. */
  best: number | null;
  /** Names of the nodes that the best one's method leaves out. */
  excluded_nodes: string[];
  evaluations: number;
  /** There were more ideas than measurements. */
  exhausted: boolean;
  trials: SearchTrial[];
}

/** Steps at most: the original is measured, each candidate made by one method or two, and measured. */
export function stepsOfSearch({ max_evaluations, minimize }: SearchGoalOptions): number {
  return max_evaluations * (minimize === "latency" ? 4 : 3) - 2;
}

/** Says how near the nearest candidate came. */
export function missedGoal({ metric, max_drop, minimize, trials }: SearchReport): ApiError {
  const nearest = trials.slice(1).reduce<SearchTrial | undefined>((best, trial) => {
    if (trial.drop === null || (best && (best.drop ?? 0) <= trial.drop)) return best;
    return trial;
  }, undefined);
  if (!nearest) return new ApiError("nothing_to_gain", "no method could be measured on this model");
  if (nearest.meets) {
    return new ApiError(
      "nothing_to_gain",
      `nothing that meets the goal is better in ${minimize} than the original`,
    );
  }
  const { method, drop } = nearest;
  return new ApiError(
    "bound_missed",
    `${metric} drops by more than ${max_drop} with everything that was tried; with ${method} by ${drop}`,
  );
}
