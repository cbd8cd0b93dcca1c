/** @file What came in at hooks, and what became of it. A row is written before it is acknowledged. */
import type { DeliveryState, HookWork } from "../jobs/hooks/hook.ts";
import { newId } from "./id.ts";
import { type Page, page, type PageRequest } from "./page.ts";

export interface DeliveryRow {
  id: string;
  hook_id: string;
  workspace_id: string;
  /** As the source names it. */
  source_id: string | null;
  event: string;
  payload_sha256: string;
  payload_bytes: number;
  state: DeliveryState;
  reason: string | null;
  work: HookWork | null;
  model_id: string;
  job_id: string;
  attempts: number;
  created_at: number;
}

type Row = Omit<DeliveryRow, "work"> & { work: string | null };

export interface NewDelivery {
  hookId: string;
  workspace: string;
  /** The same for a delivery that comes again. */
  key: string;
  sourceId: string | null;
  event: string;
  payloadSha256: string;
  payloadBytes: number;
  decision: { work: HookWork } | { ignored: string };
}

const COLUMNS = `id, hook_id, workspace_id, source_id, event, payload_sha256, payload_bytes, state, reason, work,
  model_id, job_id, attempts, created_at`;

const fromRow = (row: Row): DeliveryRow => ({
  ...row,
  work: row.work === null ? null : JSON.parse(row.work),
});

/**
 * Stores those that are new, of one payload; gives all, and the ids of the new ones.
 */
export async function addDeliveries(
  db: D1Database,
  deliveries: readonly NewDelivery[],
  payload: string,
): Promise<{ rows: DeliveryRow[]; added: Set<string> }> {
  const now = Date.now();
  const insert = (each: NewDelivery) => {
    const ignored = "ignored" in each.decision ? each.decision.ignored : null;
    const work = "work" in each.decision ? JSON.stringify(each.decision.work) : null;
    return db
      .prepare(
        `INSERT INTO hook_deliveries (id, hook_id, workspace_id, delivery_key, source_id, event, payload_sha256,
         payload_bytes, state, reason, work, model_id, job_id, attempts, touched_at, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)
         ON CONFLICT (hook_id, delivery_key) DO NOTHING RETURNING id`,
      )
      .bind(
        newId("hkd"),
        each.hookId,
        each.workspace,
        each.key,
        each.sourceId,
        each.event,
        each.payloadSha256,
        each.payloadBytes,
        ignored === null ? "queued" : "ignored",
        ignored,
        work,
        newId("model"),
        newId("job"),
        now,
        now,
      );
  };
  const select = (each: NewDelivery) =>
    db
      .prepare(`SELECT ${COLUMNS} FROM hook_deliveries WHERE hook_id = ? AND delivery_key = ?`)
      .bind(each.hookId, each.key);
  const keep = deliveries.slice(0, 1).map(({ hookId, workspace, payloadSha256 }) =>
    db
      .prepare(
        `INSERT INTO hook_payloads (hook_id, workspace_id, sha256, payload, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (hook_id, sha256) DO UPDATE SET created_at = excluded.created_at`,
      )
      .bind(hookId, workspace, payloadSha256, payload, now),
  );
  const results = await db.batch<Row>([
    ...deliveries.map(insert),
    ...deliveries.map(select),
    ...keep,
  ]);
  const found = results.map(({ results: rows }) => rows);
  return {
    added: new Set(found.slice(0, deliveries.length).flatMap((rows) => rows.map(({ id }) => id))),
    rows: found
      .slice(deliveries.length, 2 * deliveries.length)
      .flatMap((rows) => rows.map(fromRow)),
  };
}

/**
 * Takes a delivery to work on it for `leaseMs`.
 * @returns `busy` while another has it, `undefined` when there is nothing to do any more
 */
export async function takeDelivery(
  db: D1Database,
  id: string,
  leaseMs: number,
): Promise<DeliveryRow | "busy" | undefined> {
  const now = Date.now();
  const row = await db
    .prepare(
      `UPDATE hook_deliveries SET state = 'working', attempts = attempts + 1, touched_at = ?2
       WHERE id = ?1 AND (state = 'queued' OR state = 'working' AND touched_at < ?3)
       RETURNING ${COLUMNS}`,
    )
    .bind(id, now, now - leaseMs)
    .first<Row>();
  if (row) return fromRow(row);
  const other = await db
    .prepare("SELECT state FROM hook_deliveries WHERE id = ?")
    .bind(id)
    .first<{ state: string }>();
  return other?.state === "working" ? "busy" : undefined;
}

/** Says that the work goes on. */
export async function keepDelivery(db: D1Database, id: string): Promise<void> {
  await db
    .prepare("UPDATE hook_deliveries SET touched_at = ? WHERE id = ? AND state = 'working'")
    .bind(Date.now(), id)
    .run();
}

export async function settleDelivery(
  db: D1Database,
  id: string,
  state: "queued" | "done" | "failed",
  reason: string | null,
): Promise<void> {
  await db
    .prepare("UPDATE hook_deliveries SET state = ?, reason = ?, touched_at = ? WHERE id = ?")
    .bind(state, reason, Date.now(), id)
    .run();
}

/** Those that wait since before `before`, the oldest first. */
export async function waitingDeliveries(
  db: D1Database,
  before: number,
  limit: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM hook_deliveries WHERE state IN ('queued', 'working') AND touched_at < ?
       ORDER BY touched_at LIMIT ?`,
    )
    .bind(before, limit)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** What is over since before `before`, a bounded number at a time. */
export async function forgetDeliveries(db: D1Database, before: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM hook_deliveries WHERE rowid IN (SELECT rowid FROM hook_deliveries
       WHERE created_at < ? AND state NOT IN ('queued', 'working') LIMIT 5000)`,
    )
    .bind(before)
    .run();
  await db
    .prepare(
      `DELETE FROM hook_payloads WHERE rowid IN (SELECT rowid FROM hook_payloads
       WHERE created_at < ? LIMIT 5000)`,
    )
    .bind(before)
    .run();
}

/** With its payload, as it was sent or the beginning of it. */
export async function findDelivery(
  db: D1Database,
  hook: string,
  id: string,
): Promise<(DeliveryRow & { payload: string }) | undefined> {
  const row = await db
    .prepare(
      `SELECT ${COLUMNS}, (SELECT payload FROM hook_payloads p
         WHERE p.hook_id = d.hook_id AND p.sha256 = d.payload_sha256) AS payload
       FROM hook_deliveries d WHERE hook_id = ? AND id = ?`,
    )
    .bind(hook, id)
    .first<Row & { payload: string | null }>();
  return row ? { ...fromRow(row), payload: row.payload ?? "" } : undefined;
}

export async function listDeliveries(
  db: D1Database,
  hook: string,
  request: PageRequest,
): Promise<Page<DeliveryRow>> {
  const select = `SELECT ${COLUMNS} FROM hook_deliveries WHERE hook_id = ?`;
  const { rows, next } = await page<Row>(db, select, [hook], request);
  return { rows: rows.map(fromRow), next };
}
