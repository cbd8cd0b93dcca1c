/**
 * @file `npm run bench -- scaling`: the digit model at batch 64 a rank on 1, 2, 4 and 8 Durable Objects of one workerd:
 * rows per second of CPU, and where a step's time goes; then the isolate's peak for larger models.
 *
 * All ranks share one thread here, so more ranks are not faster: what counts is how little CPU a row costs more.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digitModelFile } from "../examples/demo/digit-model.ts";
import { digitsNpz } from "../examples/demo/digits-dataset.ts";
import { Hone, type TrainingJob, type TrainingRequest } from "../sdk/typescript/src/index.ts";
import { startService } from "../src/embedded/host.ts";
import { childProcesses } from "../src/embedded/runtime-guard.ts";
import { Isolate, type IsolateMemory, processCpu } from "./isolate.ts";
import { randomPerceptron } from "./perceptron.ts";

const BATCH = 64;
const PER_DIGIT = 320;
const EPOCHS = 4;
const REPEATS = 3;

interface Row {
  case: string;
  /** Seconds of CPU for 10,000 rows. */
  ours_s: number | null;
  peer: string | null;
  peer_s: number | null;
  speedup: number | null;
  peak_mb: number | null;
  [more: string]: unknown;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const dataDir = await mkdtemp(join(tmpdir(), "hone-scaling-"));
const inspectorPort = await freePort();
const others = await childProcesses();
const service = await startService({ dataDir, inspectorPort });
const hone = new Hone({ baseUrl: service.url, apiKey: service.apiKey });
const rows: Row[] = [];
try {
  const [pid = 0] = [...(await childProcesses())].filter((each) => !others.has(each));
  const isolate = await Isolate.connect(inspectorPort, "hone");
  const { id: model } = await hone.models.create(await digitModelFile());
  const { id: dataset } = await hone.datasets.create(digitsNpz({ perDigit: PER_DIGIT }));
  const digits = { model, dataset, batch_size: BATCH, epochs: EPOCHS } as const;
  await train({ ...digits, epochs: 1 });
  let alone = 0;
  for (const ranks of [1, 2, 4, 8]) {
    const runs: { job: TrainingJob; seconds: number }[] = [];
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      const before = processCpu(pid);
      const job = await train({ ...digits, world_size: ranks });
      runs.push({ job, seconds: processCpu(pid) - before });
    }
    const { job, seconds } = runs.toSorted((a, b) => a.seconds - b.seconds)[REPEATS >> 1] ?? {};
    if (!job || seconds === undefined) throw new Error("bench: no run");
    const perSecond = (PER_DIGIT * 10 * EPOCHS) / seconds;
    if (ranks === 1) alone = perSecond;
    rows.push(row(`digits-b64-${ranks}-ranks`, job, perSecond, alone));
    console.error(JSON.stringify(rows.at(-1)));
  }
  for (const parameters of [1_000_000, 1_900_000]) {
    const { id } = await hone.models.create(await randomPerceptron(parameters));
    const { value, peak } = await isolate.peakDuring(() =>
      train({ model: id, dataset, batch_size: BATCH, steps: 10, optimizer: "adam", world_size: 1 }),
    );
    rows.push(memoryRow(`memory-${parameters / 1e6}m-1-rank`, value, peak));
    console.error(JSON.stringify(rows.at(-1)));
  }
  isolate.close();
} finally {
  await service.stop();
  await rm(dataDir, { recursive: true, force: true });
}
console.log(JSON.stringify({ bench: "scaling", rows }));

async function train(body: TrainingRequest): Promise<TrainingJob> {
  const { id } = await hone.trainingJobs.create(body);
  return (await hone.jobs.wait(id)) as TrainingJob;
}

function row(name: string, job: TrainingJob, perSecond: number, alone: number): Row {
  const { ranks } = job.progress;
  const mean = (key: "compute_ms" | "allreduce_ms" | "wait_ms") =>
    ranks.reduce((sum, rank) => sum + rank[key], 0) / ranks.length;
  return {
    case: name,
    ours_s: round(10_000 / perSecond),
    peer: null,
    peer_s: null,
    speedup: null,
    peak_mb: null,
    rows_per_cpu_second: Math.round(perSecond),
    efficiency: round(perSecond / alone),
    compute_ms: round(mean("compute_ms")),
    allreduce_ms: round(mean("allreduce_ms")),
    wait_ms: round(mean("wait_ms")),
  };
}

function memoryRow(name: string, job: TrainingJob, peak: IsolateMemory): Row {
  return {
    case: name,
    ours_s: null,
    peer: null,
    peer_s: null,
    speedup: null,
    peak_mb: Math.round(peak.total),
    heap_mb: Math.round(peak.heap),
    buffers_mb: Math.round(peak.buffers),
    wasm_mb: Math.round(peak.wasm),
    steps: job.progress.steps,
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
