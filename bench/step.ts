/**
 * @file A gradient step (forward and backward) on one thread, and one with SGD: native ONNX Runtime and its
 * wasm against torch.
 *
 * CPU milliseconds a step, medians of the rounds. `npm run bench -- step MODEL …` runs some of the models.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { differentiate } from "../src/autodiff/differentiate.ts";
import { normalise } from "../src/autodiff/normalise.ts";
import { Arena } from "../src/kernels/arena.ts";
import { kernelModule } from "../src/kernels/node.ts";
import { DataType } from "../src/onnx/data-type.ts";
import { readAll } from "../src/onnx/tensor-data.ts";
import { modelBytes } from "../src/onnx/write-model.ts";
import { nativeRuntime } from "../src/runtime/native.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { HostTensor } from "../src/runtime/runtime.ts";
import { optimizerSettings } from "../src/train/optimizer-options.ts";
import { makeOptimizer } from "../src/train/optimizer.ts";
import { cnn, depthwise, mlp, type StepModel, transformer, uniform } from "./step-models.ts";

const PYTHON = process.env["HONE_BENCH_PYTHON"] ?? "python3";
const ROUNDS = 7;
const SGD_STEP = { learningRate: 0.01, step: 0, weightDecay: 0 };
const optimizer = makeOptimizer(optimizerSettings("sgd"), await Arena.create(await kernelModule()));
/** About a second for torch in all. */
const STEPS: Readonly<Record<string, number>> = { mlp: 60, cnn: 12, depthwise: 12, transformer: 5 };

const now = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

interface Step {
  /** Forward and backward; gives the loss. */
  gradient: () => Promise<number>;
  /** The same, then SGD. */
  step: () => Promise<number>;
}
type Task = keyof Step;

/** Parameters by name, updated in place. */
type Parameters = Map<string, { dims: number[]; values: Float32Array }>;

function update(parameters: Parameters, name: string, gradient: Float32Array): void {
  const values = parameters.get(name)?.values;
  if (values) optimizer.apply(values, gradient, [], SGD_STEP);
}

async function parametersOf({ model, parameters }: StepModel): Promise<Parameters> {
  const all: Parameters = new Map();
  for (const name of parameters) {
    const tensor = model.graph.initializers.get(name);
    if (!tensor) throw new Error(`no parameter ${name}`);
    const values = new Float32Array((await readAll(tensor.data)).slice().buffer);
    all.set(name, { dims: tensor.dims, values });
  }
  return all;
}

function batchFeeds({ input, rows, classes }: StepModel): Record<string, HostTensor> {
  const next = uniform(3);
  const id = (below: number) => BigInt(Math.floor(((next() + 1) / 2) * below));
  const { ids } = input;
  const count = input.dims.reduce((a, b) => a * b, 1);
  const x =
    ids === undefined
      ? Float32Array.from({ length: count }, next)
      : BigInt64Array.from({ length: count }, () => id(ids));
  const labels = BigInt64Array.from({ length: rows }, () => id(classes));
  return {
    x: {
      dataType: ids === undefined ? DataType.float32 : DataType.int64,
      dims: input.dims,
      bytes: new Uint8Array(x.buffer),
    },
    labels: { dataType: DataType.int64, dims: [rows, 1], bytes: new Uint8Array(labels.buffer) },
  };
}

const floats = (tensor: HostTensor | undefined): Float32Array =>
  new Float32Array(
    (tensor?.bytes.buffer as ArrayBuffer | undefined) ?? new ArrayBuffer(),
    tensor?.bytes.byteOffset,
  );

/** As a runner does it: parameters stay with the runtime, gradients are read one by one. */
async function nativeStep(subject: StepModel): Promise<Step> {
  const { model, gradients } = await gradientModel(subject, "native");
  const runtime = nativeRuntime(1);
  const session = await runtime.loadResident(model);
  const parameters = await parametersOf(subject);
  const residents = runtime.allocate([...parameters].map(([name, { dims }]) => ({ name, dims })));
  const write = (): void => {
    for (const [name, { values }] of parameters) {
      residents.write(name, 0, new Uint8Array(values.buffer as ArrayBuffer));
    }
  };
  write();
  const feeds = batchFeeds(subject);
  const run = async (take: (name: string, gradient: Float32Array) => void): Promise<number> => {
    const outputs = await session.run(feeds, residents);
    for (const [name, output] of gradients) take(name, floats(await outputs.read(output)));
    const loss = floats(await outputs.read("loss"))[0] ?? Number.NaN;
    outputs.dispose();
    return loss;
  };
  return {
    gradient: async () => await run(() => undefined),
    step: async () => {
      const loss = await run((name, gradient) => update(parameters, name, gradient));
      write();
      return loss;
    },
  };
}

