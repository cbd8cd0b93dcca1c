/** @file The service in this process's keeping: the Worker on workerd through Miniflare, with its storage in one folder. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { V4WorkerOptions } from "miniflare";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";
import { ensureKey, newSecret } from "../store/keys.ts";
import type { WorkerBundle } from "./bundle.ts";
import { projectRoot, workerBundle } from "./bundle.ts";
import { startCrons } from "./cron.ts";
import { lockData } from "./data-lock.ts";
import { migrate } from "./migrate.ts";
import { childProcesses, guardRuntime } from "./runtime-guard.ts";

export interface ServiceOptions {
  /** Default: one that is free. */
  port?: number;
  /** Where models, catalogue, jobs and the key live (default `.hone` of the project). */
  dataDir?: string;
  /** Default: `HONE_API_KEY`, else the one of an earlier start, else a new one. */
  apiKey?: string;
  /** Lets `POST /v1/models {"url": …}` reach this machine (default: `HONE_ALLOW_LOOPBACK` is `1`). */
  allowLoopback?: boolean;
  /** Per key (default 60,000: one's own machine needs no protection from oneself). */
  requestsPerMinute?: number;
  /** Opens workerd's inspector there, to read heap and CPU. */
  inspectorPort?: number;
  /** Overrides of wrangler.toml's `[vars]`. */
  vars?: Record<string, string>;
  /** Workers of one's own, in the same process: a service binding to `hone` reaches the service. */
  beside?: V4WorkerOptions[];
}

export interface Service {
  /** `http://127.0.0.1:8787`, without a slash at the end. */
  url: string;
  apiKey: string;
  /** Catalogue, buckets and queues, as the Worker has them; and `OBJECTS` of the worker `outbound`. */
  bindings: Pick<Miniflare, "getD1Database" | "getR2Bucket" | "getQueueProducer" | "getWorker">;
  stop(): Promise<void>;
}

const WORKSPACE = { id: "ws_local", name: "local" };

/** Starts the service and resolves once it answers; the first start after a change bundles the Worker (seconds). */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const dataDir = resolve(options.dataDir ?? join(projectRoot, ".hone"));
  await mkdir(dataDir, { recursive: true });
  const lock = await lockData(dataDir);
  let miniflare: Miniflare | undefined;
  try {
    const apiKey = await keyOf(dataDir, "api-key", options.apiKey ?? process.env["HONE_API_KEY"]);
    const signingSecret = await keyOf(dataDir, "signing-secret");
    const bundle = await workerBundle();
    const others = await childProcesses();
    const running = (miniflare = new Miniflare(
      miniflareOptions(bundle, dataDir, signingSecret, options),
    ));
    const url = await running.ready;
    const guard = await guardRuntime(others);
    const db = (await running.getD1Database("DB")) as unknown as D1Database;
    await migrate(db, bundle.migrations);
    await ensureKey(db, WORKSPACE, apiKey);
    // What the hourly sweep would find: above all events that a killed process did not hand over.
    const worker = await running.getWorker("hone");
    const crons = bundle.options.cronTriggers ?? [];
    const fire = async (cron: string) => await worker.scheduled({ cron });
    for (const cron of crons) await fire(cron);
    const stopCrons = startCrons(crons, fire);
    const stop = async () => {
      stopCrons();
      await running.dispose();
      guard.release();
      await lock.release();
    };
    return { url: url.origin, apiKey, bindings: running, stop };
  } catch (error) {
    await miniflare?.dispose();
    await lock.release();
    throw error;
  }
}

/** All that the Worker's own `fetch` can reach: through a network that knows the addresses behind the names. */
const OUTBOUND = `export default {
  fetch: (request, env) => env.NETWORK.fetch(request, { redirect: "manual" }),
};`;

function miniflareOptions(
  bundle: WorkerBundle,
  dataDir: string,
  signingSecret: string,
  options: ServiceOptions,
) {
  const allowLoopback = options.allowLoopback ?? process.env["HONE_ALLOW_LOOPBACK"] === "1";
  const limit = options.requestsPerMinute ?? 60_000;
  const allow = allowLoopback ? ["public", "local"] : ["public"];
  const service: V4WorkerOptions = {
    ...bundle.options,
    name: "hone",
    rootPath: projectRoot,
    modulesRoot: bundle.folder,
    modules: bundle.modules.map(({ path, type }) => ({ type, path: join(bundle.folder, path) })),
    bindings: {
      ...bundle.options.bindings,
      // Names are resolved by this machine, and its network below refuses private addresses.
      DNS_OVER_HTTPS_URL: "",
      ALLOW_LOOPBACK: allowLoopback ? "1" : "",
      REQUESTS_PER_MINUTE: String(limit),
      SIGNING_SECRET: signingSecret,
      LOG_REQUESTS: process.env["HONE_LOG_REQUESTS"] ?? "",
      METRICS_TOKEN: process.env["HONE_METRICS_TOKEN"] ?? "",
      CORS_ORIGINS: process.env["HONE_CORS_ORIGINS"] ?? "",
      ...options.vars,
    },
    outboundService: "outbound",
    // The Worker counts by itself: Miniflare's limiter writes a row to disk for each request, and each waits for it.
    ratelimits: {},
  };
  const outbound: V4WorkerOptions = {
    name: "outbound",
    modules: [{ type: "ESModule", path: "outbound.js", contents: OUTBOUND }],
    compatibilityDate: bundle.options.compatibilityDate ?? "",
    // What R2 itself tells on Cloudflare has to be told by whoever puts objects here.
    queueProducers: { OBJECTS: "hone-objects" },
    serviceBindings: { NETWORK: { network: { allow, tlsOptions: { trustBrowserCas: true } } } },
  };
  return convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: options.port ?? 0,
    ...(options.inspectorPort === undefined ? {} : { inspectorPort: options.inspectorPort }),
    log: new Log(LogLevel.ERROR),
    cf: false,
    telemetry: { enabled: false },
    resourcePersistencePath: dataDir,
    workers: [service, outbound, ...(options.beside ?? [])],
  });
}

/** A secret to serve with, kept so that the CLI and the next start find it; readable by its owner only. */
async function keyOf(dataDir: string, name: string, given?: string): Promise<string> {
  const path = join(dataDir, name);
  const kept = await readFile(path, "utf8").catch(() => "");
  const key = given || kept.trim() || newSecret();
  if (key !== kept.trim()) {
    await writeFile(path, `${key}\n`, { mode: 0o600 });
    await chmod(path, 0o600);
  }
  return key;
}
