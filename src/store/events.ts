/** @file Events that were not handed to the endpoints yet (migrations/0005_webhooks.sql writes most of them). */
import { newId } from "./id.ts";

export interface StoredEvent {
  number: number;
  id: string;
  type: string;
  /** JSON */
  data: string;
  created_at: number;
}

/** For what no row of the catalogue tells of. */
export async function addEvent(
  db: D1Database,
  workspace: string,
  type: string,
  data: unknown,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO events (id, workspace_id, type, data, created_at) SELECT ?1, ?2, ?3, ?4, ?5
       WHERE EXISTS (SELECT 1 FROM webhook_endpoints WHERE workspace_id = ?2)`,
    )
    .bind(newId("evt"), workspace, type, JSON.stringify(data), Date.now())
    .run();
}

/** The oldest, in order. */
export async function nextEvents(
  db: D1Database,
  workspace: string,
  limit: number,
): Promise<StoredEvent[]> {
  const { results } = await db
    .prepare(
      "SELECT number, id, type, data, created_at FROM events WHERE workspace_id = ? ORDER BY number LIMIT ?",
    )
    .bind(workspace, limit)
    .all<StoredEvent>();
  return results;
}

export async function deleteEventsUpTo(
  db: D1Database,
  workspace: string,
  number: number,
): Promise<void> {
  await db
    .prepare("DELETE FROM events WHERE workspace_id = ? AND number <= ?")
    .bind(workspace, number)
    .run();
}

/** Workspaces whose events wait, for the sweep. */
export async function workspacesWithEvents(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare("SELECT DISTINCT workspace_id FROM events LIMIT ?")
    .bind(limit)
    .all<{ workspace_id: string }>();
  return results.map(({ workspace_id }) => workspace_id);
}
