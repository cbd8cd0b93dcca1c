/**
 * @file The service through HTTP: what waiting for a small model takes, what a large one costs.
 *
 * CPU seconds are those of the workerd process less what it spends idle. It is also the HTTP server and the R2
 * simulator, so one conversion runs under V8's profiler: the engine's share is what our script, its WebAssembly and the
 * collector took (bench/profile.ts). The same bytes passed through without a conversion, into R2 and out again, are
 * rows of their own. Memory is the isolate's, also with ONNX Runtime's heap kept from an earlier verification.
 * `npm run bench -- api [small] [large]`; the last line on stdout is JSON.
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
import { profiled } from "./profile.ts";
import { MEDIUM, SMALL, transformer, VERIFIED } from "./transformer.ts";

const ROUNDS = 15;
/** Until V8 has compiled the Worker and ONNX Runtime. */
const WARM_UPS = 20;

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
  const verified = await benchModel("verified", () => transformer(VERIFIED));
  const convert = () => call("POST", "/v1/quantize?method=dynamic&verify=false", model.path);
  const one = await spent(isolate, "one-shot int8", convert);
  const stored = await spent(isolate, "pass-through in", () =>
    call("POST", "/v1/models?name=large.onnx", model.path),
  );
  const { id } = JSON.parse(stored.value.text) as { id: string };
  const fetched = await spent(isolate, "pass-through out", () =>
    call("GET", `/v1/models/${id}/content`),
  );
  const job = await spent(isolate, "int8 job from R2 to R2", () => runJob(id));
  await call("POST", "/v1/quantize?method=weight_only", verified.path);
  const after = await spent(isolate, "one-shot int8 after a verified 30 MB", convert);
  const { shares } = await profiled(isolate, pid, convert);
  console.error("api: one-shot int8 under the profiler", shares);
  const engine_cpu_s = shares.script_cpu_s + shares.wasm_cpu_s + shares.collector_cpu_s;
  return [
    { case: "one-shot-int8-430mb", bytes: model.bytes, engine_cpu_s, ...shares, ...one },
    { case: "pass-through-in-430mb", bytes: model.bytes, ...stored },
    { case: "pass-through-out-430mb", bytes: model.bytes, ...fetched },
    { case: "job-int8-430mb", bytes: model.bytes, ...job },
    { case: "one-shot-int8-430mb-after-verified-30mb", bytes: model.bytes, ...after },
  ].map((row) => ({ ...row, value: undefined }));
}

/** What a call costs. */
async function spent<T>(isolate: Isolate, name: string, work: () => Promise<T>) {
  const idle = await idleCpu();
  const startCpu = processCpu(pid);
  const start = performance.now();
  const { value, peak } = await isolate.peakDuring(work);
  const wall_s = (performance.now() - start) / 1000;
  const cpu_s = processCpu(pid) - startCpu - idle * wall_s;
  console.error(`api: ${name}`, { cpu_s, wall_s }, peak);
  return { value, cpu_s, wall_s, isolate_peak_mib: peak };
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
    const job = JSON.parse((await call("GET", `/v1/jobs/${id}`)).text) as { state: string };
    if (["succeeded", "failed", "canceled"].includes(job.state)) {
      if (job.state !== "succeeded") throw new Error(`bench: the job ${job.state}`);
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
