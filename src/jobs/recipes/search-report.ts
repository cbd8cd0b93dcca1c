/** @file What a search found, as the job shows it. */
import type { PlannedMethod } from "../../search/methods.ts";
import { type Candidate, type Found, onCurve, type Outcome } from "../../search/trial.ts";
import type { StepResult } from "./recipe.ts";
import type { SearchGoalOptions, SearchReport, SearchTrial } from "./search-order.ts";

/** A trial, and the steps that measured it. */
export interface MeasuredTrial {
  candidate: Candidate | null;
  /** Indexes of the optimization's steps. */
  steps: number[];
  /** Of those that succeeded. */
  results: Omit<StepResult, "ms">[];
  outcome: Outcome;
}

/** @param measured in the order of the search's trials */
export function searchReport(
  goal: SearchGoalOptions,
  methods: readonly PlannedMethod[],
  found: Found,
  measured: readonly MeasuredTrial[],
): { report: SearchReport; best: MeasuredTrial | undefined } {
  const { metric, minimize, max_drop, keep } = goal;
  const curve = onCurve(goal, found.trials);
  const trials = found.trials.map(({ candidate, outcome, drop, meets }, index): SearchTrial => {
    const results = measured[index]?.results ?? [];
    const of = (op: StepResult["op"]) => results.find((result) => result.op === op);
    const [made, evaluated] = [of("quantize"), of("evaluate")];
    const figures = "refused" in outcome ? undefined : outcome;
    const stays = keep === "all" || made?.cached === true || index === found.best;
    return {
      method: candidate ? (methods[candidate.method]?.what ?? "") : "original",
      excluded_nodes: candidate?.excluded.length ?? 0,
      job_id: made?.job_id ?? null,
      evaluation_job_id: evaluated?.job_id ?? null,
      model_id: candidate ? (stays && made?.model_id) || null : (evaluated?.model_id ?? null),
      bytes: figures?.bytes ?? null,
      metric: figures?.metric ?? null,
      latency_ms: figures?.latencyMs ?? null,
      drop,
      meets,
      on_curve: curve[index] ?? false,
      refusal: "refused" in outcome ? outcome.refused : null,
    };
  });
  const best = found.best === undefined ? undefined : measured[found.best];
  return {
    report: {
      metric,
      minimize,
      max_drop,
      best: found.best ?? null,
      excluded_nodes: [...(best?.candidate?.excluded ?? [])],
      evaluations: trials.length,
      exhausted: found.exhausted,
      trials,
    },
    best,
  };
}
