/** @file A data folder of any earlier version becomes the present one, with its rows. */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { workerConfiguration } from "../../src/embedded/bundle.ts";
import { startService } from "../../src/embedded/host.ts";
import { migrate } from "../../src/embedded/migrate.ts";
import { openStorage } from "../../src/embedded/storage.ts";
import { ensureKey } from "../../src/store/keys.ts";
import { caller, newDataDir } from "./service.ts";

const { migrations } = await workerConfiguration();

/** Rows that a version may have written, by the migration that made their table. */
const ROWS: Record<string, string> = {
  "0001_catalogue.sql":
    "INSERT INTO workspaces (id, name, created_at) VALUES ('ws_local', 'local', 1)",
  "0002_datasets.sql": `INSERT INTO datasets (id, workspace_id, name, format, rows, sha256, created_at)
    VALUES ('dataset_old', 'ws_local', 'kept.csv', 'csv', 2, 'ab', 1)`,
  "0005_webhooks.sql": `INSERT INTO webhook_endpoints (id, workspace_id, url, events, description, created_at)
    VALUES ('whe_old', 'ws_local', 'https://example.com/', '["*"]', '', 1)`,
  "0006_recipes.sql": `INSERT INTO hooks (id, workspace_id, name, source, secret, config, created_at)
    VALUES ('hook_old', 'ws_local', 'kept', 'github', '', '{"filter":{},"model":{},"recipe":{"reference":"r"},"deliver":{"to":"catalogue"}}', 1)`,
};

/** Names and texts of all tables, indexes and triggers. */
async function schemaOf(db: D1Database): Promise<unknown[]> {
  const { results } = await db
    .prepare(
      `SELECT name, sql FROM sqlite_master
       WHERE sql IS NOT NULL AND name NOT LIKE '_cf_%' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
    )
    .all();
  return results;
}

/** What the first `count` migrations made, and a row in each table that `ROWS` names. */
async function oldData(db: D1Database, count: number): Promise<void> {
  const old = migrations.slice(0, count);
  for (const migration of old) {
    await migrate(db, [migration]);
    const row = ROWS[migration.name];
    if (row) await db.prepare(row).run();
  }
}

it("after each number of migrations, the rest leads to the same schema and keeps the rows", async () => {
  const schemas: unknown[][] = [];
  for (let count = 0; count <= migrations.length; count++) {
    const dataDir = await newDataDir();
    const { db, close } = await openStorage(dataDir);
    await oldData(db, count);
    await migrate(db, migrations);
    schemas.push(await schemaOf(db));
    const known = migrations.slice(0, count).filter(({ name }) => ROWS[name] !== undefined);
    for (const [table, made] of [
      ["workspaces", "0001_catalogue.sql"],
      ["datasets", "0002_datasets.sql"],
      ["webhook_endpoints", "0005_webhooks.sql"],
      ["hooks", "0006_recipes.sql"],
    ]) {
      const rows = await db.prepare(`SELECT count(*) AS n FROM ${table}`).first<{ n: number }>();
      const expected = known.some(({ name }) => name === made) ? 1 : 0;
      expect([count, table, rows?.n]).toEqual([count, table, expected]);
    }
    await close();
    await rm(dataDir, { recursive: true });
  }
  for (const schema of schemas) expect(schema).toEqual(schemas[0]);
  expect(schemas[0]?.length).toBeGreaterThan(30);
});

it("a service starts on the data of the oldest version that had keys, and serves what is there", async () => {
  const dataDir = await newDataDir();
  const { db, close } = await openStorage(dataDir);
  await oldData(db, 6);
  await ensureKey(db, { id: "ws_local", name: "local" }, "a-key-of-before");
  await close();
  const service = await startService({ dataDir });
  const call = caller({ ...service, apiKey: "a-key-of-before" });
  const ids = async (path: string) => {
    const { data } = (await (await call(path)).json()) as { data: { id: string }[] };
    return data.map(({ id }) => id);
  };
  expect(await ids("/v1/datasets")).toEqual(["dataset_old"]);
  expect(await ids("/v1/webhook-endpoints")).toEqual(["whe_old"]);
  expect(await ids("/v1/hooks")).toEqual(["hook_old"]);
  const keys = (await (await call("/v1/keys")).json()) as { data: { scopes: string[] }[] };
  for (const { scopes } of keys.data) expect(scopes).toEqual(["read", "write", "admin"]);
  for (const path of [
    "/v1/audit-log",
    "/v1/usage",
    "/v1/workspace",
    "/v1/hooks/hook_old/deliveries",
  ])
    expect([path, (await call(path)).status]).toEqual([path, 200]);
  await service.stop();
  await rm(dataDir, { recursive: true });
});

it("migrations are numbered without a gap, and none is left out", async () => {
  const folder = join(import.meta.dirname, "../../migrations");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort();
  expect(names.map((name) => Number(name.slice(0, 4)))).toEqual(names.map((_, index) => index + 1));
  expect(migrations.map(({ name }) => name)).toEqual(names);
  for (const name of names)
    expect(await readFile(join(folder, name), "utf8")).not.toMatch(/^DROP /m);
});
