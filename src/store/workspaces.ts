/** @file Workspaces: what they hold, and how all of it is deleted. */

export interface Workspace {
  id: string;
  name: string;
  created_at: number;
}

export async function findWorkspace(db: D1Database, id: string): Promise<Workspace | undefined> {
  const row = await db
    .prepare("SELECT id, name, created_at FROM workspaces WHERE id = ? AND deleted_at IS NULL")
    .bind(id)
    .first<Workspace>();
  return row ?? undefined;
}

/** Bytes of models, datasets and parts of uploads. */
export async function storedBytes(db: D1Database, workspace: string): Promise<number> {
  const row = await db
    .prepare(
      `SELECT
        (SELECT coalesce(sum(bytes), 0) FROM blobs WHERE workspace_id = ?1) +
        (SELECT coalesce(sum(f.bytes), 0) FROM datasets d JOIN dataset_fields f ON f.dataset_id = d.id
         WHERE d.workspace_id = ?1) +
        (SELECT coalesce(sum(p.bytes), 0) FROM uploads u JOIN upload_parts p ON p.upload_id = u.id
         WHERE u.workspace_id = ?1 AND u.state IN ('open', 'completing')) AS bytes`,
    )
    .bind(workspace)
    .first<{ bytes: number }>();
  return row?.bytes ?? 0;
}

/** From here on no key and no token opens it, and the sweep deletes what is left of it. */
export async function closeWorkspace(db: D1Database, id: string): Promise<void> {
  await db.batch([
    db.prepare("UPDATE workspaces SET deleted_at = ? WHERE id = ?").bind(Date.now(), id),
    db.prepare("DELETE FROM keys WHERE workspace_id = ?").bind(id),
    db.prepare("DELETE FROM runner_tokens WHERE workspace_id = ?").bind(id),
  ]);
}

export async function closedWorkspaces(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare("SELECT id FROM workspaces WHERE deleted_at IS NOT NULL LIMIT ?")
    .bind(limit)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Deletes the objects under a prefix. */
export async function deletePrefix(bucket: R2Bucket, prefix: string): Promise<void> {
  for (;;) {
    const { objects } = await bucket.list({ prefix });
    if (objects.length === 0) return;
    await bucket.delete(objects.map(({ key }) => key));
  }
}

/** Ends uploads in parts, whose bytes no list of the bucket shows. */
export async function abortMultiparts(env: Env, prefix: string): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT object_key, multipart_id FROM temporary_objects WHERE object_key >= ?1 AND object_key < ?1 || '~'",
  )
    .bind(prefix)
    .all<{ object_key: string; multipart_id: string | null }>();
  for (const { object_key: key, multipart_id: id } of results) {
    if (id === null) continue;
    // One that was completed or aborted already cannot be aborted again.
    await env.BLOBS.resumeMultipartUpload(key, id)
      .abort()
      .catch(() => undefined);
  }
}

/**
 * Deletes every row of a workspace, its own at last. Which tables have such rows the schema says, so that no table
 * can be forgotten.
 */
export async function deleteRows(db: D1Database, workspace: string, prefix: string): Promise<void> {
  const { results } = await db
    .prepare(
      `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
       WHERE m.type = 'table' AND substr(m.name, 1, 4) <> '_cf_' AND c.name = 'workspace_id'`,
    )
    .all<{ name: string }>();
  // Without endpoints the triggers write no events.
  const first = "webhook_endpoints";
  const tables = [first, ...results.map(({ name }) => name).filter((name) => name !== first)];
  await db.batch([
    db.prepare("PRAGMA defer_foreign_keys = true"),
    ...tables.map((table) =>
      db.prepare(`DELETE FROM "${table}" WHERE workspace_id = ?`).bind(workspace),
    ),
    db
      .prepare("DELETE FROM temporary_objects WHERE object_key >= ?1 AND object_key < ?1 || '~'")
      .bind(prefix),
    db.prepare("DELETE FROM workspaces WHERE id = ?").bind(workspace),
  ]);
}
