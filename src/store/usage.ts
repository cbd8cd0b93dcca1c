/** @file What a workspace used on each day (UTC); jobs are counted by a trigger of migrations/0007_keys.sql. */

export interface Counts {
  requests: number;
  bytes_in: number;
  bytes_out: number;
}

export interface UsageDay extends Counts {
  /** `2026-11-24` */
  day: string;
  /** That ended. */
  jobs: number;
  /** From their begin to their end. */
  job_seconds: number;
}

export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** Adds to today's counters; those of a workspace that is being deleted are dropped. */
export async function addUsage(
  db: D1Database,
  counts: Iterable<[workspace: string, Counts]>,
): Promise<void> {
  const day = dayOf(Date.now());
  const statements = Array.from(counts, ([workspace, { requests, bytes_in, bytes_out }]) =>
    db
      .prepare(
        `INSERT INTO usage (workspace_id, day, requests, bytes_in, bytes_out) SELECT ?1, ?2, ?3, ?4, ?5
         WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = ?1 AND deleted_at IS NULL)
         ON CONFLICT (workspace_id, day) DO UPDATE SET requests = requests + excluded.requests,
         bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out`,
      )
      .bind(workspace, day, requests, bytes_in, bytes_out),
  );
  if (statements.length > 0) await db.batch(statements);
}

/** Days with any use, oldest first. */
export async function readUsage(
  db: D1Database,
  workspace: string,
  from: string,
  to: string,
): Promise<UsageDay[]> {
  const { results } = await db
    .prepare(
      `SELECT day, requests, bytes_in, bytes_out, jobs, job_seconds FROM usage
       WHERE workspace_id = ? AND day BETWEEN ? AND ? ORDER BY day`,
    )
    .bind(workspace, from, to)
    .all<UsageDay>();
  return results;
}
