/** @file The jobs' mirror in D1: for lists, for who may see a job, and for which models are in use. */
import type { Page, PageRequest } from "./page.ts";
import { page } from "./page.ts";

export interface JobRow {
  id: string;
  state: string;
  /** JSON */
  view: string;
  created_at: number;
}

export interface NewJobRow {
  id: string;
  workspace: string;
  operation: string;
  modelId: string;
  view: string;
  /** Ids of what the job reads beside its model. */
  inputs: readonly string[];
}

/** Enters a job, if its model is there: from then on neither that nor the inputs can be deleted. True for one that is there. */
export async function addJobRow(db: D1Database, row: NewJobRow): Promise<boolean> {
  const [entered] = await db.batch([
    db
      .prepare(
        `INSERT INTO jobs (id, workspace_id, operation, model_id, state, view, created_at)
         SELECT ?1, ?2, ?3, ?4, 'queued', ?5, ?6 WHERE EXISTS
         (SELECT 1 FROM models WHERE id = ?4 AND workspace_id = ?2) ON CONFLICT (id) DO NOTHING`,
      )
      .bind(row.id, row.workspace, row.operation, row.modelId, row.view, Date.now()),
    db
      .prepare(
        `INSERT OR IGNORE INTO job_inputs (job_id, input_id)
         SELECT jobs.id, json_each.value FROM jobs, json_each(?2) WHERE jobs.id = ?1`,
      )
      .bind(row.id, JSON.stringify(row.inputs)),
  ]);
  if ((entered?.meta.changes ?? 0) > 0) return true;
  return (await findJobRow(db, row.workspace, row.id)) !== undefined;
}

export async function mirrorJob(
  db: D1Database,
  id: string,
  state: string,
  view: string,
): Promise<void> {
  await db.prepare("UPDATE jobs SET state = ?, view = ? WHERE id = ?").bind(state, view, id).run();
}

export async function removeJobRow(db: D1Database, id: string): Promise<void> {
  await db.prepare("DELETE FROM jobs WHERE id = ?").bind(id).run();
}

export async function findJobRow(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<JobRow | undefined> {
  const row = await db
    .prepare("SELECT id, state, view, created_at FROM jobs WHERE workspace_id = ? AND id = ?")
    .bind(workspace, id)
    .first<JobRow>();
  return row ?? undefined;
}

export async function listJobRows(
  db: D1Database,
  workspace: string,
  filters: {
    state?: string | undefined;
    model_id?: string | undefined;
    operation?: string | undefined;
  },
  request: PageRequest,
): Promise<Page<JobRow>> {
  const given = Object.entries(filters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const conditions = given.map(([column]) => `AND ${column} = ?`).join(" ");
  const select = `SELECT id, state, view, created_at FROM jobs WHERE workspace_id = ? ${conditions}`;
  return await page<JobRow>(db, select, [workspace, ...given.map(([, value]) => value)], request);
}
