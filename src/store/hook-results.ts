/** @file Results of hooks on their way to where they go beside the catalogue. The queue only says that there is one. */
import type { HookTarget, ResultAttempt, ResultPlace, ResultState } from "../jobs/hooks/hook.ts";

export interface ResultRow {
  delivery_id: string;
  workspace_id: string;
  job_id: string;
  target: HookTarget;
  state: ResultState;
  attempts: number;
  log: ResultAttempt[];
  places: ResultPlace[];
  next_at: number;
}

type Row = Omit<ResultRow, "target" | "log" | "places"> &
  Record<"target" | "log" | "places", string>;

const COLUMNS = "delivery_id, workspace_id, job_id, target, state, attempts, log, places, next_at";

const fromRow = (row: Row): ResultRow => ({
  ...row,
  target: JSON.parse(row.target),
  log: JSON.parse(row.log),
  places: JSON.parse(row.places),
});

/** Before its job is ordered; one that is there already stays as it is. */
export async function addResult(
  db: D1Database,
  { id, workspace, job }: { id: string; workspace: string; job: string },
  target: HookTarget,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO hook_results (${COLUMNS}) VALUES (?, ?, ?, ?, 'waiting', 0, '[]', '[]', ?)
       ON CONFLICT (delivery_id) DO NOTHING`,
    )
    .bind(id, workspace, job, JSON.stringify(target), Date.now())
    .run();
}

export async function findResult(db: D1Database, delivery: string): Promise<ResultRow | undefined> {
  const row = await db
    .prepare(`SELECT ${COLUMNS} FROM hook_results WHERE delivery_id = ?`)
    .bind(delivery)
    .first<Row>();
  return row ? fromRow(row) : undefined;
}

export async function findResults(
  db: D1Database,
  deliveries: readonly string[],
): Promise<Map<string, ResultRow>> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS} FROM hook_results WHERE delivery_id IN (SELECT value FROM json_each(?))`,
    )
    .bind(JSON.stringify(deliveries))
    .all<Row>();
  return new Map(results.map((row) => [row.delivery_id, fromRow(row)]));
}

/** Takes it for `leaseMs`, if it is due. The first attempt is due as soon as the job is over. */
export async function takeResult(
  db: D1Database,
  delivery: string,
  leaseMs: number,
): Promise<ResultRow | undefined> {
  const now = Date.now();
  const row = await db
    .prepare(
      `UPDATE hook_results SET state = 'working', attempts = attempts + 1, next_at = ?2
       WHERE delivery_id = ?1 AND (state = 'waiting' AND (attempts = 0 OR next_at <= ?3)
         OR state = 'working' AND next_at <= ?3)
       RETURNING ${COLUMNS}`,
    )
    .bind(delivery, now + leaseMs, now)
    .first<Row>();
  return row ? fromRow(row) : undefined;
}

/** Says that the work goes on. */
export async function keepResult(db: D1Database, delivery: string, leaseMs: number): Promise<void> {
  await db
    .prepare("UPDATE hook_results SET next_at = ? WHERE delivery_id = ? AND state = 'working'")
    .bind(Date.now() + leaseMs, delivery)
    .run();
}

export async function settleResult(
  db: D1Database,
  delivery: string,
  { state, log, places, next_at }: Pick<ResultRow, "state" | "log" | "places" | "next_at">,
): Promise<void> {
  await db
    .prepare(
      "UPDATE hook_results SET state = ?, log = ?, places = ?, next_at = ? WHERE delivery_id = ?",
    )
    .bind(state, JSON.stringify(log), JSON.stringify(places), next_at, delivery)
    .run();
}

/** There is no job, and will be none. */
export async function dropResult(db: D1Database, delivery: string): Promise<void> {
  await db.prepare("DELETE FROM hook_results WHERE delivery_id = ?").bind(delivery).run();
}

/** The job goes on: it will say when it is over. */
export async function postponeResult(db: D1Database, delivery: string, at: number): Promise<void> {
  await db
    .prepare("UPDATE hook_results SET next_at = ? WHERE delivery_id = ? AND state = 'waiting'")
    .bind(at, delivery)
    .run();
}

/** Those that are due, and those that somebody works on, who may be dead; the oldest first. */
export async function waitingResults(
  db: D1Database,
  now: number,
  limit: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT delivery_id FROM hook_results
       WHERE state = 'waiting' AND next_at <= ?1 OR state = 'working' ORDER BY next_at LIMIT ?2`,
    )
    .bind(now, limit)
    .all<{ delivery_id: string }>();
  return results.map(({ delivery_id }) => delivery_id);
}
