/** @file Bundles `ort-service.ts` once per state of its sources, and describes it as an auxiliary worker. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

const HERE = import.meta.dirname;
const PROJECT = join(HERE, "../../..");
const CACHE = join(PROJECT, ".cache");

/** Options of miniflare for the worker "ort". */
export async function ortService() {
  const folder = join(CACHE, `ort-service-${await sourceHash()}`);
  if (!existsSync(folder)) await build(folder);
  const names = await readdir(folder);
  return {
    name: "ort",
    compatibilityDate: "2026-10-01",
    compatibilityFlags: ["nodejs_compat"],
    modulesRoot: folder,
    modules: [
      { type: "ESModule" as const, path: join(folder, "ort-service.js") },
      ...names
        .filter((name) => name.endsWith(".wasm"))
        .map((name) => ({ type: "CompiledWasm" as const, path: join(folder, name) })),
    ],
  };
}

async function sourceHash(): Promise<string> {
  const hash = createHash("sha256");
  const runtime = join(PROJECT, "src/runtime");
  const paths = (await readdir(runtime)).sort().map((name) => join(runtime, name));
  paths.push(
    join(PROJECT, "src/onnx/data-type.ts"),
    join(PROJECT, "package-lock.json"),
    join(HERE, "ort-service.ts"),
    join(HERE, "ort-service.toml"),
  );
  for (const path of paths) hash.update(await readFile(path)).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** Builds beside the place and renames, so that two runs at once do not disturb each other. */
async function build(folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const workshop = await mkdtemp(join(CACHE, ".ort-service-"));
  const wrangler = join(
    createRequire(import.meta.url).resolve("wrangler"),
    "../../bin/wrangler.js",
  );
  const configuration = join(HERE, "ort-service.toml");
  await promisify(execFile)(
    process.execPath,
    [wrangler, "deploy", "--dry-run", "-c", configuration, "--outdir", workshop],
    {
      cwd: PROJECT,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG: "error" },
    },
  );
  for (const name of await readdir(CACHE)) {
    if (name.startsWith("ort-service-"))
      await rm(join(CACHE, name), { recursive: true, force: true });
  }
  await rename(workshop, folder).catch(
    async () => await rm(workshop, { recursive: true, force: true }),
  );
}
