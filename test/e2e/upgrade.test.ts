import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { expect, it } from "vitest";
import { unstable_splitSqlQuery as statementsOf } from "wrangler";
import { workerBundle } from "../../src/embedded/bundle.ts";
import { startService } from "../../src/embedded/host.ts";
import { ensureKey } from "../../src/store/keys.ts";
import { caller, newDataDir } from "./service.ts";

const migrations = join(import.meta.dirname, "../../migrations");
const OLD = ["0001_catalogue.sql", "0002_datasets.sql", "0003_training.sql"];

/** A data folder as the service left it when it knew three migrations only. */
async function oldData(dataDir: string): Promise<void> {
  const { options } = await workerBundle();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      resourcePersistencePath: dataDir,
      workers: [
        {
          name: "before",
          modules: [{ type: "ESModule", path: "before.js", contents: "export default {}" }],
          d1Databases: options.d1Databases ?? {},
        },
      ],
    }),
  );
  const db = (await miniflare.getD1Database("DB")) as unknown as D1Database;
  await db
    .prepare("CREATE TABLE d1_migrations (name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)")
    .run();
  for (const file of OLD) {
    const sql = await readFile(join(migrations, file), "utf8");
    await db.batch(statementsOf(sql).map((statement) => db.prepare(statement)));
    await db.prepare("INSERT INTO d1_migrations VALUES (?, ?)").bind(file, Date.now()).run();
  }
  await db.batch([
    db.prepare("INSERT INTO workspaces VALUES ('ws_local', 'local', 1)"),
    db.prepare(
      `INSERT INTO datasets VALUES ('dataset_old', 'ws_local', 'kept.csv', 'csv', 2, 'ab', 1)`,
    ),
  ]);
  await ensureKey(db, { id: "ws_local", name: "local" }, "a-key-of-before");
  await miniflare.dispose();
}

it("a data folder of migrations 0001 to 0003 is upgraded: keys, rows and all later tables", async () => {
  const dataDir = await newDataDir();
  await oldData(dataDir);
  const service = await startService({ dataDir });
  const call = caller({ ...service, apiKey: "a-key-of-before" });
  const datasets = (await (await call("/v1/datasets")).json()) as { data: { id: string }[] };
  expect(datasets.data.map(({ id }) => id)).toEqual(["dataset_old"]);
  const keys = (await (await call("/v1/keys")).json()) as { data: { scopes: string[] }[] };
  for (const { scopes } of keys.data) expect(scopes).toEqual(["read", "write", "admin"]);
  for (const path of ["/v1/webhook-endpoints", "/v1/audit-log", "/v1/usage", "/v1/workspace"])
    expect([path, (await call(path)).status]).toEqual([path, 200]);
  await service.stop();
  await rm(dataDir, { recursive: true });
});

it("migrations are numbered without a gap", async () => {
  const names = (await readdir(migrations)).filter((name) => name.endsWith(".sql")).sort();
  expect(names.map((name) => Number(name.slice(0, 4)))).toEqual(names.map((_, index) => index + 1));
});
