/** @file Runner tokens: made by a key's owner, good for one workspace and a short time, revocable at once. */
import { newId, sha256Hex } from "./id.ts";
import { type Page, page, type PageRequest } from "./page.ts";
import { randomSecret } from "./keys.ts";

export interface RunnerToken {
  id: string;
  name: string;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
}

export interface TokenOwner {
  tokenId: string;
  workspace: string;
  expired: boolean;
}

const COLUMNS = "id, name, created_at, expires_at, revoked_at";

/** @returns the token's row and, this once, the token itself: `hrt_` and 32 random bytes in base64url */
export async function addRunnerToken(
  db: D1Database,
  workspace: string,
  name: string,
  lifeMs: number,
): Promise<{ token: RunnerToken; secret: string }> {
  const secret = randomSecret("hrt");
  const now = Date.now();
  const token = {
    id: newId("runtok"),
    name,
    created_at: now,
    expires_at: now + lifeMs,
    revoked_at: null,
  };
  await db
    .prepare(
      "INSERT INTO runner_tokens (id, workspace_id, name, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(token.id, workspace, name, await sha256Hex(secret), token.created_at, token.expires_at)
    .run();
  return { token, secret };
}

/** The owner of a token that was not revoked; `expired` ones still let a runner of theirs come back. */
export async function findRunnerToken(
  db: D1Database,
  secret: string,
): Promise<TokenOwner | undefined> {
  const row = await db
    .prepare(
      "SELECT id, workspace_id, expires_at FROM runner_tokens WHERE hash = ? AND revoked_at IS NULL",
    )
    .bind(await sha256Hex(secret))
    .first<{ id: string; workspace_id: string; expires_at: number }>();
  if (!row) return undefined;
  return { tokenId: row.id, workspace: row.workspace_id, expired: row.expires_at <= Date.now() };
}

export async function readRunnerToken(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<RunnerToken | undefined> {
  const select = `SELECT ${COLUMNS} FROM runner_tokens WHERE workspace_id = ? AND id = ?`;
  return (await db.prepare(select).bind(workspace, id).first<RunnerToken>()) ?? undefined;
}

/** Newest first. */
export async function listRunnerTokens(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<RunnerToken>> {
  return await page<RunnerToken>(
    db,
    `SELECT ${COLUMNS} FROM runner_tokens WHERE workspace_id = ?`,
    [workspace],
    request,
  );
}

/** False when the workspace has no such token. */
export async function revokeRunnerToken(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      "UPDATE runner_tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND workspace_id = ?",
    )
    .bind(Date.now(), id, workspace)
    .run();
  return meta.changes > 0;
}
