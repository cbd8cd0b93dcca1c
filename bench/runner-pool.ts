/** @file A pool of idle runners under a steady load of tasks: how long one takes from its order to its runner. */
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { buildSync } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import type { FromPool, FromRunner, RunnerInfo } from "../src/runner/protocol.ts";

const FOLDER = resolve(".cache/bench/runner-pool");
const RUNNERS = 1_000;
const PER_SECOND = 200;
const SECONDS = 10;
/** Lines that are opened at once. */
const OPENING = 50;

const INFO: RunnerInfo = {
  name: "bench",
  platform: "Node",
  runtime: "none",
  backends: ["cpu"],
  kinds: ["benchmark"],
  adapter: null,
  max_model_bytes: 1_000_000,
};
const RESULT = {
  backend: "cpu",
  device: "none",
  result: { runs: 3, median_ms: 1, p90_ms: 1, min_ms: 1, load_ms: 1 },
  original: null,
};

export interface PoolFigures {
  runners: number;
  /** Milliseconds in which all connected and said hello. */
  connect_ms: number;
  tasks: number;
  /** Tasks a second, from the first order to the last arrival. */
  per_second: number;
  /** From the order's HTTP request to the task's arrival. */
  p50_ms: number;
  p99_ms: number;
  max_ms: number;
}

export async function loadPool(): Promise<PoolFigures> {
  const miniflare = startWorker();
  const sockets: WebSocket[] = [];
  try {
    const url = await miniflare.ready;
    const address = url.href.replace("http", "ws");
    const arrivals = new Map<string, (at: number) => void>();
    const connecting = performance.now();
    for (let first = 0; first < RUNNERS; first += OPENING) {
      const opened = Array.from({ length: OPENING }, (_, i) =>
        openRunner(address, `session-${first + i}`, (id) => arrivals.get(id)?.(performance.now())),
      );
      sockets.push(...(await Promise.all(opened)));
    }
    const connectMs = performance.now() - connecting;
    const times: number[] = [];
    const under: Promise<void>[] = [];
    const begun = performance.now();
    for (let task = 0; task < PER_SECOND * SECONDS; task++) {
      const wait = begun + (1_000 * task) / PER_SECOND - performance.now();
      if (wait > 0) await new Promise((done) => setTimeout(done, wait));
      under.push(dispatch(url, `task-${task}`, arrivals).then((ms) => void times.push(ms)));
    }
    await Promise.all(under);
    const seconds = (performance.now() - begun) / 1_000;
    times.sort((a, b) => a - b);
    const at = (share: number) =>
      round(times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? NaN);
    return {
      runners: sockets.length,
      connect_ms: Math.round(connectMs),
      tasks: times.length,
      per_second: round(times.length / seconds),
      p50_ms: at(0.5),
      p99_ms: at(0.99),
      max_ms: at(1),
    };
  } finally {
    for (const socket of sockets) socket.close();
    await miniflare.dispose();
  }
}

/** A runner that is done at once with whatever it is given. */
async function openRunner(
  address: string,
  session: string,
  arrived: (task: string) => void,
): Promise<WebSocket> {
  const socket = new WebSocket(address);
  const say = (message: FromRunner) => socket.send(JSON.stringify(message));
  const welcome = Promise.withResolvers<void>();
  socket.addEventListener("open", () =>
    say({ type: "hello", version: 1, session, info: INFO, working: null }),
  );
  socket.addEventListener("close", ({ reason }) => welcome.reject(new Error(reason)));
  socket.addEventListener("message", ({ data }) => {
    const said = JSON.parse(String(data)) as FromPool;
    if (said.type === "welcome") {
      say({ type: "ready" });
      welcome.resolve();
    } else if (said.type === "task") {
      const { id: task, lease } = said.task;
      arrived(task);
      say({ type: "done", task, lease, result: RESULT });
      say({ type: "ready" });
    }
  });
  await welcome.promise;
  return socket;
}

async function dispatch(
  url: URL,
  id: string,
  arrivals: Map<string, (at: number) => void>,
): Promise<number> {
  const arrival = Promise.withResolvers<number>();
  arrivals.set(id, arrival.resolve);
  const order = { id, kind: "benchmark", spec: {}, needs: {}, group: id, sources: {}, targets: {} };
  const ordered = performance.now();
  const response = await fetch(url, { method: "POST", body: JSON.stringify(order) });
  if (!response.ok) throw new Error(`bench: the pool answered ${response.status}`);
  return (await arrival.promise) - ordered;
}

function startWorker(): Miniflare {
  mkdirSync(FOLDER, { recursive: true });
  const script = `${FOLDER}/worker.js`;
  buildSync({
    entryPoints: ["bench/pool-worker.ts"],
    bundle: true,
    format: "esm",
    outfile: script,
    external: ["cloudflare:workers", "node:*"],
    logLevel: "error",
  });
  return new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      log: new Log(LogLevel.NONE),
      cf: false,
      telemetry: { enabled: false },
      workers: [
        {
          name: "pool",
          compatibilityDate: "2026-10-01",
          compatibilityFlags: ["nodejs_compat"],
          modulesRoot: FOLDER,
          modules: [{ type: "ESModule", path: script }],
          durableObjects: { RUNNERS: { className: "RunnerPool", useSQLite: true } },
        },
      ],
    }),
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
