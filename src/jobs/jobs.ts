/** @file Jobs from the outside: ordered, found, waited for. The catalogue says who may see one, its object how it stands. */
import type { CompressRequest } from "../compress/types.ts";
import { ApiError, problemOf } from "../problem/api-error.ts";
import { findDataset } from "../store/datasets.ts";
import { newId } from "../store/id.ts";
import { addJobRow, findJobRow, mirrorJob } from "../store/jobs.ts";
import { newReportId } from "../store/reports.ts";
import { pokeEvents } from "./webhooks/dispatch.ts";
import { datasetsOf } from "./calibrate/wanted.ts";
import { type CompressionOrder, isOver, type JobView, newCompressionView } from "./job-view.ts";
import type { RecipeName } from "./recipes/recipe.ts";

/** A row without an object after this time is of a request that died between the two. */
const STILLBORN_MS = 60_000;

/** What a job's object answers to (RPC's own types lose what is `unknown`). */
export interface JobObject<Order = unknown> {
  create(order: Order): Promise<JobView>;
  read(): Promise<JobView | undefined>;
  wait(timeoutMs: number): Promise<JobView>;
  events(after: number): Promise<ReadableStream<Uint8Array>>;
  cancel(): Promise<{ canceled: boolean; view: JobView }>;
}

/** The object of a job; which class it is of follows from the operation. */
export function jobObject(env: Env, { id, operation }: Pick<JobView, "id" | "operation">) {
  const classes = {
    train: env.TRAINING_JOBS,
    benchmark: env.MEASUREMENT_JOBS,
    verify: env.MEASUREMENT_JOBS,
    evaluate: env.MEASUREMENT_JOBS,
    calibrate: env.MEASUREMENT_JOBS,
    optimize: env.OPTIMIZE_JOBS,
  };
  const namespace = operation in classes ? classes[operation as keyof typeof classes] : env.JOBS;
  const stub = namespace.get(namespace.idFromName(id));
  return stub as unknown as JobObject;
}

/**
 * Orders a job on a stored model; `undefined` when the workspace has no such model.
 * @throws ApiError `not_found` for a dataset that it has not
 */
export async function orderJob(
  env: Env,
  workspace: string,
  model: { id: string; resultName: string; recipe?: RecipeName | null },
  request: CompressRequest,
  id = newId("job"),
): Promise<JobView | undefined> {
  const order: CompressionOrder = {
    id,
    workspace,
    modelId: model.id,
    request,
    resultModelId: newId("model"),
    resultName: model.resultName,
    reportId: newReportId(),
    recipe: model.recipe ?? null,
  };
  const inputs = datasetsOf(request);
  for (const dataset of inputs) {
    if (await findDataset(env.DB, workspace, dataset)) continue;
    throw new ApiError("not_found", `there is no dataset ${dataset}`);
  }
  return await enterJob(env, workspace, newCompressionView(order), order, inputs);
}

/**
 * Enters a job in the catalogue and creates its object. One that is there already stays as it is.
 * @param inputs ids of models and datasets that it uses beside its model: they cannot be deleted before its end
 * @returns `undefined` when the workspace has no such model
 */
export async function enterJob(
  env: Env,
  workspace: string,
  view: JobView,
  order: unknown,
  inputs: readonly string[] = [],
): Promise<JobView | undefined> {
  const entered = await addJobRow(env.DB, {
    id: view.id,
    workspace,
    operation: view.operation,
    modelId: view.model_id,
    view: JSON.stringify(view),
    inputs,
  });
  if (!entered) return undefined;
  await pokeEvents(env, { workspace });
  return await jobObject(env, view).create(order);
}

/** A job of the workspace, as its object knows it. */
export async function findJob(
  env: Env,
  workspace: string,
  id: string,
): Promise<JobView | undefined> {
  const row = await findJobRow(env.DB, workspace, id);
  if (!row) return undefined;
  const entered: JobView = JSON.parse(row.view);
  const view = await jobObject(env, entered).read();
  if (view) return view;
  // Of a catalogue that was restored: what a job left is there, the object that did it is not.
  if (isOver(entered.state)) return entered;
  if (Date.now() - row.created_at < STILLBORN_MS) return entered;
  const error = problemOf(new ApiError("internal_error", "the job was entered but never begun"));
  const failed: JobView = { ...entered, state: "failed", error };
  await mirrorJob(env.DB, id, failed.state, JSON.stringify(failed));
  return failed;
}
