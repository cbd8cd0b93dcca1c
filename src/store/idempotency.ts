/** @file Answers kept by Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), for 24 hours. */

import { seal, unseal } from "./sealed.ts";

/** No answer is written like this: they are JSON, or empty. */
const SEALED = "sealed:";
const PURPOSE = "idempotency";
const LIFETIME_MS = 24 * 60 * 60 * 1000;
/** A first request that has not ended by then died. */
const CLAIM_MS = 16 * 60 * 1000;

export interface StoredAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface Call {
  workspace: string;
  key: string;
  /** Method, path and query. */
  call: string;
  /** SHA-256 of the body. */
  bodySha256: string;
}

export type Claim =
  | { outcome: "claimed" }
  | { outcome: "in_progress" }
  | { outcome: "reused" }
  | { outcome: "answered"; answer: StoredAnswer };

interface Row {
  call: string;
  body_sha256: string;
  status: number | null;
  headers: string | null;
  body: string | null;
}

/** Claims the key for this call, or says what became of the call that has it. */
export async function claimKey(env: Env, call: Call): Promise<Claim> {
  const db = env.DB;
  const now = Date.now();
  const [, inserted, found] = await db.batch<Row>([
    db
      .prepare(
        "DELETE FROM idempotency_keys WHERE workspace_id = ? AND key = ? AND expires_at <= ?",
      )
      .bind(call.workspace, call.key, now),
    db
      .prepare(
        `INSERT OR IGNORE INTO idempotency_keys (workspace_id, key, call, body_sha256, expires_at)
         VALUES (?, ?, ?, ?, ?)`,
      )
      .bind(call.workspace, call.key, call.call, call.bodySha256, now + CLAIM_MS),
    db
      .prepare(
        "SELECT call, body_sha256, status, headers, body FROM idempotency_keys WHERE workspace_id = ? AND key = ?",
      )
      .bind(call.workspace, call.key),
  ]);
  if (inserted?.meta.changes) return { outcome: "claimed" };
  const row = found?.results[0];
  if (row?.call !== call.call || row.body_sha256 !== call.bodySha256) return { outcome: "reused" };
  if (row.status === null) return { outcome: "in_progress" };
  const headers = JSON.parse(row.headers ?? "{}");
  const body = await openBody(env, row.body ?? "");
  return { outcome: "answered", answer: { status: row.status, headers, body } };
}

/** Answers may hold secrets that are shown once: where the service has a secret of its own, they are kept sealed. */
export async function keepAnswer(env: Env, call: Call, answer: StoredAnswer): Promise<void> {
  const body = env.SIGNING_SECRET ? SEALED + (await seal(env, PURPOSE, answer.body)) : answer.body;
  await env.DB.prepare(
    `UPDATE idempotency_keys SET status = ?, headers = ?, body = ?, expires_at = ?
       WHERE workspace_id = ? AND key = ?`,
  )
    .bind(
      answer.status,
      JSON.stringify(answer.headers),
      body,
      Date.now() + LIFETIME_MS,
      call.workspace,
      call.key,
    )
    .run();
}

async function openBody(env: Env, body: string): Promise<string> {
  return body.startsWith(SEALED) ? await unseal(env, PURPOSE, body.slice(SEALED.length)) : body;
}

/** Lets the key be used again: the call failed through no fault of its own. */
export async function dropKey(db: D1Database, call: Call): Promise<void> {
  await db
    .prepare("DELETE FROM idempotency_keys WHERE workspace_id = ? AND key = ?")
    .bind(call.workspace, call.key)
    .run();
}

export async function sweepKeys(db: D1Database, now: number): Promise<void> {
  await db.prepare("DELETE FROM idempotency_keys WHERE expires_at <= ?").bind(now).run();
}
