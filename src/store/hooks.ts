/** @file Hooks in D1: each a trigger of its workspace. */
import type { HookConfig, HookSource } from "../jobs/hooks/hook.ts";
import { newId } from "./id.ts";
import { type Page, page, type PageRequest } from "./page.ts";
import { seal, unseal } from "./sealed.ts";

const PURPOSE = "hook secrets";

export interface HookRow {
  id: string;
  workspace: string;
  name: string;
  source: HookSource;
  config: HookConfig;
  created_at: number;
}

type Row = Omit<HookRow, "config"> & { config: string };

const COLUMNS = "id, workspace_id AS workspace, name, source, config, created_at";

const fromRow = <R extends Row>(row: R) => ({
  ...row,
  config: JSON.parse(row.config) as HookConfig,
});

export async function addHook(
  env: Env,
  workspace: string,
  { name, source, config }: Pick<HookRow, "name" | "source" | "config">,
  secret: string,
): Promise<HookRow> {
  const hook = { id: newId("hook"), workspace, name, source, config, created_at: Date.now() };
  await env.DB.prepare(
    `INSERT INTO hooks (id, workspace_id, name, source, secret, config, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  )
    .bind(
      hook.id,
      workspace,
      name,
      source,
      await seal(env, PURPOSE, secret),
      JSON.stringify(config),
      hook.created_at,
    )
    .run();
  return hook;
}

export async function findHook(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<HookRow | undefined> {
  const row = await db
    .prepare(`SELECT ${COLUMNS} FROM hooks WHERE workspace_id = ? AND id = ?`)
    .bind(workspace, id)
    .first<Row>();
  return row ? fromRow(row) : undefined;
}

/** For a delivery, which proves by the secret that it may know the hook. */
export async function openHook(
  env: Env,
  id: string,
): Promise<(HookRow & { secret: string }) | undefined> {
  const row = await env.DB.prepare(`SELECT ${COLUMNS}, secret FROM hooks WHERE id = ?`)
    .bind(id)
    .first<Row & { secret: string }>();
  return row ? { ...fromRow(row), secret: await unseal(env, PURPOSE, row.secret) } : undefined;
}

export async function listHooks(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<HookRow>> {
  const select = `SELECT ${COLUMNS} FROM hooks WHERE workspace_id = ?`;
  const { rows, next } = await page<Row>(db, select, [workspace], request);
  return { rows: rows.map(fromRow), next };
}

/** Those that listen to one source, the oldest first. */
export async function listeningHooks(
  db: D1Database,
  workspace: string,
  source: HookSource,
  limit: number,
): Promise<HookRow[]> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS} FROM hooks WHERE workspace_id = ? AND source = ? ORDER BY created_at LIMIT ?`,
    )
    .bind(workspace, source, limit)
    .all<Row>();
  return results.map(fromRow);
}

/** Its deliveries go too. */
export async function deleteHook(db: D1Database, workspace: string, id: string): Promise<boolean> {
  const { meta } = await db
    .prepare("DELETE FROM hooks WHERE id = ? AND workspace_id = ?")
    .bind(id, workspace)
    .run();
  return meta.changes > 0;
}
