import { expect, it } from "vitest";

import { makeInts } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Model, Node, Tensor } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import { WasmRuntime } from "../../../src/runtime/wasm-runtime.ts";
import { HEAP_FACTOR, memoryEstimate } from "../../../src/train/memory.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { plan } from "./plans.ts";
import { tensor, vectorFeeds } from "./stepping.ts";

/** What ONNX Runtime's heap has before a model is loaded. */
const FIRST_BYTES = 16 << 20;

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

const CASES: [string, () => Model, number[], number][] = [
  ["products, mostly parameters", () => products(1024, 3), [1024], 16],
  ["convolutions, mostly activations", () => convolutions(24, 28, 4), [3, 28, 28], 32],
];

it.each(CASES)("the heap grows by what is estimated: %s", async (_, make, row, rows) => {
  const { step, layout, initial } = await plan(make(), row);
  const estimate = await memoryEstimate({ step, layout }, rows);
  expect(estimate.isPartial).toBe(false);
  const runtime = await nodeRuntime();
  if (!(runtime instanceof WasmRuntime)) throw new Error("no heap to measure");
  const session = await runtime.load(await modelBytes(step));
  const feeds = {
    ...vectorFeeds(layout, await initial()),
    x: tensor("float32", [rows, ...row], uniform(rows * elements(row), 1, 3)),
    "hone.label": tensor("int64", [rows], Array<number>(rows).fill(1)),
  };
  await session.run(feeds);
  const grown = runtime.heapBytes - FIRST_BYTES;
  await session.release();
  expect(grown).toBeGreaterThan(0.7 * estimate.total);
  expect(grown).toBeLessThan(HEAP_FACTOR * estimate.total);
});

it("each part is what it says", async () => {
  const { step, layout } = await plan(products(64, 2), [64], { frozen: ["w0"] });
  const estimate = await memoryEstimate({ step, layout }, 10);
  const trained = 64 * 64 + 2 * 64 + 64 * 10;
  expect(estimate).toMatchObject({
    parameters: 4 * trained,
    gradients: 4 * trained,
    batch: 4 * 10 * 64 + 8 * 10,
  });
  expect(estimate.frozen).toBeGreaterThanOrEqual(4 * 64 * 64);
  expect(estimate.frozen).toBeLessThan(4 * 64 * 64 + 1000);
  const twice = await memoryEstimate({ step, layout }, 20);
  expect(twice.batch).toBe(2 * estimate.batch);
  expect(twice.activations).toBeGreaterThan(estimate.activations);
});
