/**
 * @file Counters of usage, gathered in this isolate and written together a moment later, so that a request costs no
 * write of its own. An isolate that dies takes what it gathered in that moment with it.
 */
import { addUsage, type Counts } from "../store/usage.ts";
import type { AppContext } from "./context.ts";

let gathered = new Map<string, Counts>();
/** When the next write was promised. */
let promisedAt = 0;
/** A promise that old died with its request. */
const BROKEN_MS = 30_000;

export function countUsage(c: AppContext, workspace: string, counts: Counts): void {
  const before = gathered.get(workspace);
  gathered.set(workspace, {
    requests: (before?.requests ?? 0) + counts.requests,
    bytes_in: (before?.bytes_in ?? 0) + counts.bytes_in,
    bytes_out: (before?.bytes_out ?? 0) + counts.bytes_out,
  });
  if (Date.now() - promisedAt < BROKEN_MS) return;
  promisedAt = Date.now();
  c.executionCtx.waitUntil(writeLater(c.env));
}

async function writeLater(env: Env): Promise<void> {
  await scheduler.wait(Number(env.USAGE_DELAY_MS));
  promisedAt = 0;
  const written = gathered;
  gathered = new Map();
  try {
    await addUsage(env.DB, written);
  } catch (error) {
    console.error(JSON.stringify({ usage: Object.fromEntries(written) }), error);
  }
}
