/**
 * @file `npm run bench -- runner`: a gradient step on WebGPU's device path against wasm; what a step costs beside the
 * session's run when a runner on this machine computes it; a pool of a thousand idle runners under load.
 *
 * Without a GPU, WebGPU is a software adapter (`VK_ICD_FILENAMES` names a driver), which is no measure of the device,
 * only of the path. The last line on stdout is JSON.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digitsNpz } from "../examples/demo/digits-dataset.ts";
import type { TrainingJob } from "../sdk/typescript/src/generated/schema.d.ts";
import { Hone } from "../sdk/typescript/src/index.ts";
import { startService } from "../src/embedded/host.ts";
import { DataType } from "../src/onnx/data-type.ts";
import { readModel } from "../src/onnx/read-model.ts";
import { MemorySource } from "../src/onnx/source.ts";
import { modelBytes } from "../src/onnx/write-model.ts";
import type { Device } from "../src/runner/device.ts";
import { type OpenLine, openLine } from "../src/runner/line.ts";
import { kernelModule } from "../src/kernels/node.ts";
import { nodeDevices } from "../src/runner/node-devices.ts";
import { openNodeLine } from "../src/runner/node-line.ts";
import { performOn } from "../src/runner/perform.ts";
import { Runner } from "../src/runner/runner.ts";
import { LINE_CODECS, type LineCodec } from "../src/runner/vector-encoding.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { ResidentRuntime } from "../src/runtime/resident.ts";
import { nodeGpuRuntime } from "../src/runtime/webgpu-node.ts";
import { entryValues } from "../src/train/layout.ts";
import { trainingSettings } from "../src/train/options.ts";
import { LABEL } from "../src/train/step-plan.ts";
import { buildStep } from "../src/train/step-model.ts";
import { randomPerceptron } from "./perceptron.ts";
import { timePage } from "./runner-page.ts";
import { loadPool } from "./runner-pool.ts";

const STEP_PARAMETERS = 500_000;
const STEP_BATCH = 64;
const STEPS = 12;
const REMOTE_PARAMETERS = 5_000_000;
const REMOTE_BATCHES = [256, 1024];
const REMOTE_STEPS = 16;
/** On a software adapter: shaders compile ten times faster. */
const DAWN = ["enable-dawn-features=disable_workgroup_init"];

interface Row {
  case: string;
  ours_s: number | null;
  peer: string | null;
  peer_s: number | null;
  speedup: number | null;
  peak_mb: null;
  [more: string]: unknown;
}

const blank = { ours_s: null, peer: null, peer_s: null, speedup: null, peak_mb: null };
const rows: Row[] = [];
const add = (row: Row) => {
  rows.push(row);
  console.error(JSON.stringify(row));
};

add(await gradientStep());
for (const batch of REMOTE_BATCHES) {
  add(await besideTheRun(batch, "platform-socket", { line: openLine, compression: "none" }));
  for (const compression of LINE_CODECS) {
    const name = compression === "none" ? "native" : `native-${compression}`;
    add(await besideTheRun(batch, name, { line: openNodeLine, compression }));
  }
}
add(await pageToTask());
add({ case: "pool-1000-idle-runners", ...blank, ...(await loadPool()) });
console.log(JSON.stringify({ bench: "runner", rows }));
process.exit(0);

