/**
 * @file From a recipe's end to where its hook wants the result. The row is the truth; what a receiver does not take
 * is tried again, as webhooks are.
 */
import { apiErrorOf } from "../../problem/from-error.ts";
import {
  findResult,
  keepResult,
  postponeResult,
  type ResultRow,
  settleResult,
  takeResult,
} from "../../store/hook-results.ts";
import { isOver, type JobView } from "../job-view.ts";
import { findJob } from "../jobs.ts";
import { pauseAfter } from "../webhooks/attempt.ts";
import { handOver, type HandedOver } from "./hand-over.ts";
import { resultFiles } from "./result-files.ts";

/** Who works on a result says so more often than this, or is given up. */
const LEASE_MS = 20_000;
const KEEP_MS = 5_000;
/** A job says when it is over; this is for what it said to nobody. */
const LOOK_AGAIN_MS = 60 * 60_000;
/** What a queue can wait at most. */
const MAX_DELAY_S = 12 * 60 * 60;

/** @returns seconds after which to look again; `undefined` when there is nothing to do any more */
export async function workOnResult(env: Env, delivery: string): Promise<number | undefined> {
  const known = await findResult(env.DB, delivery);
  if (!known || known.state === "delivered" || known.state === "failed") return undefined;
  const job = await findJob(env, known.workspace_id, known.job_id);
  if (!job || !isOver(job.state)) {
    await postponeResult(env.DB, delivery, Date.now() + LOOK_AGAIN_MS);
    return undefined;
  }
  const row = await takeResult(env.DB, delivery, LEASE_MS);
  if (!row) return secondsUntil(known.next_at);
  const keeping = setInterval(() => {
    keepResult(env.DB, delivery, LEASE_MS).catch((error: unknown) => console.error(error));
  }, KEEP_MS);
  try {
    return await settle(env, row, await tryOnce(env, row, job));
  } finally {
    clearInterval(keeping);
  }
}

/** @param final another try would end alike */
type Outcome = HandedOver & { final: boolean };

async function tryOnce(env: Env, row: ResultRow, job: JobView): Promise<Outcome> {
  const none = { status: null, places: [] };
  const { workspace_id: workspace, target } = row;
  if (job.operation !== "optimize" || job.state !== "succeeded" || !job.result) {
    const why = job.error ? `: ${job.error.detail}` : "";
    return { ...none, error: `its job ${job.state}${why}`, final: true };
  }
  const { model_id: model, links } = job.result;
  if (target.to === "signed_url" || target.to === "catalogue") {
    return { status: null, error: null, places: links?.files ?? [], final: true };
  }
  try {
    const files = await resultFiles(env, workspace, model);
    const parcel = { delivery: row.delivery_id, workspace, job: job.id, model, files };
    const handed = await handOver(env, target, parcel);
    return { ...handed, final: handed.error === null || handed.status === 410 };
  } catch (error) {
    const told = apiErrorOf(error);
    if (told && told.status < 500) {
      return { ...none, error: `${told.code}: ${told.message}`, final: true };
    }
    console.error(JSON.stringify({ hook_result: row.delivery_id }), error);
    return { ...none, error: "internal_error: it failed here", final: false };
  }
}

async function settle(
  env: Env,
  { delivery_id, attempts, log }: ResultRow,
  { status, error, places, final }: Outcome,
): Promise<number | undefined> {
  const pause = final ? undefined : pauseAfter(env, attempts);
  const now = Date.now();
  const settled = error === null ? "delivered" : "failed";
  await settleResult(env.DB, delivery_id, {
    state: pause === undefined ? settled : "waiting",
    log: [...log, { at: now, status, error }],
    places,
    next_at: now + (pause ?? 0) * 1000,
  });
  return pause === undefined ? undefined : Math.min(pause, MAX_DELAY_S);
}

function secondsUntil(time: number): number {
  return Math.min(Math.max(1, Math.ceil((time - Date.now()) / 1000)), MAX_DELAY_S);
}
