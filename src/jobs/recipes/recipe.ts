/** @file A recipe: steps on a model, each one's result the next one's model; and the job that carries one out. */
import type { CompressOperation } from "../../compress/types.ts";
import { sha256Hex } from "../../store/id.ts";
import type { ResultPlace } from "../hooks/hook.ts";
import { type AnyJobView, queued } from "../job-view.ts";
import type { SearchGoalOptions, SearchReport } from "./search-order.ts";

/** The options are those of the operation's own endpoint, checked by its schema. */
export type RecipeStep =
  | { op: CompressOperation | "train"; options: Record<string, unknown> }
  | { op: "verify" | "benchmark"; options: MeasureOptions }
  | { op: "evaluate"; options: Record<string, unknown> & MetricBounds };

export interface MeasureOptions extends Record<string, unknown> {
  /** `input`: the model that the recipe began with. */
  original?: string;
}

export const RECIPE_OPS = [
  "simplify",
  "quantize",
  "prune",
  "train",
  "verify",
  "benchmark",
  "evaluate",
] as const;
export type RecipeOp = (typeof RECIPE_OPS)[number];

/** What is done with a model: steps, or a search that finds them. */
export interface RecipeContent {
  /** None where there is a goal. */
  steps: RecipeStep[];
  goal?: SearchGoalOptions | undefined;
}

/** What an evaluation's metrics have to be, at least and at most. */
export interface MetricBounds {
  min?: Record<string, number>;
  max?: Record<string, number>;
}

/** Stands for the model that the recipe began with. */
export const INPUT = "input";

/** What is known of a stored recipe when it is used. */
export interface RecipeName {
  id: string;
  name: string;
  version: number;
}

export interface OptimizeOrder extends RecipeContent {
  id: string;
  workspace: string;
  modelId: string;
  bytes: number;
  recipe: RecipeName | null;
  /** Of the last model. */
  name: string | null;
  /** Of a hook, which wants the result elsewhere than in the catalogue, too. */
  delivery?: HookDelivery;
}

export interface HookDelivery {
  id: string;
  /** The result has addresses that need no key, for so long. */
  links?: { origin: string; expires_in_s: number };
}

/** `waiting` until the steps before it are done. */
export const STEP_STATES = ["waiting", "running", "succeeded", "failed", "canceled"] as const;

export interface StepProgress {
  op: RecipeOp;
  state: (typeof STEP_STATES)[number];
  job_id: string | null;
  fraction: number;
  doing: string;
  /** Of a search: what it tries. */
  of?: string;
}

/** Where a step stands, and what it is. */
export interface StepAt {
  index: number;
  step: RecipeStep;
  /** Of the model that it makes; `null`: by what it does. */
  name: string | null;
  of?: string;
}

export interface StepResult {
  op: RecipeOp;
  job_id: string;
  /** The step's new model; of a measurement the model that it measured. */
  model_id: string;
  sha256: string;
  bytes: number;
  ms: number;
  /** Another job had done the same on the same bytes, or was at it. */
  cached: boolean;
  /** What a measurement found. */
  measured: Record<string, unknown> | null;
}

export interface OptimizeResult {
  model_id: string;
  bytes_before: number;
  bytes: number;
  ratio: number;
  steps: StepResult[];
  /** Ids of models, from the one it began with to the result. */
  lineage: string[];
  /** Of a goal: all that was tried. */
  search?: SearchReport;
  /** What a hook wants that delivers by signed URL. */
  links?: { expires_at: number; files: ResultPlace[] };
}

export interface OptimizeView extends AnyJobView {
  operation: "optimize";
  recipe: RecipeName | null;
  progress: { fraction: number; doing: string; steps: StepProgress[] };
  result: OptimizeResult | null;
}

export function newOptimizeView(order: OptimizeOrder): OptimizeView {
  const { id, modelId, recipe, name, goal } = order;
  const steps = order.steps.map(({ op, options }) => ({ op, ...options }));
  const wanted = goal ? { goal } : { steps };
  return {
    ...queued(id, modelId, { ...wanted, ...(name === null ? {} : { name }) }),
    operation: "optimize",
    recipe,
    progress: {
      fraction: 0,
      doing: "waiting",
      steps: order.steps.map(({ op }) => ({
        op,
        state: "waiting",
        job_id: null,
        fraction: 0,
        doing: "waiting",
      })),
    },
    result: null,
  };
}

/** The id of a step's job follows from the recipe's, so that a step that is begun again finds it. */
export async function stepJobId(job: string, index: number): Promise<string> {
  return `job_${(await sha256Hex(`${job}/${index}`)).slice(0, 24)}`;
}
