/**
 * @file The Worker as files that Miniflare can run: bundled by wrangler, resolved from wrangler.toml,
 * kept under dist/ by a hash of its sources, so that only the first start after a change pays for it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { glob, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import type { V4WorkerOptions } from "miniflare";
import { buildWeb } from "./web-build.ts";

export const projectRoot = join(import.meta.dirname, "../..");

export interface Migration {
  name: string;
  statements: string[];
}

export interface WorkerBundle {
  folder: string;
  /** index.js first, then the wasm modules, by their paths in `folder`. */
  modules: { path: string; type: "ESModule" | "CompiledWasm" }[];
  /** Miniflare's options for the bindings that wrangler.toml declares. */
  options: Partial<V4WorkerOptions>;
  migrations: Migration[];
}

/** Everything the bundle depends on; the CLI and this folder run outside of it. */
const SOURCES = [
  "src/**/*.{ts,wasm}",
  "durable-objects/*.ts",
  "migrations/*.sql",
  "wrangler.toml",
  "package-lock.json",
];
const OUTSIDE = ["src/cli/", "src/embedded/", "src/node/", "src/web/", "src/kernels/assembly/"];

/** The bundle of the sources as they are now, built if it is not there yet. */
export async function workerBundle(): Promise<WorkerBundle> {
  await buildWeb();
  const folder = join(projectRoot, "dist", `worker-${await sourceHash()}`);
  const description = join(folder, "bundle.json");
  if (!existsSync(description)) await build(folder);
  return { folder, ...JSON.parse(await readFile(description, "utf8")) };
}

async function sourceHash(): Promise<string> {
  const hash = createHash("sha256");
  const paths: string[] = [];
  for await (const path of glob(SOURCES, { cwd: projectRoot })) {
    if (!OUTSIDE.some((prefix) => path.startsWith(prefix))) paths.push(path);
  }
  for (const path of paths.sort()) {
    hash
      .update(`${path}\0`)
      .update(await readFile(join(projectRoot, path)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/** Builds beside the place and renames, so that two processes that start at once do not disturb each other. */
async function build(folder: string): Promise<void> {
  const dist = join(projectRoot, "dist");
  await mkdir(dist, { recursive: true });
  const workshop = await mkdtemp(join(dist, ".worker-"));
  const wranglerScript = join(
    createRequire(import.meta.url).resolve("wrangler"),
    "../../bin/wrangler.js",
  );
  await promisify(execFile)(
    process.execPath,
    [wranglerScript, "deploy", "--dry-run", "--outdir", workshop],
    {
      cwd: projectRoot,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG: "error" },
    },
  );
  const wasm = (await readdir(workshop)).filter((name) => name.endsWith(".wasm"));
  const modules = [
    { path: "index.js", type: "ESModule" },
    ...wasm.map((path) => ({ path, type: "CompiledWasm" })),
  ];
  const description = { modules, ...(await workerConfiguration()) };
  await writeFile(join(workshop, "bundle.json"), JSON.stringify(description));
  const stale = (await readdir(dist)).filter((name) => name.startsWith("worker-"));
  await rename(workshop, folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    await rm(workshop, { recursive: true });
  });
  for (const name of stale) {
    if (join(dist, name) !== folder) await rm(join(dist, name), { recursive: true, force: true });
  }
}

/** What wrangler.toml says, without a bundle. */
export async function workerConfiguration(): Promise<Pick<WorkerBundle, "options" | "migrations">> {
  const wrangler = await import("wrangler");
  const { workerOptions } = wrangler.unstable_getMiniflareWorkerOptions(
    join(projectRoot, "wrangler.toml"),
  );
  const { modulesRules: _, ...options } = workerOptions;
  const migrations: Migration[] = [];
  for (const name of (await readdir(join(projectRoot, "migrations"))).sort()) {
    const sql = await readFile(join(projectRoot, "migrations", name), "utf8");
    migrations.push({ name, statements: wrangler.unstable_splitSqlQuery(sql) });
  }
  return { options, migrations };
}