async function wasmStep(subject: StepModel): Promise<Step> {
  const { model, gradients } = await gradientModel(subject, "wasm");
  const session = await (await nodeRuntime()).load(model);
  const parameters = await parametersOf(subject);
  const feeds = batchFeeds(subject);
  for (const [name, { dims, values }] of parameters) {
    feeds[name] = { dataType: DataType.float32, dims, bytes: new Uint8Array(values.buffer) };
  }
  return {
    gradient: async () => floats((await session.run(feeds))["loss"])[0] ?? Number.NaN,
    step: async () => {
      const outputs = await session.run(feeds);
      for (const [name, output] of gradients) update(parameters, name, floats(outputs[output]));
      return floats(outputs["loss"])[0] ?? Number.NaN;
    },
  };
}

async function gradientModel(subject: StepModel, target: "native" | "wasm") {
  const { parameters } = subject;
  const normalised = await normalise(subject.model);
  const { model, gradients } = await differentiate(normalised, {
    loss: "loss",
    parameters,
    target,
  });
  return { model: await modelBytes(model), gradients };
}

async function measured(run: () => Promise<number>, count: number): Promise<number> {
  const start = now();
  for (let i = 0; i < count; i++) await run();
  return (now() - start) / count;
}

class Peer {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    const file = `${import.meta.dirname}/step_peer.py`;
    this.#process = spawn(PYTHON, [file], { stdio: ["pipe", "pipe", "inherit"] });
    if (!this.#process.stdout) throw new Error("no output of the peer");
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async measured(name: string, task: Task, count: number): Promise<number> {
    this.#process.stdin?.write(`${name} ${task} ${count}\n`);
    const { value } = await this.#lines.next();
    return Number(value);
  }

  async close(): Promise<void> {
    this.#process.stdin?.end();
    await once(this.#process, "exit");
  }
}

function peerInstalled(): boolean {
  try {
    execFileSync(PYTHON, ["-c", "import torch"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const rounded = (value: number): number => Number(value.toPrecision(3));

interface Times {
  native: number[];
  torch: number[];
  wasm: number[];
}

/**
 * First native and torch in turn, then wasm by itself: V8 compiles it in the background, which would count
 * against the others.
 */
async function bench(subject: StepModel, peer: Peer | undefined) {
  const { name } = subject;
  const count = STEPS[name] ?? 5;
  const none = (): Times => ({ native: [], torch: [], wasm: [] });
  const times: Record<Task, Times> = { gradient: none(), step: none() };
  const native = await nativeStep(subject);
  const first = await native.step();
  for (let i = 0; i < count; i++) await native.step();
  for (let round = 0; round < ROUNDS; round++) {
    for (const task of ["gradient", "step"] as const) {
      times[task].native.push(await measured(native[task], count));
      if (peer) times[task].torch.push(await peer.measured(name, task, count));
    }
  }
  const last = await native.step();
  const wasm = await wasmStep(subject);
  const firstWasm = await wasm.step();
  if (Math.abs(first - firstWasm) > 1e-4) throw new Error(`losses ${first} and ${firstWasm}`);
  for (let i = 0; i < count; i++) await wasm.step();
  for (let round = 0; round < ROUNDS; round++) {
    for (const task of ["gradient", "step"] as const) {
      times[task].wasm.push(await measured(wasm[task], count));
    }
  }
  const row = {
    name,
    gradient: figures(times.gradient),
    step: figures(times.step),
    loss: [rounded(first), rounded(last)],
  };
  console.error(JSON.stringify(row));
  return row;
}

/** Medians, and of native to torch also the quotient of the least disturbed rounds. */
function figures({ native, torch, wasm }: Times) {
  const hasPeer = torch.length > 0;
  return {
    native_ms: rounded(median(native)),
    torch_ms: hasPeer ? rounded(median(torch)) : null,
    wasm_ms: rounded(median(wasm)),
    native_to_torch: hasPeer ? rounded(median(native) / median(torch)) : null,
    native_to_torch_best: hasPeer ? rounded(Math.min(...native) / Math.min(...torch)) : null,
    wasm_to_native: rounded(median(wasm) / median(native)),
  };
}

const wanted = process.argv.slice(2).filter((word) => word in STEPS);
const hasPeer = peerInstalled();
if (!hasPeer)
  console.error(`${PYTHON} has no torch: peers are null (HONE_BENCH_PYTHON names another)`);
const peer = hasPeer ? new Peer() : undefined;
const rows = [];
for (const subject of [mlp(), cnn(), depthwise(), transformer()]) {
  if (wanted.length === 0 || wanted.includes(subject.name)) rows.push(await bench(subject, peer));
}
await peer?.close();
console.log(JSON.stringify({ bench: "step", unit: "CPU ms, one thread", rows }));
