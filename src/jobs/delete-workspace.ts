/**
 * @file A workspace's end: first nothing opens it any more, then its objects, its bytes and its rows go, the row of
 * the workspace last. Whatever cuts this off, the sweep takes it up again: every step may be repeated.
 */
import { listJobRows } from "../store/jobs.ts";
import { forgetKeys } from "../store/known-keys.ts";
import { listEndpoints } from "../store/webhook-endpoints.ts";
import {
  abortMultiparts,
  closedWorkspaces,
  closeWorkspace,
  deletePrefix,
  deleteRows,
} from "../store/workspaces.ts";
import type { JobView } from "./job-view.ts";
import { jobObject } from "./jobs.ts";
import type { Purgeable } from "./purge-object.ts";
import { runnerPool } from "./runners/pool.ts";
import { endpointObject } from "./webhooks/endpoint-object.ts";

const PAGE = 100;
/** Looked at in one sweep. */
const SWEPT = 10;

/** @returns false when something was in the way, and the sweep has to go on */
export async function deleteWorkspace(env: Env, workspace: string): Promise<boolean> {
  await closeWorkspace(env.DB, workspace);
  forgetKeys(workspace);
  return await tryPurge(env, workspace);
}

/** What deletions left behind that were cut off. */
export async function purgeClosedWorkspaces(env: Env): Promise<void> {
  for (const workspace of await closedWorkspaces(env.DB, SWEPT)) await tryPurge(env, workspace);
}

async function tryPurge(env: Env, workspace: string): Promise<boolean> {
  try {
    await purge(env, workspace);
    return true;
  } catch (error) {
    console.error(JSON.stringify({ workspace, deletion: "to be continued" }), error);
    return false;
  }
}

async function purge(env: Env, workspace: string): Promise<void> {
  await (runnerPool(env, workspace) as unknown as Purgeable).purge();
  for await (const { view } of all((request) => listJobRows(env.DB, workspace, {}, request))) {
    const job = JSON.parse(view) as JobView;
    await (jobObject(env, job) as unknown as Purgeable).purge();
  }
  for await (const { id } of all((request) => listEndpoints(env.DB, workspace, request))) {
    await endpointObject(env, id).remove();
  }
  const blobs = `blobs/${workspace}/`;
  await abortMultiparts(env, blobs);
  for (const prefix of [blobs, `reports/${workspace}/`, `training/${workspace}/`]) {
    await deletePrefix(env.BLOBS, prefix);
  }
  await deletePrefix(env.EXCHANGE, `${workspace}/`);
  await deleteRows(env.DB, workspace, blobs);
}

/** Every row of a list. */
async function* all<Row>(
  list: (request: {
    limit: number;
    cursor: string | undefined;
  }) => Promise<{ rows: Row[]; next: string | undefined }>,
): AsyncGenerator<Row> {
  let cursor: string | undefined;
  do {
    const { rows, next } = await list({ limit: PAGE, cursor });
    yield* rows;
    cursor = next;
  } while (cursor !== undefined);
}
