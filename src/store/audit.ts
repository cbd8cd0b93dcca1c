/** @file The audit log: who asked for which change, and what became of it. */
import { newId } from "./id.ts";
import { type Page, page, type PageRequest } from "./page.ts";

const LIFETIME_MS = 90 * 24 * 60 * 60 * 1000;

export interface AuditEntry {
  id: string;
  key_id: string;
  /** Method and route. */
  action: string;
  /** The path of what was made, changed or deleted. */
  resource: string;
  status: number;
  request_id: string;
  created_at: number;
}

/** Enters a change; of a workspace that is being deleted nothing is kept. */
export async function addAuditEntry(
  db: D1Database,
  workspace: string,
  entry: Omit<AuditEntry, "id" | "created_at">,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO audit_log (id, workspace_id, key_id, action, resource, status, request_id, created_at)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
       WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = ?2 AND deleted_at IS NULL)`,
    )
    .bind(
      newId("audit"),
      workspace,
      entry.key_id,
      entry.action,
      entry.resource,
      entry.status,
      entry.request_id,
      Date.now(),
    )
    .run();
}

/** Newest first. */
export async function listAuditEntries(
  db: D1Database,
  workspace: string,
  keyId: string | undefined,
  request: PageRequest,
): Promise<Page<AuditEntry>> {
  return await page<AuditEntry>(
    db,
    `SELECT id, key_id, action, resource, status, request_id, created_at FROM audit_log
     WHERE workspace_id = ? ${keyId === undefined ? "" : "AND key_id = ?"}`,
    keyId === undefined ? [workspace] : [workspace, keyId],
    request,
  );
}

export async function sweepAudit(db: D1Database, now: number): Promise<void> {
  await db
    .prepare("DELETE FROM audit_log WHERE created_at <= ?")
    .bind(now - LIFETIME_MS)
    .run();
}