/** One step's graph, weights on the device, against the same graph in wasm, weights fed. */
async function gradientStep(): Promise<Row> {
  const model = await readModel(new MemorySource(await randomPerceptron(STEP_PARAMETERS)));
  const settings = trainingSettings({ batch_size: STEP_BATCH, steps: STEPS });
  const fields = {
    image: { dtype: "float32", shape: [1, 28, 28] },
    [LABEL]: { dtype: "int64", shape: [] },
  } as const;
  const plan = await buildStep(model, settings, { fields }, { target: "webgpu" });
  const bytes = new Uint8Array(await modelBytes(plan.step));
  const vector = await plan.initial();
  const image = new Float32Array(STEP_BATCH * 784).map((_, i) => Math.abs(Math.sin(i)));
  const label = new BigInt64Array(STEP_BATCH).map((_, i) => BigInt(i % 10));
  const batch = {
    image: {
      dataType: DataType.float32,
      dims: [STEP_BATCH, 1, 28, 28],
      bytes: new Uint8Array(image.buffer),
    },
    [LABEL]: { dataType: DataType.int64, dims: [STEP_BATCH], bytes: new Uint8Array(label.buffer) },
  };
  const name = `step-${STEP_PARAMETERS / 1e6}m-b${STEP_BATCH}-webgpu`;
  const gpu = await nodeGpuRuntime({ dawn: DAWN });
  if (!gpu) return { case: name, ...blank, why: "there is no WebGPU adapter" };
  const { runtime, adapter } = gpu;
  const session = await runtime.loadResident(bytes);
  const residents = runtime.allocate(plan.layout.entries);
  const write = () => {
    for (const entry of plan.layout.entries) {
      const { buffer, byteOffset, byteLength } = entryValues(vector, entry);
      residents.write(entry.name, 0, new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
    }
  };
  const ours = await median(async () => {
    write();
    const outputs = await session.run(batch, residents);
    for (const { gradient } of plan.layout.entries) await outputs.read(gradient);
    outputs.dispose();
  });
  gpu.close();
  const wasm = await (await nodeRuntime()).load(bytes);
  const fed = Object.fromEntries(
    plan.layout.entries.map((entry) => {
      const { buffer, byteOffset, byteLength } = entryValues(vector, entry);
      const view = new Uint8Array(buffer, byteOffset, byteLength);
      return [entry.name, { dataType: DataType.float32, dims: entry.dims, bytes: view }];
    }),
  );
  const peer = await median(async () => await wasm.run({ ...fed, ...batch }));
  return {
    ...blank,
    case: name,
    ours_s: ours / 1_000,
    peer: "onnxruntime-web wasm, one thread",
    peer_s: peer / 1_000,
    speedup: Math.round((peer / ours) * 1_000) / 1_000,
    adapter: [adapter.vendor, adapter.architecture].filter(Boolean).join(" "),
  };
}

/** Milliseconds; the first run, in which shaders compile, does not count. */
async function median(run: () => Promise<unknown>): Promise<number> {
  await run();
  const times: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return Math.round((times[STEPS >> 1] ?? NaN) * 10) / 10;
}

/** A training on a native runner in this process, the service in another one; between them loopback. */
async function besideTheRun(
  batch: number,
  kind: string,
  { line, compression }: { line: OpenLine; compression: LineCodec },
): Promise<Row> {
  const dataDir = await mkdtemp(join(tmpdir(), "hone-runner-"));
  const service = await startService({ dataDir });
  const hone = new Hone({ baseUrl: service.url, apiKey: service.apiKey });
  const machine = await nodeDevices({ name: "bench", backends: ["cpu"] });
  const runs: number[] = [];
  const cpu: number[] = [];
  const crossed = { bytes: 0 };
  try {
    const { data: token } = await hone.api.POST("/v1/runner-tokens", { body: { name: "bench" } });
    if (!token) throw new Error("bench: no token");
    const runner = new Runner({
      url: service.url,
      token: token.secret,
      info: machine.info,
      openLine: counted(line, crossed),
      kernels: kernelModule,
      perform: performOn(machine.devices.map((device) => timed(device, runs, cpu))),
    });
    const ended = runner.run();
    const { id: model } = await hone.models.create(await randomPerceptron(REMOTE_PARAMETERS));
    const { id: dataset } = await hone.datasets.create(digitsNpz({ perDigit: 200 }));
    const { data } = await hone.api.POST("/v1/training-jobs", {
      body: {
        model,
        dataset,
        batch_size: batch,
        steps: REMOTE_STEPS,
        optimizer: { type: "sgd", lr: 0.01 },
        executor: "runner",
        runners: { compression },
      },
    });
    const started = performance.now();
    const job = (await hone.jobs.wait((data as TrainingJob).id)) as TrainingJob;
    const wallMs = performance.now() - started;
    if (job.state !== "succeeded") throw new Error(`bench: ${JSON.stringify(job.error)}`);
    runner.stop();
    await ended;
    const { compute_ms: stepMs = NaN, allreduce_ms = NaN } = job.progress.ranks[0] ?? {};
    // As the rank's figures: of the steps since its report before, which are the last ones.
    const runMs = lateMedian(runs);
    const jsMs = lateMedian(cpu.slice(1).map((ms, i) => ms - (cpu[i] ?? NaN)));
    return {
      ...blank,
      case: `remote-${REMOTE_PARAMETERS / 1e6}m-b${batch}-${kind}`,
      step_ms: Math.round(stepMs),
      run_ms: Math.round(runMs),
      mb_per_step: Math.round(crossed.bytes / REMOTE_STEPS / 1e5) / 10,
      outside_share: Math.round((1 - runMs / stepMs) * 1_000) / 1_000,
      // Of the runner's main thread, on which nothing is computed: steadier than the wall on a busy machine.
      runner_js_cpu_ms: Math.round(jsMs),
      optimizer_ms: Math.round(allreduce_ms),
      job_ms: Math.round(wallMs),
    };
  } finally {
    machine.close();
    await service.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** A page's way to its first task. */
async function pageToTask(): Promise<Row> {
  const name = "page-to-first-task-warm";
  const dataDir = await mkdtemp(join(tmpdir(), "hone-page-"));
  const service = await startService({ dataDir });
  try {
    const figures = await timePage(service);
    if (!figures) return { case: name, ...blank, why: "there is no Chromium" };
    return { ...blank, case: name, ours_s: figures.warm.first_task_ms / 1_000, ...figures };
  } finally {
    await service.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Of the last half. */
function lateMedian(values: number[]): number {
  const late = values.slice(-REMOTE_STEPS / 2).toSorted((a, b) => a - b);
  return late[late.length >> 1] ?? NaN;
}

/** A line whose data is counted. */
function counted(open: OpenLine, crossed: { bytes: number }): OpenLine {
  return async (...parameters) => {
    const line = await open(...parameters);
    const count = (message: string | ArrayBuffer | Uint8Array) => {
      if (typeof message !== "string") crossed.bytes += message.byteLength;
    };
    return {
      ...line,
      async next() {
        const message = await line.next();
        count(message);
        return message;
      },
      async send(message) {
        count(message);
        await line.send(message);
      },
    };
  };
}

/** The device, with the milliseconds of each of its resident runs kept, and the main thread's CPU time at their starts. */
function timed(device: Device, runs: number[], cpu: number[]): Device {
  const runtime = device.runtime as ResidentRuntime;
  const loadResident: ResidentRuntime["loadResident"] = async (model) => {
    const session = await runtime.loadResident(model);
    return {
      ...session,
      async run(...parameters) {
        const { user, system } = process.threadCpuUsage();
        cpu.push((user + system) / 1_000);
        const start = performance.now();
        const outputs = await session.run(...parameters);
        runs.push(performance.now() - start);
        return outputs;
      },
    };
  };
  return { ...device, runtime: { ...runtime, loadResident } as ResidentRuntime };
}
