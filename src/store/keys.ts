/** @file API keys and the workspaces they open. D1 holds only a key's SHA-256; a key is 256 random bits, so no salt is needed. */
import { toBase64Url } from "./base64.ts";
import { newId, sha256Hex } from "./id.ts";
import type { Page, PageRequest } from "./page.ts";
import { page } from "./page.ts";

/** `read`: GET and HEAD; `write`: everything else; `admin`: keys, endpoints of webhooks, the audit log, the workspace. */
export const SCOPES = ["read", "write", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  id: string;
  name: string;
  /** The first characters, to tell keys apart. */
  hint: string;
  scopes: Scope[];
  created_at: number;
  expires_at: number | null;
  /** To the minute. */
  last_used_at: number | null;
}

export interface KeyOwner {
  keyId: string;
  workspace: string;
  scopes: Scope[];
  expiresAt: number | null;
  lastUsedAt: number | null;
}

export interface NewApiKey {
  name: string;
  scopes?: readonly Scope[];
  /** Unix milliseconds. */
  expiresAt?: number | undefined;
}

type Row = Omit<ApiKey, "scopes"> & { scopes: string };

const COLUMNS = "id, name, hint, scopes, created_at, expires_at, last_used_at";
/** The last use is written at most this often. */
const USE_MS = 60_000;

const scopesOf = (text: string) => text.split(",") as Scope[];
const fromRow = (row: Row): ApiKey => ({ ...row, scopes: scopesOf(row.scopes) });
const hintOf = (secret: string) => `${secret.slice(0, 9)}…`;

/** A fresh key: `hone_` and 32 random bytes in base64url. */
export function newSecret(): string {
  return randomSecret("hone");
}

/** 256 random bits in base64url, behind a prefix that says what they open. */
export function randomSecret(prefix: string): string {
  return `${prefix}_${toBase64Url(crypto.getRandomValues(new Uint8Array(32)))}`;
}

export interface FoundKey {
  owner: KeyOwner;
  /** When the grace of a rotation ends, of a secret from before it; else `null`. */
  until: number | null;
}

/** The key whose secret has that SHA-256, or had it before a rotation whose grace is not over; an expired one too. */
export async function findKey(db: D1Database, hash: string): Promise<FoundKey | undefined> {
  const row = await db
    .prepare(
      `SELECT id, workspace_id, scopes, expires_at, last_used_at, iif(hash = ?1, NULL, previous_until) AS until
       FROM keys WHERE hash = ?1 OR (previous_hash = ?1 AND previous_until > ?2)`,
    )
    .bind(hash, Date.now())
    .first<Row & { workspace_id: string; until: number | null }>();
  if (!row) return undefined;
  const owner = {
    keyId: row.id,
    workspace: row.workspace_id,
    scopes: scopesOf(row.scopes),
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  };
  return { owner, until: row.until };
}

/** Writes that the key is in use, unless that was written within the last minute. */
export async function touchKey(db: D1Database, owner: KeyOwner): Promise<void> {
  const now = Date.now();
  if (owner.lastUsedAt !== null && now - owner.lastUsedAt < USE_MS) return;
  owner.lastUsedAt = now;
  await db
    .prepare("UPDATE keys SET last_used_at = ?1 WHERE id = ?2 AND coalesce(last_used_at, 0) <= ?3")
    .bind(now, owner.keyId, now - USE_MS)
    .run();
}

/** Stores `secret`'s hash for `workspace`; the secret itself is not kept anywhere. */
export async function addKey(
  db: D1Database,
  workspace: string,
  { name, scopes = SCOPES, expiresAt }: NewApiKey,
  secret: string,
): Promise<ApiKey> {
  const key: ApiKey = {
    id: newId("key"),
    name,
    hint: hintOf(secret),
    scopes: [...scopes],
    created_at: Date.now(),
    expires_at: expiresAt ?? null,
    last_used_at: null,
  };
  await db
    .prepare(
      `INSERT INTO keys (id, workspace_id, name, hash, hint, scopes, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      key.id,
      workspace,
      name,
      await sha256Hex(secret),
      key.hint,
      key.scopes.join(),
      key.created_at,
      key.expires_at,
    )
    .run();
  return key;
}

export async function readKey(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<ApiKey | undefined> {
  const row = await db
    .prepare(`SELECT ${COLUMNS} FROM keys WHERE workspace_id = ? AND id = ?`)
    .bind(workspace, id)
    .first<Row>();
  return row ? fromRow(row) : undefined;
}

export async function listKeys(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<ApiKey>> {
  const { rows, next } = await page<Row>(
    db,
    `SELECT ${COLUMNS} FROM keys WHERE workspace_id = ?`,
    [workspace],
    request,
  );
  return { rows: rows.map(fromRow), next };
}

/**
 * Gives the key `secret` in place of its own, which works for `graceMs` longer; one from a rotation before does not.
 * False when the workspace has no such key.
 */
export async function rotateKey(
  db: D1Database,
  workspace: string,
  id: string,
  secret: string,
  graceMs: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE keys SET previous_hash = iif(?1 > 0, hash, NULL), previous_until = ?2, hash = ?3, hint = ?4
       WHERE id = ?5 AND workspace_id = ?6`,
    )
    .bind(graceMs, Date.now() + graceMs, await sha256Hex(secret), hintOf(secret), id, workspace)
    .run();
  return meta.changes > 0;
}

/** Deletes a key, unless no other could make keys after it for good: that would lock everybody out. */
export async function deleteKey(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<"deleted" | "not_found" | "last_key"> {
  const { meta } = await db
    .prepare(
      `DELETE FROM keys WHERE id = ?1 AND workspace_id = ?2 AND EXISTS
       (SELECT 1 FROM keys other WHERE other.workspace_id = ?2 AND other.id <> ?1
        AND other.expires_at IS NULL AND instr(other.scopes, 'admin') > 0)`,
    )
    .bind(id, workspace)
    .run();
  if (meta.changes > 0) return "deleted";
  return (await readKey(db, workspace, id)) ? "last_key" : "not_found";
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
        hintOf(secret),
        Date.now(),
      ),
  ]);
}
