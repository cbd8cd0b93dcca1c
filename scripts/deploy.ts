/**
 * @file `npm run deploy`: Hone on one's own Cloudflare account, from nothing, and again after every change.
 *
 * Makes the D1 database, the bucket and the queues where they are missing, writes their ids to wrangler.local.toml
 * (which git ignores), migrates, sets the secrets that are not set yet, deploys, makes the first key, and asks the
 * deployed service how it is. `--dry-run` does what needs no account: it bundles, and migrates a local database.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { newId, sha256Hex } from "../src/store/id.ts";
import { newSecret } from "../src/store/keys.ts";

const root = join(import.meta.dirname, "..");
const LOCAL_CONFIG = "wrangler.local.toml";
const DRY_CONFIG = "wrangler.dry-run.local.toml";
const VARIABLE = /^([A-Z_]+) = ".*"$/gm;
const NO_DATABASE = "00000000-0000-0000-0000-000000000000";
const WORKSPACE = { id: "ws_main", name: "main" };
const wrangler = join(createRequire(import.meta.url).resolve("wrangler"), "../../bin/wrangler.js");

const isDryRun = process.argv.includes("--dry-run");
const CONFIG = isDryRun ? DRY_CONFIG : LOCAL_CONFIG;
const template = readFileSync(join(root, "wrangler.toml"), "utf8");

if (isDryRun) dryRun();
else await deploy();

/** The bundle is what would be sent; the migrations are run as the platform would. */
function dryRun(): void {
  writeConfig(NO_DATABASE);
  step("migrate a local database");
  const persist = join(root, "dist/deploy-dry-run");
  run(["d1", "migrations", "apply", "DB", "--local", "--persist-to", persist], { CI: "1" });
  step("bundle");
  run(["deploy", "--dry-run", "--outdir", join(root, "dist/deploy")]);
  step("would be made where missing, and deployed");
  for (const { kind, name } of resources()) console.log(`  ${kind} ${name}`);
}

async function deploy(): Promise<void> {
  step("account");
  console.log(read(["whoami"], "wrangler.toml"));
  step("resources");
  const { database } = nameOf();
  makeUnlessThere(["d1", "create", database]);
  for (const { kind, name } of resources()) {
    if (kind === "bucket") makeUnlessThere(["r2", "bucket", "create", name]);
    if (kind === "queue") makeUnlessThere(["queues", "create", name]);
  }
  const found = JSON.parse(read(["d1", "list", "--json"], "wrangler.toml")) as {
    name: string;
    uuid: string;
  }[];
  const id = found.find(({ name }) => name === database)?.uuid;
  if (id === undefined) throw new Error(`deploy: there is no D1 database "${database}"`);
  writeConfig(id);
  step("migrations");
  run(["d1", "migrations", "apply", "DB", "--remote"], { CI: "1" });
  step("deploy");
  const said = read(["deploy"]);
  console.log(said);
  setSecrets();
  await firstKey();
  const url = /https:\/\/[^\s]+\.workers\.dev/.exec(said)?.[0] ?? process.env["HONE_URL"];
  if (url === undefined) console.log("no address was told: set HONE_URL to have it tested");
  else await smokeTest(url);
}

/** What wrangler.toml names. */
function resources(): { kind: "database" | "bucket" | "queue"; name: string }[] {
  const all = (pattern: RegExp) => [
    ...new Set([...template.matchAll(pattern)].map(([, name = ""]) => name)),
  ];
  return [
    ...all(/^database_name = "(.+)"$/gm).map((name) => ({ kind: "database" as const, name })),
    ...all(/^bucket_name = "(.+)"$/gm).map((name) => ({ kind: "bucket" as const, name })),
    ...all(/^queue = "(.+)"$/gm).map((name) => ({ kind: "queue" as const, name })),
  ];
}

function nameOf(): { database: string } {
  const database = resources().find(({ kind }) => kind === "database")?.name;
  if (database === undefined) throw new Error("deploy: wrangler.toml names no database");
  return { database };
}

/**
 * wrangler.toml with the database's id and the variables that the operator set in the file before. What is a secret
 * must not be a variable too.
 */
function writeConfig(databaseId: string): void {
  const path = join(root, CONFIG);
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const own = new Map([...before.matchAll(VARIABLE)].map(([line, name = ""]) => [name, line]));
  const text = template
    .replace(/^database_id = ".*"$/m, `database_id = "${databaseId}"`)
    .replaceAll(VARIABLE, (line, name: string) => own.get(name) ?? line)
    .replaceAll(/^(SIGNING_SECRET|METRICS_TOKEN) = .*\n/gm, "");
  writeFileSync(path, text);
}

/** "It is there already" is no error. */
function makeUnlessThere(command: string[]): void {
  try {
    console.log(read(command, "wrangler.toml"));
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error);
    if (!/already (exists|taken|own)/i.test(said)) throw error;
    console.log(`  ${command.join(" ")}: there already`);
  }
}

function setSecrets(): void {
  const set = read(["secret", "list", "--format", "json"]);
  if (set.includes('"SIGNING_SECRET"')) return;
  step("secret SIGNING_SECRET");
  run(["secret", "put", "SIGNING_SECRET"], {}, newSecret());
}

/** Only where no workspace is there: the key is told once. */
async function firstKey(): Promise<void> {
  const counted = read([
    "d1",
    "execute",
    "DB",
    "--remote",
    "--json",
    "--command",
    "SELECT count(*) AS workspaces FROM workspaces",
  ]);
  if (!/"workspaces":\s*0\b/.test(counted)) return;
  const secret = newSecret();
  const now = Date.now();
  const row = [newId("key"), WORKSPACE.id, "first", await sha256Hex(secret), secret.slice(0, 9)];
  const sql =
    `INSERT INTO workspaces (id, name, created_at) VALUES ('${WORKSPACE.id}', '${WORKSPACE.name}', ${now}); ` +
    `INSERT INTO keys (id, workspace_id, name, hash, hint, created_at) VALUES (${row.map((value) => `'${value}'`).join(", ")}, ${now})`;
  run(["d1", "execute", "DB", "--remote", "--command", sql]);
  console.log(`\n  The first key, told only now: ${secret}\n`);
}

async function smokeTest(url: string): Promise<void> {
  step(`smoke test of ${url}`);
  const checks: [path: string, status: number][] = [
    ["/healthz", 200],
    ["/readyz", 200],
    ["/openapi.json", 200],
    ["/v1/models", 401],
  ];
  for (const [path, status] of checks) {
    const answer = await fetch(`${url}${path}`);
    await answer.body?.cancel();
    console.log(`  ${answer.status} ${path}`);
    if (answer.status !== status) {
      throw new Error(`deploy: ${path} answered ${answer.status}, not ${status}`);
    }
  }
}

function step(doing: string): void {
  console.log(`\n== ${doing}`);
}

function run(command: string[], environment: Record<string, string> = {}, input?: string): void {
  execFileSync(process.execPath, [wrangler, ...command, "--config", CONFIG], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", ...environment },
    ...(input === undefined ? {} : { input }),
    stdio: [input === undefined ? "inherit" : "pipe", "inherit", "inherit"],
  });
}

function read(command: string[], config = CONFIG): string {
  return execFileSync(process.execPath, [wrangler, ...command, "--config", config], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    encoding: "utf8",
    stdio: ["inherit", "pipe", "pipe"],
  });
}
