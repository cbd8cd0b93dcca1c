/** @file Jobs from the outside: ordered, found, waited for. The catalogue says who may see one, its object how it stands. */
import type { CompressRequest } from "../compress/types.ts";
import { ApiError, problemOf } from "../problem/api-error.ts";
import { newId } from "../store/id.ts";
import { addJobRow, findJobRow, mirrorJob } from "../store/jobs.ts";
import { newReportId } from "../store/reports.ts";
import { type JobOrder, type JobView, newJobView } from "./job-view.ts";

/** A row without an object after this time is of a request that died between the two. */
const STILLBORN_MS = 60_000;

/** What a job's object answers to (RPC's own types lose what is `unknown`). */
export interface JobObject {
  create(order: JobOrder): Promise<JobView>;
  read(): Promise<JobView | undefined>;
  wait(timeoutMs: number): Promise<JobView>;
  events(after: number): Promise<ReadableStream<Uint8Array>>;
  cancel(): Promise<{ canceled: boolean; view: JobView }>;
}

export function jobObject(env: Env, id: string): JobObject {
  return env.JOBS.get(env.JOBS.idFromName(id)) as unknown as JobObject;
}

/** Orders a job on a stored model; `undefined` when the workspace has no such model. */
export async function orderJob(
  env: Env,
  workspace: string,
  model: { id: string; resultName: string },
  request: CompressRequest,
): Promise<JobView | undefined> {
  const order: JobOrder = {
    id: newId("job"),
    workspace,
    modelId: model.id,
    request,
    resultModelId: newId("model"),
    resultName: model.resultName,
    reportId: newReportId(),
  };
  const view = JSON.stringify(newJobView(order));
  const { operation } = request;
  const entered = await addJobRow(env.DB, {
    id: order.id,
    workspace,
    operation,
    modelId: model.id,
    view,
  });
  if (!entered) return undefined;
  return await jobObject(env, order.id).create(order);
}

/** A job of the workspace, as its object knows it. */
export async function findJob(
  env: Env,
  workspace: string,
  id: string,
): Promise<JobView | undefined> {
  const row = await findJobRow(env.DB, workspace, id);
  if (!row) return undefined;
  const view = await jobObject(env, id).read();
  if (view) return view;
  const entered: JobView = JSON.parse(row.view);
  if (Date.now() - row.created_at < STILLBORN_MS) return entered;
  const error = problemOf(new ApiError("internal_error", "the job was entered but never begun"));
  const failed: JobView = { ...entered, state: "failed", error };
  await mirrorJob(env.DB, id, failed.state, JSON.stringify(failed));
  return failed;
}
