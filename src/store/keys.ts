/** @file API keys and the workspaces they open. D1 holds only a key's SHA-256; a key is 256 random bits, so no salt is needed. */
import { newId, sha256Hex } from "./id.ts";
import type { Page, PageRequest } from "./page.ts";
import { page } from "./page.ts";

export interface ApiKey {
  id: string;
  name: string;
  /** The first characters, to tell keys apart. */
  hint: string;
  created_at: number;
}

export interface KeyOwner {
  keyId: string;
  workspace: string;
}

/** A fresh key: `hone_` and 32 random bytes in base64url. */
export function newSecret(): string {
  return randomSecret("hone");
}

/** 256 random bits in base64url, behind a prefix that says what they open. */
export function randomSecret(prefix: string): string {
  const random = crypto.getRandomValues(new Uint8Array(32));
  return `${prefix}_${btoa(String.fromCharCode(...random))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "")}`;
}

export async function findKey(db: D1Database, secret: string): Promise<KeyOwner | undefined> {
  const row = await db
    .prepare("SELECT id, workspace_id FROM keys WHERE hash = ?")
    .bind(await sha256Hex(secret))
    .first<{ id: string; workspace_id: string }>();
  return row ? { keyId: row.id, workspace: row.workspace_id } : undefined;
}

/** Stores `secret`'s hash for `workspace`; the secret itself is not kept anywhere. */
export async function addKey(
  db: D1Database,
  workspace: string,
  name: string,
  secret: string,
): Promise<ApiKey> {
  const key = { id: newId("key"), name, hint: `${secret.slice(0, 9)}…`, created_at: Date.now() };
  await db
    .prepare(
      "INSERT INTO keys (id, workspace_id, name, hash, hint, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(key.id, workspace, name, await sha256Hex(secret), key.hint, key.created_at)
    .run();
  return key;
}

export async function listKeys(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<ApiKey>> {
  return await page<ApiKey>(
    db,
    "SELECT id, name, hint, created_at FROM keys WHERE workspace_id = ?",
    [workspace],
    request,
  );
}

/** Deletes a key, unless it is the workspace's last one: that would lock everybody out. */
export async function deleteKey(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<"deleted" | "not_found" | "last_key"> {
  const { meta } = await db
    .prepare(
      `DELETE FROM keys WHERE id = ?1 AND workspace_id = ?2
       AND (SELECT count(*) FROM keys WHERE workspace_id = ?2) > 1`,
    )
    .bind(id, workspace)
    .run();
  if (meta.changes > 0) return "deleted";
  const row = await db
    .prepare("SELECT 1 FROM keys WHERE id = ? AND workspace_id = ?")
    .bind(id, workspace)
    .first();
  return row ? "last_key" : "not_found";
}

/** Makes sure that `secret` opens the workspace `id`; for the first start of a service. */
export async function ensureKey(
  db: D1Database,
  workspace: { id: string; name: string },
  secret: string,
): Promise<void> {
  await db.batch([
    db
      .prepare("INSERT OR IGNORE INTO workspaces (id, name, created_at) VALUES (?, ?, ?)")
      .bind(workspace.id, workspace.name, Date.now()),
    db
      .prepare(
        "INSERT OR IGNORE INTO keys (id, workspace_id, name, hash, hint, created_at) VALUES (?, ?, ?, ?, ?, ?)",
      )
      .bind(
        newId("key"),
        workspace.id,
        "first",
        await sha256Hex(secret),
        `${secret.slice(0, 9)}…`,
        Date.now(),
      ),
  ]);
}
