/** @file Webhook endpoints in D1: where a workspace's events go. */
import { newId } from "./id.ts";
import { type Page, page, type PageRequest } from "./page.ts";

export interface WebhookEndpointRow {
  id: string;
  url: string;
  events: string[];
  description: string;
  disabled_reason: string | null;
  created_at: number;
}

type Row = Omit<WebhookEndpointRow, "events"> & { events: string };

const COLUMNS = "id, url, events, description, disabled_reason, created_at";

const fromRow = (row: Row): WebhookEndpointRow => ({ ...row, events: JSON.parse(row.events) });

export async function addEndpoint(
  db: D1Database,
  workspace: string,
  { url, events, description }: Pick<WebhookEndpointRow, "url" | "events" | "description">,
): Promise<WebhookEndpointRow> {
  const endpoint = {
    id: newId("whe"),
    url,
    events,
    description,
    disabled_reason: null,
    created_at: Date.now(),
  };
  await db
    .prepare(
      `INSERT INTO webhook_endpoints (id, workspace_id, url, events, description, created_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
    )
    .bind(endpoint.id, workspace, url, JSON.stringify(events), description, endpoint.created_at)
    .run();
  return endpoint;
}

export async function findEndpoint(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<WebhookEndpointRow | undefined> {
  const row = await db
    .prepare(`SELECT ${COLUMNS} FROM webhook_endpoints WHERE workspace_id = ? AND id = ?`)
    .bind(workspace, id)
    .first<Row>();
  return row ? fromRow(row) : undefined;
}

export async function listEndpoints(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<WebhookEndpointRow>> {
  const { rows, next } = await page<Row>(
    db,
    `SELECT ${COLUMNS} FROM webhook_endpoints WHERE workspace_id = ?`,
    [workspace],
    request,
  );
  return { rows: rows.map(fromRow), next };
}

/** Those that are sent to. */
export async function liveEndpoints(
  db: D1Database,
  workspace: string,
): Promise<WebhookEndpointRow[]> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS} FROM webhook_endpoints WHERE workspace_id = ? AND disabled_reason IS NULL`,
    )
    .bind(workspace)
    .all<Row>();
  return results.map(fromRow);
}

/** @param reason `null` sends again */
export async function setDisabled(
  db: D1Database,
  id: string,
  reason: string | null,
): Promise<void> {
  await db
    .prepare("UPDATE webhook_endpoints SET disabled_reason = ? WHERE id = ?")
    .bind(reason, id)
    .run();
}

export async function deleteEndpoint(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<boolean> {
  const { meta } = await db
    .prepare("DELETE FROM webhook_endpoints WHERE id = ? AND workspace_id = ?")
    .bind(id, workspace)
    .run();
  return meta.changes > 0;
}
