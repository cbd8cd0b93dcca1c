/**
 * @file The service through HTTP: what waiting for a small model takes, what a large one costs.
 *
 * CPU seconds are those of the workerd process, which is also the R2 simulator and the HTTP server. So the same bytes
 * are also passed through alone, in (a model is stored) and out (it is fetched), and what the isolate itself spends is
 * sampled by its inspector. Memory is the isolate's. `npm run bench -- api [small] [large]`; the last line on stdout
 * is JSON.
 */
import { createReadStream, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startService } from "../src/embedded/host.ts";
import { childProcesses } from "../src/embedded/runtime-guard.ts";
import { convNet, SMALL_CONV } from "./conv-net.ts";
import { Isolate, processCpu } from "./isolate.ts";
import { benchModel } from "./models.ts";
import { MEDIUM, SMALL, transformer } from "./transformer.ts";

const ROUNDS = 15;
const WARM_UPS = 5;

const wanted = process.argv.slice(3);
const wants = (part: string): boolean => wanted.length === 0 || wanted.includes(part);

const inspectorPort = await freePort();
const dataDir = await mkdtemp(join(tmpdir(), "hone-bench-"));
const before = await childProcesses();
const service = await startService({ dataDir, inspectorPort });
const [pid = 0] = [...(await childProcesses())].filter((each) => !before.has(each));
const rows: unknown[] = [];
try {
  if (wants("small")) rows.push(...(await small()));
  if (wants("large")) {
    const isolate = await Isolate.connect(inspectorPort, "hone");
    rows.push(...(await large(isolate)));
    isolate.close();
  }
} finally {
  await service.stop();
  await rm(dataDir, { recursive: true, force: true });
}
console.log(JSON.stringify({ bench: "api", rows }));

async function small(): Promise<unknown[]> {
  const models = {
    transformer: await benchModel("small", () => transformer(SMALL)),
    conv: await benchModel("small-conv", () => convNet(SMALL_CONV)),
  };
  const found: unknown[] = [];
  for (const [kind, { path, bytes }] of Object.entries(models)) {
    for (const method of ["auto", "weight_only", "dynamic", "float16"]) {
      const times = await latency(path, method);
      console.error(`api: ${method} of the 1 MB ${kind}`, times);
      found.push({ case: `${method}-${kind}-1mb`, bytes, ...times });
    }
  }
  return found;
}

/** Milliseconds of a verified POST /v1/quantize on a warm server; refusals are answers too. */
async function latency(path: string, method: string): Promise<Record<string, unknown>> {
  const body = readFileSync(path);
  const times: number[] = [];
  const statuses = new Set<number>();
  const startCpu = processCpu(pid);
  for (let round = 0; round < ROUNDS + WARM_UPS; round++) {
    const start = performance.now();
    const response = await fetch(`${service.url}/v1/quantize?method=${method}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${service.apiKey}` },
      body,
    });
    await response.arrayBuffer();
    if (round >= WARM_UPS) times.push(performance.now() - start);
    statuses.add(response.status);
  }
  times.sort((a, b) => a - b);
  const cpu = (processCpu(pid) - startCpu) / (ROUNDS + WARM_UPS);
  return {
    median_ms: times[Math.floor(times.length / 2)],
    best_ms: times[0],
    worst_ms: times.at(-1),
    cpu_ms: cpu * 1000,
    statuses: [...statuses],
  };
}

async function large(isolate: Isolate): Promise<unknown[]> {
  const model = await benchModel("transformer", () => transformer(MEDIUM));
  const found: unknown[] = [];
  console.error("api: 430 MB through /v1/quantize");
  const oneShot = await spent(isolate, () =>
    call("POST", "/v1/quantize?method=dynamic&verify=false", model.path),
  );
  found.push({ case: "int8-dynamic-one-shot-430mb", bytes: model.bytes, ...oneShot });
  console.error("api: 430 MB in alone");
  const stored = await spent(isolate, () => call("POST", "/v1/models?name=large.onnx", model.path));
  const { id } = JSON.parse(stored.value.text) as { id: string };
  found.push({ case: "pass-through-in-430mb", bytes: model.bytes, ...stored });
  console.error("api: 430 MB out alone");
  const fetched = await spent(isolate, () => call("GET", `/v1/models/${id}/content`));
  found.push({ case: "pass-through-out-430mb", bytes: model.bytes, ...fetched });
  console.error("api: 430 MB from R2 to R2");
  const job = await spent(isolate, () => runJob(id));
  found.push({ case: "int8-dynamic-job-430mb", bytes: model.bytes, ...job });
  return found.map((row) => ({ ...(row as object), value: undefined }));
}

/** What a call costs; it is made twice, since watching the memory takes CPU time of its own. */
async function spent<T>(isolate: Isolate, work: () => Promise<T>) {
  const watched = await isolate.peakDuring(work);
  const idle = await idleCpu();
  const startCpu = processCpu(pid);
  const start = performance.now();
  const { value, seconds } = await isolate.cpuDuring(work);
  const wall = (performance.now() - start) / 1000;
  return {
    value,
    process_cpu_s: processCpu(pid) - startCpu - idle * wall,
    isolate_cpu_s: seconds,
    wall_s: wall,
    isolate_peak_mib: watched.peak,
  };
}

/** CPU seconds that workerd spends in a second without requests. */
async function idleCpu(): Promise<number> {
  const start = processCpu(pid);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return processCpu(pid) - start;
}

interface Called {
  bytes: number;
  /** Of JSON answers. */
  text: string;
}

/** Streams a file in, counts what comes out. */
async function call(method: string, path: string, file?: string, json?: unknown): Promise<Called> {
  const headers: Record<string, string> = { Authorization: `Bearer ${service.apiKey}` };
  if (file) headers["Content-Length"] = String(statSync(file).size);
  if (json !== undefined) headers["Content-Type"] = "application/json";
  return await new Promise((resolve, reject) => {
    const sent = request(`${service.url}${path}`, { method, headers }, (response) => {
      const called: Called = { bytes: 0, text: "" };
      const isJson = /json/.test(response.headers["content-type"] ?? "");
      response.on("data", (chunk: Buffer) => {
        called.bytes += chunk.length;
        if (isJson) called.text += chunk.toString();
      });
      response.on("end", () => {
        if ((response.statusCode ?? 0) < 300) resolve(called);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${called.text}`));
      });
      response.on("error", reject);
    });
    sent.on("error", reject);
    if (file) createReadStream(file, { highWaterMark: 1 << 20 }).pipe(sent);
    else sent.end(json === undefined ? undefined : JSON.stringify(json));
  });
}

async function runJob(model: string): Promise<void> {
  const { text } = await call("POST", `/v1/models/${model}/quantize`, undefined, {
    method: "dynamic",
    verify: false,
  });
  const { id } = JSON.parse(text) as { id: string };
  for (;;) {
    const job = JSON.parse((await call("GET", `/v1/jobs/${id}`)).text) as { status: string };
    if (["succeeded", "failed", "cancelled"].includes(job.status)) {
      if (job.status !== "succeeded") throw new Error(`bench: the job ${job.status}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function freePort(): Promise<number> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
