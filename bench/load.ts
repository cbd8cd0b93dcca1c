/**
 * @file The service under load: reads of the catalogue and webhooks in at a fixed rate, and many jobs at once.
 *
 * Requests are sent when they are due, whether or not those before have come back, and timed from then: a service that
 * falls behind cannot hide it. A path that no route has tells what the way there costs: the key, the limits, the log. Jobs are ordered at once and each is looked up afterwards: none may be lost, none done
 * twice. Client and service share the machine; its load is in the rows.
 * `npm run bench -- load [reads] [hooks] [jobs]`; the last line on stdout is JSON.
 */
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { startService } from "../src/embedded/host.ts";
import { randomPerceptron } from "./perceptron.ts";

const PER_SECOND = 200;
const SECONDS = 10;
const WARM_UP = 400;
const JOBS = 1000;
/** Orders on their way at the same time. */
const ORDERS = 16;
const PAGE = 100;
/** Jobs that are not over by then are lost. */
const PATIENCE_MS = 15 * 60_000;

interface Answer {
  status: number;
  text: string;
}

const wanted = process.argv.slice(3);
const wants = (part: string): boolean => wanted.length === 0 || wanted.includes(part);

const dataDir = await mkdtemp(join(tmpdir(), "hone-load-"));
const service = await startService({ dataDir });
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const rows: unknown[] = [];
try {
  const body = await randomPerceptron(10_000);
  const { id } = json<{ id: string }>(await call("POST", "/v1/models", body));
  if (wants("reads")) {
    for (const [name, path] of [
      ["nothing", "/v1/nothing"],
      ["read-model", `/v1/models/${id}`],
      ["list-models", "/v1/models"],
    ] as const) {
      rows.push(await atRate(name, name === "nothing" ? 404 : 200, () => call("GET", path)));
    }
  }
  if (wants("hooks")) rows.push(await atRate("webhook-in", 202, await deliveries()));
  if (wants("jobs")) rows.push(await drain(id));
} finally {
  agent.destroy();
  await service.stop();
  await rm(dataDir, { recursive: true, force: true });
}
console.log(JSON.stringify({ bench: "load", rows }));

async function atRate(
  name: string,
  expected: number,
  send: () => Promise<Answer>,
): Promise<unknown> {
  for (let i = 0; i < WARM_UP; i++) await send();
  const count = PER_SECOND * SECONDS;
  const times: number[] = [];
  let refused = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const due = start + (index * 1000) / PER_SECOND;
      await pause(due - performance.now());
      const { status } = await send();
      if (status !== expected) refused++;
      times.push(performance.now() - due);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(count - 1, Math.floor(count * share))];
  return {
    case: `${name}-${PER_SECOND}-per-s`,
    requests: count,
    refused,
    per_second: count / seconds,
    p50_ms: at(0.5),
    p90_ms: at(0.9),
    p99_ms: at(0.99),
    worst_ms: times.at(-1),
    ...machine(),
  };
}

/** Signed deliveries, each another one: stored, then ignored by the hook's filter, so that what is timed is taking them in. */
async function deliveries(): Promise<() => Promise<Answer>> {
  const wanted = {
    source: "github",
    filter: { repository: "acme/other" },
    model: { asset: "*.onnx" },
    steps: [{ op: "prune", amount: 0.5 }],
  };
  const headers = { "Content-Type": "application/json" };
  const hook = json<{ id: string; secret: string }>(
    await call("POST", "/v1/hooks", JSON.stringify(wanted), headers),
  );
  let count = 0;
  return async () => {
    const body = JSON.stringify({
      action: "published",
      repository: { full_name: "acme/models" },
      release: { tag_name: `v${count++}`, assets: [] },
    });
    const signature = createHmac("sha256", hook.secret).update(body).digest("hex");
    return await call("POST", `/v1/hooks/${hook.id}`, body, {
      ...headers,
      "X-GitHub-Event": "release",
      "X-GitHub-Delivery": `delivery-${count}`,
      "X-Hub-Signature-256": `sha256=${signature}`,
    });
  };
}

async function drain(model: string): Promise<unknown> {
  const start = performance.now();
  const ordered: string[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: ORDERS }, async () => {
      while (next < JOBS) {
        const key = `load-${next++}`;
        const order = JSON.stringify({ method: "dynamic", verify: false });
        const answer = await call("POST", `/v1/models/${model}/quantize`, order, {
          "Content-Type": "application/json",
          "Idempotency-Key": key,
        });
        if (answer.status !== 202) throw new Error(`bench: ${answer.status} ${answer.text}`);
        ordered.push(json<{ id: string }>(answer).id);
      }
    }),
  );
  const orderedAfter = performance.now();
  const states = await untilOver(start + PATIENCE_MS);
  const drainedAfter = performance.now();
  const tally: Record<string, number> = {};
  for (const id of ordered) {
    const state = states.get(id) ?? "lost";
    tally[state] = (tally[state] ?? 0) + 1;
  }
  const results = await modelsOf();
  return {
    case: `drain-${JOBS}-jobs`,
    ordered: new Set(ordered).size,
    states: tally,
    // The model itself and one result for each job.
    results: results - 1,
    ordered_s: (orderedAfter - start) / 1000,
    drained_s: (drainedAfter - start) / 1000,
    jobs_per_s: JOBS / ((drainedAfter - start) / 1000),
    ...machine(),
  };
}

async function untilOver(deadline: number): Promise<Map<string, string>> {
  for (;;) {
    const states = new Map<string, string>();
    for await (const { id, state } of list<{ id: string; state: string }>("/v1/jobs")) {
      states.set(id, state);
    }
    const open = [...states.values()].filter((state) => ["queued", "running"].includes(state));
    console.error(`load: ${states.size} jobs, ${open.length} open`);
    if (open.length === 0 || performance.now() > deadline) return states;
    await pause(2000);
  }
}

async function modelsOf(): Promise<number> {
  let count = 0;
  for await (const _ of list("/v1/models")) count++;
  return count;
}

async function* list<Item>(path: string): AsyncGenerator<Item> {
  let cursor = "";
  for (;;) {
    const page = json<{ data: Item[]; next_cursor: string | null }>(
      await call("GET", `${path}?limit=${PAGE}${cursor}`),
    );
    yield* page.data;
    if (page.next_cursor === null) return;
    cursor = `&cursor=${page.next_cursor}`;
  }
}

async function call(
  method: string,
  path: string,
  body?: Uint8Array | string,
  furtherHeaders: Record<string, string> = {},
): Promise<Answer> {
  const headers = { Authorization: `Bearer ${service.apiKey}`, ...furtherHeaders };
  return await new Promise((resolve, reject) => {
    const sent = request(`${service.url}${path}`, { method, headers, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function json<T>({ status, text }: Answer): T {
  if (status >= 300) throw new Error(`bench: ${status} ${text}`);
  return JSON.parse(text) as T;
}

function machine() {
  return { cores: cpus().length, load_1min: loadavg()[0] };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
