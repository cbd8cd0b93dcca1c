/** @file A search over a real net by real methods, run by ONNX Runtime: the layer that a method ruins is left out. */
import { beforeAll, expect, it } from "vitest";
import { compress } from "../../../src/compress/compress.ts";
import { CompressRefusal, type CompressEnvironment } from "../../../src/compress/types.ts";
import { Judge } from "../../../src/evaluate/judge.ts";
import { makeFloat32, makeNode } from "../../../src/graph/build.ts";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySink, MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import { candidateSteps, planMethods, type PlannedMethod } from "../../../src/search/methods.ts";
import { search } from "../../../src/search/search.ts";
import type { Candidate } from "../../../src/search/trial.ts";
import type { Measure } from "../../../src/search/trials.ts";
import { float32, model, uniform, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";

const WIDTH = 64;
const LAYERS = 10;
const ROWS = 256;
const FRAGILE = 4;

let environment: CompressEnvironment;
let original: Uint8Array;
let methods: PlannedMethod[];
let labels: HostTensor;
const rows = float32([ROWS, WIDTH], uniform(ROWS * WIDTH, 1, 77));

/** Square layers. In one of them weights that meet only zeros are so large that four bits leave nothing of the others. */
async function net(): Promise<Uint8Array> {
  const nodes = [];
  const weights = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const values = uniform(WIDTH * WIDTH, Math.sqrt(3 / WIDTH), layer + 1);
    for (let at = 0; at < WIDTH * WIDTH; at++) {
      const [row, column] = [Math.floor(at / WIDTH), at % WIDTH];
      if (layer === FRAGILE - 1 && column % 32 === 1) values[at] = 0;
      if (layer === FRAGILE && row % 32 === 1) values[at] = column % 2 ? 4 : -4;
    }
    const last = layer === LAYERS - 1;
    weights.push(makeFloat32(`w${layer}`, Array.from(values), [WIDTH, WIDTH]));
    const out = last ? "y" : `h${layer}`;
    const input = layer === 0 ? "x" : `a${layer - 1}`;
    nodes.push(makeNode("MatMul", [input, `w${layer}`], [out], { name: `fc${layer}` }));
    if (!last) nodes.push(makeNode("Tanh", [out], [`a${layer}`], { name: `tanh${layer}` }));
  }
  const shape = ["batch", WIDTH];
  const [x, y] = ["x", "y"].map((name) => valueInfo(name, DataType.float32, shape));
  return await modelBytes(model(nodes, x ? [x] : [], y ? [y] : [], weights));
}

async function outputs(bytes: Uint8Array): Promise<HostTensor> {
  const session = await nativeRuntime().load(bytes);
  const { y } = await session.run({ x: rows });
  await session.release();
  if (!y) throw new Error("no output");
  return y;
}

beforeAll(async () => {
  const kernels = await kernelModule();
  environment = { kernels, runtime: nativeRuntime() };
  original = await net();
  const parsed = await readModel(new MemorySource(original));
  const arena = await Arena.create(kernels, 16 << 20);
  ({ methods } = await planMethods(parsed, original.length, { arena }, {}));
  labels = await outputs(original);
});

async function compressed(candidate: Candidate): Promise<Uint8Array> {
  let bytes = original;
  for (const options of candidateSteps(methods, candidate)) {
    const request = { operation: "quantize" as const, options };
    const { files } = await compress({ source: new MemorySource(bytes) }, request, environment);
    const [file] = files;
    const sink = new MemorySink(file?.byteLength ?? 0);
    await file?.write(sink);
    bytes = sink.bytes;
  }
  return bytes;
}

/** The mean absolute error against what the original says. */
const measure: Measure = async (candidate) => {
  let bytes = original;
  if (candidate) {
    try {
      bytes = await compressed(candidate);
    } catch (error) {
      if (error instanceof CompressRefusal) return { refused: error.message };
      throw error;
    }
  }
  const judge = new Judge(["l1"], {});
  judge.add(await outputs(bytes), labels);
  return { bytes: bytes.length, metric: judge.values()["l1"] ?? NaN, latencyMs: null };
};

it("methods are planned with the bytes that they really give, and the nodes that can be left out", async () => {
  expect(methods.map(({ what }) => what)).toContain("weight_only bits=4 block_size=32");
  expect(methods.map(({ what }) => what)).toContain("static");
  for (const [method, { what, bytes, nodes }] of methods.entries()) {
    expect([what, (await compressed({ method, excluded: [] })).length]).toEqual([what, bytes]);
    expect(nodes.map(({ name }) => name)).toEqual(
      Array.from({ length: LAYERS }, (_, layer) => `fc${layer}`),
    );
    const [node] = nodes;
    const without = (await compressed({ method, excluded: ["fc0"] })).length;
    expect(without).toBeGreaterThan(bytes);
    // What static quantization puts around a node has a size, too.
    const around = what === "static" ? 800 : 600;
    expect(Math.abs(without - bytes - (node?.bytes ?? 0))).toBeLessThan(around);
  }
});

it("four bits everywhere but in the layer that they ruin beats eight bits everywhere", async () => {
  const goal = {
    higherIsBetter: false,
    minimize: "bytes" as const,
    maxDrop: 0.05,
    maxEvaluations: 24,
  };
  const found = await search(goal, methods, measure);
  const best = found.trials[found.best ?? 0];
  const four = methods.findIndex(({ options }) => options["bits"] === 4);
  const whole = found.trials.find(
    ({ candidate }) => candidate?.method === four && candidate.excluded.length === 0,
  );
  expect(whole).toMatchObject({ meets: false });
  const eight = methods.findIndex(({ what }) => what === "weight_only");
  expect(best?.candidate).toEqual({ method: four, excluded: [`fc${FRAGILE}`], rest: eight });
  const plain = found.trials.filter(
    ({ candidate, meets }) => candidate?.excluded.length === 0 && meets,
  );
  expect(plain.length).toBeGreaterThan(0);
  for (const { outcome } of plain) {
    expect(
      "bytes" in outcome && best && "bytes" in best.outcome
        ? outcome.bytes - best.outcome.bytes
        : 0,
    ).toBeGreaterThan(0);
  }
  expect(found.exhausted).toBe(false);
});

it("with static quantization and eight bits beside four, what is found is no larger than without", async () => {
  const known = new Map<string, ReturnType<Measure>>();
  const once: Measure = async (candidate) => {
    const key = JSON.stringify(candidate);
    const outcome = known.get(key) ?? measure(candidate);
    known.set(key, outcome);
    return await outcome;
  };
  const single = methods
    .filter(({ what }) => what !== "static")
    .map((method) => ({ ...method, rest: undefined }));
  const smallest = async (tried: PlannedMethod[], maxDrop: number) => {
    const goal = { higherIsBetter: false, minimize: "bytes" as const, maxDrop, maxEvaluations: 24 };
    const { trials, best = 0 } = await search(goal, tried, once);
    const outcome = trials[best]?.outcome;
    expect(trials.length).toBeLessThanOrEqual(24);
    return outcome && "bytes" in outcome ? outcome.bytes : NaN;
  };
  const ratios: number[] = [];
  for (const maxDrop of [0.003, 0.005, 0.02, 0.05]) {
    ratios.push((await smallest(methods, maxDrop)) / (await smallest(single, maxDrop)));
  }
  expect(Math.max(...ratios)).toBeLessThanOrEqual(1);
  expect(Math.min(...ratios)).toBeLessThan(0.75);
});
