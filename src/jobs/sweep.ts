/** @file The hourly sweep: what expired is deleted, a bounded amount at a time. */
import { sweepAudit } from "../store/audit.ts";
import { sweepKeys } from "../store/idempotency.ts";
import { sweepReports } from "../store/reports.ts";
import { sweepObjects } from "../store/temporary-objects.ts";
import { purgeClosedWorkspaces } from "./delete-workspace.ts";
import { sweepDeliveries } from "./hooks/work.ts";
import { sweepEvents } from "./webhooks/dispatch.ts";
import { sweepUploads } from "../store/uploads.ts";

const OBJECTS_AT_ONCE = 200;
const MAX_ROUNDS = 20;

export async function sweep(env: Env, now = Date.now()): Promise<void> {
  await sweepKeys(env.DB, now);
  await sweepUploads(env.DB, now);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if ((await sweepObjects(env, now, OBJECTS_AT_ONCE)) < OBJECTS_AT_ONCE) break;
  }
  await sweepEvents(env);
  await sweepDeliveries(env, now);
  await sweepAudit(env.DB, now);
  await purgeClosedWorkspaces(env);
  let cursor: string | undefined;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    cursor = await sweepReports(env, now, cursor);
    if (cursor === undefined) break;
  }
}
