import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, it } from "vitest";

import { cnn, depthwise, transformer } from "../../../bench/step-models.ts";
import { makeInts } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Model, Node, Tensor } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { wasmRuntime } from "../../../src/runtime/wasm-runtime.ts";
import { memoryEstimate } from "../../../src/train/memory.ts";
import { type TrainingOptions, trainingSettings } from "../../../src/train/options.ts";
import { buildStep, type StepPlan } from "../../../src/train/step-model.ts";
import { LABEL } from "../../../src/train/step-plan.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { plan } from "./plans.ts";
import { type Feeds, tensor, vectorFeeds } from "./stepping.ts";

const MIB = 1 << 20;

let compiled: WebAssembly.Module;
beforeAll(async () => {
  const file = fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  compiled = await WebAssembly.compile(await readFile(file));
});

const elements = (dims: number[]): number => dims.reduce((a, b) => a * b, 1);
const weight = (name: string, dims: number[]): Tensor =>
  makeTensor(name, 1, dims, new Uint8Array(uniform(elements(dims), 0.05, 1).buffer));

function products(width: number, layers: number): Model {
  const nodes: Node[] = [];
  const weights: Tensor[] = [];
  for (let i = 0; i < layers; i++) {
    weights.push(weight(`w${i}`, [width, width]), weight(`b${i}`, [width]));
    nodes.push(makeNode("Gemm", [i ? `r${i - 1}` : "x", `w${i}`, `b${i}`], [`h${i}`]));
    nodes.push(makeNode("Relu", [`h${i}`], [`r${i}`]));
  }
  nodes.push(makeNode("MatMul", [`r${layers - 1}`, "last"], ["y"]));
  weights.push(weight("last", [width, 10]));
  return model(nodes, [valueInfo("x", 1, ["N", width])], [valueInfo("y", 1)], weights, 18);
}

function convolutions(channels: number, size: number, layers: number): Model {
  const nodes: Node[] = [];
  const weights: Tensor[] = [];
  const pads = [makeInts("pads", [1, 1, 1, 1])];
  for (let i = 0; i < layers; i++) {
    weights.push(weight(`w${i}`, [channels, i ? channels : 3, 3, 3]));
    const ones = Array<number>(channels).fill(1);
    for (const part of ["scale", "bias", "mean", "var"]) {
      weights.push(makeFloat32(`${part}${i}`, ones));
    }
    const statistics = [`scale${i}`, `bias${i}`, `mean${i}`, `var${i}`];
    nodes.push(
      makeNode("Conv", [i ? `r${i - 1}` : "x", `w${i}`], [`c${i}`], { attributes: pads }),
      makeNode("BatchNormalization", [`c${i}`, ...statistics], [`n${i}`]),
      makeNode("Relu", [`n${i}`], [`r${i}`]),
    );
  }
  nodes.push(
    makeNode("GlobalAveragePool", [`r${layers - 1}`], ["pooled"]),
    makeNode("Flatten", ["pooled"], ["flat"]),
    makeNode("MatMul", ["flat", "last"], ["y"]),
  );
  weights.push(weight("last", [channels, 10]));
  const input = valueInfo("x", 1, ["N", 3, size, size]);
  return model(nodes, [input], [valueInfo("y", 1)], weights, 18);
}

/** The bench's model without its loss. */
function scoring({ model: whole }: { model: Model }): Model {
  const { graph } = whole;
  const end = graph.nodes.findIndex(({ outputs: [name] }) => name === "logits");
  const scores = graph.nodes[end]?.inputs[0] ?? "";
  graph.nodes = graph.nodes.slice(0, end);
  graph.inputs = graph.inputs.filter(({ name }) => name === "x");
  graph.outputs = [valueInfo(scores, 1)];
  return whole;
}

interface Case {
  make: () => Model;
  row: number[];
  rows: number;
  options?: TrainingOptions;
  /** Ids below this, and a label for each. */
  ids?: number;
}

const CASES: Record<string, Case> = {
  "products, mostly parameters": { make: () => products(1024, 3), row: [1024], rows: 16 },
  "products, mostly frozen": {
    make: () => products(1024, 3),
    row: [1024],
    rows: 16,
    options: { lora: true },
  },
  "convolutions, mostly activations": {
    make: () => convolutions(24, 28, 4),
    row: [3, 28, 28],
    rows: 24,
  },
  "large kernels and pools": { make: () => scoring(cnn()), row: [1, 28, 28], rows: 128 },
  "depthwise convolutions": { make: () => scoring(depthwise()), row: [3, 32, 32], rows: 64 },
  "a transformer": { make: () => scoring(transformer()), row: [64], rows: 16, ids: 256 },
};

async function stepOf({ make, row, ids, options = {} }: Case): Promise<StepPlan> {
  const fields = {
    x: { dtype: ids === undefined ? ("float32" as const) : ("int64" as const), shape: row },
    [LABEL]: { dtype: "int64" as const, shape: ids === undefined ? [] : row },
  };
  return await buildStep(make(), trainingSettings(options), { fields });
}

async function feedsOf({ row, rows, ids }: Case, step: StepPlan): Promise<Feeds> {
  const dims = [rows, ...row];
  const count = elements(dims);
  const labels = ids === undefined ? [rows] : dims;
  return {
    ...vectorFeeds(step.layout, await step.initial()),
    x:
      ids === undefined
        ? tensor("float32", dims, uniform(count, 1, 3))
        : tensor(
            "int64",
            dims,
            Array.from({ length: count }, (_, i) => i % ids),
          ),
    [LABEL]: tensor("int64", labels, Array<number>(elements(labels)).fill(1)),
  };
}

/** Two steps with a heap of so many bytes. @throws Error where it does not fit */
async function runWithin(maxHeapBytes: number, step: StepPlan, feeds: Feeds): Promise<void> {
  const runtime = wasmRuntime({
    name: "test",
    module: async () => compiled,
    maxHeapBytes,
    maxTotalBytes: Infinity,
    maxModelBytes: 1e9,
  });
  const bytes = await modelBytes(step.step);
  for (let i = 0; i < 2; i++) await runtime.runResident("step", async () => bytes, feeds);
}

it.each(Object.entries(CASES))(
  "a step fits a heap of what is estimated, and not one of two thirds: %s",
  async (_, subject) => {
    const step = await stepOf(subject);
    const { heap, isPartial } = await memoryEstimate(step, subject.rows);
    expect(isPartial).toBe(false);
    const feeds = await feedsOf(subject, step);
    await runWithin(heap, step, feeds);
    expect(heap / 1.5).toBeGreaterThan(16 * MIB);
    await expect(runWithin(heap / 1.5, step, feeds)).rejects.toThrow(/does not fit/);
  },
);

it("each part is what it says", async () => {
  const { step, layout } = await plan(products(64, 2), [64], { frozen: ["w0"] });
  const estimate = await memoryEstimate({ step, layout }, 10);
  const trained = 64 * 64 + 2 * 64 + 64 * 10;
  expect(estimate).toMatchObject({ vector: 4 * trained, batch: 4 * 10 * 64 + 8 * 10 });
  expect(estimate.frozen).toBeGreaterThanOrEqual(4 * 64 * 64);
  expect(estimate.frozen).toBeLessThan(4 * 64 * 64 + 1000);
  const twice = await memoryEstimate({ step, layout }, 20);
  expect(twice.batch).toBe(2 * estimate.batch);
  expect(twice.heap).toBeGreaterThan(estimate.heap);
});
