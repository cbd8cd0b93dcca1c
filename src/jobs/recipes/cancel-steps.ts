/** @file Canceling what an optimization has running. */
import { isOver } from "../job-view.ts";
import { findJob, jobObject } from "../jobs.ts";
import { type OptimizeOrder, type OptimizeView, stepJobId } from "./recipe.ts";

export async function cancelSteps(
  env: Env,
  { id, workspace }: OptimizeOrder,
  { progress }: OptimizeView,
): Promise<void> {
  for (const [index, { job_id }] of progress.steps.entries()) {
    const own = await stepJobId(id, index);
    // One that another recipe ordered is left to it.
    if (job_id !== own) continue;
    const job = await findJob(env, workspace, own);
    if (job && !isOver(job.state)) await jobObject(env, job).cancel();
  }
}
