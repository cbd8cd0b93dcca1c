/** @file One step of a recipe as a job of its own, or the job that did the same on the same bytes. */
import { canonicalJson } from "../../canonical-json.ts";
import { ApiError } from "../../problem/api-error.ts";
import type { TrainingRequestBody } from "../../routes/training-options.ts";
import type { Backend } from "../../runner/protocol.ts";
import { sha256Hex } from "../../store/id.ts";
import { findJobRow } from "../../store/jobs.ts";
import { findModel, type StoredModel } from "../../store/models.ts";
import { claimStep, findStep, modelOfJob, takeStep } from "../../store/step-results.ts";
import { isOver, type JobView } from "../job-view.ts";
import { findJob, jobObject, orderJob } from "../jobs.ts";
import type { ExecutorChoice } from "../measure/measurement.ts";
import { type EvaluationRequest, orderEvaluation } from "../measure/order-evaluation.ts";
import { orderMeasurement } from "../measure/order-measurement.ts";
import { resultName } from "../result-name.ts";
import { orderTraining } from "../training/order-training.ts";
import { INPUT, type OptimizeOrder, type RecipeStep, type StepAt } from "./recipe.ts";

/** Either the job that is waited for, or one whose model is there. */
export type OrderedStep = { jobId: string; cached: boolean; modelId?: string };

/** Claims that others gave up are taken over at most so often. */
const MAX_CLAIMS = 5;

/**
 * Orders the step; ordering it again finds the same job.
 * @param own the id that the step's job has, if none did the same
 * @throws ApiError where the step does not fit the model
 */
export async function orderStep(
  env: Env,
  order: OptimizeOrder,
  at: StepAt,
  model: StoredModel,
  own: string,
): Promise<OrderedStep> {
  const { workspace } = order;
  const { step } = at;
  const key = await stepKey(step, model);
  for (let tries = 0; key !== undefined && tries < MAX_CLAIMS; tries++) {
    const holder = await claimStep(env.DB, workspace, key, own);
    if (holder === own) break;
    const made = await modelOfJob(env.DB, workspace, holder);
    if (made !== undefined) return { jobId: holder, cached: true, modelId: made };
    const job = await findJob(env, workspace, holder);
    const measured = job?.state === "succeeded" && !makesModel(step);
    if (job && (measured || !isOver(job.state))) return { jobId: holder, cached: true };
    await takeStep(env.DB, workspace, key, holder, own);
  }
  if (!(await isThere(env, workspace, own))) await enter(env, order, at, model, own);
  return { jobId: own, cached: false };
}

/** The model that the step would give without any work. */
export async function cachedModel(
  env: Env,
  workspace: string,
  step: RecipeStep,
  model: StoredModel,
): Promise<string | undefined> {
  const key = await stepKey(step, model);
  const job = key === undefined ? undefined : await findStep(env.DB, workspace, key);
  return job === undefined ? undefined : await modelOfJob(env.DB, workspace, job);
}

/** Times, and what a device makes of a model, depend on when and where: they are measured each time. */
async function stepKey({ op, options }: RecipeStep, model: StoredModel) {
  if (op === "verify" || op === "benchmark") return undefined;
  const { name: _, ...numeric } = op === "evaluate" ? evaluated(options) : options;
  const files = model.files
    .map(({ location, sha256 }) => `${location}\0${sha256}`)
    .sort((a, b) => (a < b ? -1 : 1));
  return await sha256Hex(canonicalJson({ op, options: numeric, files }));
}

async function isThere(env: Env, workspace: string, id: string): Promise<boolean> {
  const row = await findJobRow(env.DB, workspace, id);
  if (!row) return false;
  return (await jobObject(env, JSON.parse(row.view) as JobView).read()) !== undefined;
}

async function enter(
  env: Env,
  order: OptimizeOrder,
  { step, name }: StepAt,
  model: StoredModel,
  id: string,
): Promise<void> {
  const { workspace } = order;
  const { op, options } = step;
  if (op === "train") {
    const body = { ...options, ...(name === null ? {} : { name }), model: model.id };
    await orderTraining(env, workspace, body as TrainingRequestBody, id, order.recipe);
  } else if (op === "verify" || op === "benchmark") {
    const { executor, backend, original, runs } = options;
    const request = {
      kind: op,
      modelId: model.id,
      originalId: original === INPUT ? order.modelId : original,
      executor: executor as ExecutorChoice,
      backend: backend as Backend | undefined,
      spec: op === "benchmark" ? { runs } : {},
      options,
    };
    await orderMeasurement(env, workspace, request, id);
  } else if (op === "evaluate") {
    const { min: _min, max: _max, ...request } = options;
    await orderEvaluation(env, workspace, model.id, request as unknown as EvaluationRequest, id);
  } else {
    const request = { operation: op, options };
    const made = name ?? resultName(model.name, request);
    const named = { id: model.id, resultName: made, recipe: order.recipe };
    if (!(await orderJob(env, workspace, named, request, id))) throw modelGone(model.id);
  }
}

/** What an evaluation's figures depend on: who may do it is no part of that. */
function evaluated({
  min: _min,
  max: _max,
  executor: _executor,
  ...rest
}: Record<string, unknown>) {
  return rest;
}

export function makesModel({ op }: RecipeStep): boolean {
  return op !== "verify" && op !== "benchmark" && op !== "evaluate";
}

/** @throws ApiError when it was deleted since */
export async function requiredModel(env: Env, workspace: string, id: string): Promise<StoredModel> {
  const model = await findModel(env.DB, workspace, id);
  if (!model) throw modelGone(id);
  return model;
}

function modelGone(id: string): ApiError {
  return new ApiError("not_found", `there is no model ${id} any more`);
}
