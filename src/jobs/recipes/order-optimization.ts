/** @file A recipe on a stored model: ordered as a job, or only planned. */
import { ApiError, type Problem, problemOf } from "../../problem/api-error.ts";
import { findDataset } from "../../store/datasets.ts";
import { newId } from "../../store/id.ts";
import { findModel, type StoredModel } from "../../store/models.ts";
import type { JobView } from "../job-view.ts";
import { enterJob } from "../jobs.ts";
import { planEvaluation } from "../measure/order-evaluation.ts";
import { cachedModel, makesModel } from "./order-step.ts";
import {
  type HookDelivery,
  INPUT,
  newOptimizeView,
  type OptimizeOrder,
  type RecipeContent,
  type RecipeName,
  type RecipeStep,
} from "./recipe.ts";
import type { SearchGoalOptions } from "./search-order.ts";

export interface OptimizeRequest extends RecipeContent {
  model: StoredModel;
  recipe: RecipeName | null;
  name: string | null;
  delivery?: HookDelivery;
}

/**
 * @param id the same id again finds the same job
 * @throws ApiError and DatasetError for a goal whose rows and metric do not fit the model
 */
export async function orderOptimization(
  env: Env,
  workspace: string,
  { model, ...request }: OptimizeRequest,
  id = newId("job"),
): Promise<JobView> {
  const { steps, goal } = request;
  if (goal) await checkGoal(env, workspace, model, goal);
  const bytes = bytesOf(model);
  const order: OptimizeOrder = { id, workspace, modelId: model.id, bytes, ...request };
  const inputs = new Set(steps.flatMap((step) => idsIn(step).map(({ value }) => value)));
  if (goal) inputs.add(goal.dataset);
  inputs.delete(model.id);
  const job = await enterJob(env, workspace, newOptimizeView(order), order, [...inputs]);
  if (!job) throw new ApiError("not_found", `there is no model ${model.id}`);
  return job;
}

/** @throws ApiError and DatasetError for rows and metrics that do not fit the model */
export async function checkGoal(
  env: Env,
  workspace: string,
  model: StoredModel,
  { metric, ...goal }: SearchGoalOptions,
): Promise<void> {
  await planEvaluation(env, workspace, model.id, { ...goal, metrics: [metric] });
}

export interface PlannedStep {
  step: RecipeStep;
  /** The model that is there already; `null` where the step has to be done. */
  cachedModel: string | null;
  /** Of the step's model where that is known before. */
  bytes: number | null;
  refusal: Problem | null;
}

/** What each step would do, as far as that is known before anything runs. */
export async function planOptimization(
  env: Env,
  workspace: string,
  model: StoredModel,
  steps: readonly RecipeStep[],
): Promise<PlannedStep[]> {
  const planned: PlannedStep[] = [];
  let current: StoredModel | undefined = model;
  for (const step of steps) {
    const refusal = await missingId(env, workspace, step);
    const bytes: number | null = current ? bytesOf(current) : null;
    let cached: string | undefined;
    if (current && makesModel(step)) {
      cached = await cachedModel(env, workspace, step, current);
      current = cached === undefined ? undefined : await findModel(env.DB, workspace, cached);
    }
    planned.push({ step, cachedModel: cached ?? null, bytes, refusal });
  }
  return planned;
}

/** Models and datasets that a step names. */
function idsIn({ op, options }: RecipeStep): { kind: "model" | "dataset"; value: string }[] {
  const found: { kind: "model" | "dataset"; value: string }[] = [];
  const add = (kind: "model" | "dataset", value: unknown) => {
    if (typeof value === "string") found.push({ kind, value });
  };
  if (op === "train") {
    add("dataset", options["dataset"]);
    add("dataset", (options["validation"] as { dataset?: string } | undefined)?.dataset);
    add("model", (options["teacher"] as { model?: string } | undefined)?.model);
  } else if (op === "evaluate") {
    add("dataset", options["dataset"]);
  } else if (op === "quantize") {
    add("dataset", options["calibration_dataset"]);
  } else if (options["original"] !== INPUT) add("model", options["original"]);
  return found;
}

async function missingId(env: Env, workspace: string, step: RecipeStep): Promise<Problem | null> {
  for (const { kind, value } of idsIn(step)) {
    const find = kind === "model" ? findModel : findDataset;
    if (await find(env.DB, workspace, value)) continue;
    return problemOf(new ApiError("not_found", `there is no ${kind} ${value}`));
  }
  return null;
}

export function bytesOf({ files }: StoredModel): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
