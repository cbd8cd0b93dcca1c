/** @file A step of a recipe from its order to its end. May be begun again at any point, and by two at once. */
import { ApiError, type Problem, problemOf } from "../../problem/api-error.ts";
import { apiErrorOf } from "../../problem/from-error.ts";
import { findModel } from "../../store/models.ts";
import { isOver, type JobView } from "../job-view.ts";
import { isMeasurement } from "../measure/measurement.ts";
import { findJob, jobObject } from "../jobs.ts";
import { optimizeObject } from "./optimize-object.ts";
import { type OrderedStep, orderStep, requiredModel } from "./order-step.ts";
import {
  type OptimizeOrder,
  type RecipeStep,
  type StepAt,
  stepJobId,
  type StepResult,
} from "./recipe.ts";

/** `over`: the recipe was canceled, or failed, meanwhile. */
export type StepOutcome =
  | { state: "succeeded"; model: string; result: Omit<StepResult, "ms"> }
  | { state: "failed"; problem: Problem }
  | { state: "over" };

/** One durable attempt waits at most so long: the next one goes on with the same job. */
const SHIFT_MS = 10 * 60_000;
const FIRST_LOOK_MS = 500;
const LONGEST_LOOK_MS = 2_000;

/** @throws Error while the step's job is still running at the end of the shift, and what the storage throws */
export async function runStep(
  env: Env,
  order: OptimizeOrder,
  at: StepAt,
  modelId: string,
): Promise<StepOutcome> {
  try {
    return await followStep(env, order, at, modelId);
  } catch (error) {
    const known = apiErrorOf(error);
    if (!known || known.status >= 500) throw error;
    return { state: "failed", problem: problemOf(known) };
  }
}

async function followStep(
  env: Env,
  order: OptimizeOrder,
  at: StepAt,
  modelId: string,
): Promise<StepOutcome> {
  const { workspace } = order;
  const optimization = optimizeObject(env, order.id);
  const own = await stepJobId(order.id, at.index);
  const endOfShift = Date.now() + SHIFT_MS;
  while (Date.now() < endOfShift) {
    if (!(await optimization.beginStep(at, own))) return { state: "over" };
    const model = await requiredModel(env, workspace, modelId);
    const ordered = await orderStep(env, order, at, model, own);
    const view = await jobAtItsEnd(env, order, at.index, ordered, endOfShift);
    if (view === "over") return { state: "over" };
    if (view === "running") break;
    const missed = boundProblem(at.step, view);
    if (missed) return { state: "failed", problem: missed };
    const made = ordered.modelId ?? (view ? resultOf(view) : undefined);
    if (made !== undefined || view?.state === "succeeded") {
      return await ended(env, order, at, ordered, made ?? modelId, view);
    }
    // Another recipe's job that came to nothing: this step is done here.
    if (ordered.cached) continue;
    const gone = new ApiError("not_found", `the job ${own} was deleted`);
    const canceled = new ApiError("task_failed", `its job ${own} was canceled`);
    const problem = view?.error ?? problemOf(view?.state === "canceled" ? canceled : gone);
    return { state: "failed", problem };
  }
  throw new Error(`recipes: step ${at.index} of ${order.id} is still running`);
}

/** `undefined` for a job whose model is known already, or that was deleted. */
async function jobAtItsEnd(
  env: Env,
  order: OptimizeOrder,
  index: number,
  { jobId, cached, modelId }: OrderedStep,
  until: number,
): Promise<JobView | "running" | "over" | undefined> {
  if (modelId !== undefined) return undefined;
  const optimization = optimizeObject(env, order.id);
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 1.5, LONGEST_LOOK_MS)) {
    const found = await findJob(env, order.workspace, jobId);
    if (!found) return undefined;
    const job = jobObject(env, found);
    const view = isOver(found.state) ? found : await job.wait(pause);
    if (isOver(view.state)) return view;
    const { fraction, doing } = view.progress;
    if (!(await optimization.tellStep(index, { job_id: jobId, fraction, doing }))) {
      if (!cached) await job.cancel();
      return "over";
    }
    if (Date.now() >= until) return "running";
  }
}

/** What a figure of an evaluation misses. */
function boundProblem(step: RecipeStep, view: JobView | undefined): Problem | undefined {
  if (step.op !== "evaluate" || view?.operation !== "evaluate" || !view.result) return undefined;
  const metrics = view.result["metrics"] as Record<string, number>;
  const { min = {}, max = {} } = step.options;
  const low = Object.entries(min).filter(([name, least]) => !((metrics[name] ?? NaN) >= least));
  const high = Object.entries(max).filter(([name, most]) => !((metrics[name] ?? NaN) <= most));
  const said = [
    ...low.map(([name, least]) => `${name} is ${metrics[name]}, at least ${least} is asked for`),
    ...high.map(([name, most]) => `${name} is ${metrics[name]}, at most ${most} is asked for`),
  ];
  return said.length === 0 ? undefined : problemOf(new ApiError("bound_missed", said.join("; ")));
}

function resultOf({ result, state }: JobView): string | undefined {
  if (state !== "succeeded" || !result || !("model_id" in result)) return undefined;
  return result.model_id as string;
}

async function ended(
  env: Env,
  order: OptimizeOrder,
  at: StepAt,
  { jobId, cached }: OrderedStep,
  model: string,
  view: JobView | undefined,
): Promise<StepOutcome> {
  const stored = await findModel(env.DB, order.workspace, model);
  if (!stored) throw new ApiError("not_found", `the model ${model} was deleted`);
  const measures = view && isMeasurement(view);
  const result = {
    op: at.step.op,
    job_id: jobId,
    model_id: model,
    sha256: stored.files.find(({ location }) => location === "")?.sha256 ?? "",
    bytes: stored.files.reduce((sum, { bytes }) => sum + bytes, 0),
    cached,
    measured: measures ? view.result : null,
  };
  const goesOn = await optimizeObject(env, order.id).endStep(at.index, result);
  return goesOn ? { state: "succeeded", model, result } : { state: "over" };
}
