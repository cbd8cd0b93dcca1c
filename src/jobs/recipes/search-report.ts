/** @file What a search found, as the job shows it. */
import { candidateName, type PlannedMethod } from "../../search/methods.ts";
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

/** Ids of the models that the search itself made; others had made the same before, or were at it. */
export function ownModels(measured: readonly MeasuredTrial[]): Set<string> {
  const made = measured.flatMap(({ results }) => results.filter(isMade));
  return new Set(made.filter(({ cached }) => !cached).map(({ model_id }) => model_id));
}

const isMade = ({ op }: Pick<StepResult, "op">): boolean => op === "quantize";

/** @param measured in the order of the search's trials */
export function searchReport(
  goal: SearchGoalOptions,
  methods: readonly PlannedMethod[],
  found: Found,
  measured: readonly MeasuredTrial[],
): { report: SearchReport; best: MeasuredTrial | undefined } {
  const { metric, minimize, max_drop, keep } = goal;
  const curve = onCurve(goal, found.trials);
  const best = found.best === undefined ? undefined : measured[found.best];
  const gone = keep === "all" ? new Set<string>() : ownModels(measured);
  gone.delete(best?.results.findLast(isMade)?.model_id ?? "");
  const trials = found.trials.map(({ candidate, outcome, drop, meets }, index): SearchTrial => {
    const results = measured[index]?.results ?? [];
    const made = results.findLast(isMade);
    const evaluated = results.find(({ op }) => op === "evaluate");
    const figures = "refused" in outcome ? undefined : outcome;
    const model = candidate ? made?.model_id : evaluated?.model_id;
    return {
      method: candidate ? candidateName(methods, candidate) : "original",
      excluded_nodes: candidate?.excluded.length ?? 0,
      job_id: made?.job_id ?? null,
      evaluation_job_id: evaluated?.job_id ?? null,
      model_id: model === undefined || gone.has(model) ? null : model,
      bytes: figures?.bytes ?? null,
      metric: figures?.metric ?? null,
      latency_ms: figures?.latencyMs ?? null,
      drop,
      meets,
      on_curve: curve[index] ?? false,
      refusal: "refused" in outcome ? outcome.refused : null,
    };
  });
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
