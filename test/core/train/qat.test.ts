import { beforeAll, describe, expect, it } from "vitest";

import { makeFloat32, makeNode } from "../../../src/graph/build.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { entryValues, type Layout } from "../../../src/train/layout.ts";
import type { TrainingOptions } from "../../../src/train/options.ts";
import type { StepPlan } from "../../../src/train/step-model.ts";
import golden from "../../goldens/train/steps.json" with { type: "json" };
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";
import { batchesOf, open, plan, type Run, weightsOf } from "./plans.ts";
import { type Feeds, floats, relativeError, run, train, vectorFeeds } from "./stepping.ts";

let wasm: Runtime;
beforeAll(async () => {
  wasm = await nodeRuntime();
});

const value = (layout: Layout, vector: Float32Array, name: string): number | undefined => {
  const entry = layout.entries.find((candidate) => candidate.name === name);
  return entry && entryValues(vector, entry)[0];
};

describe("training through rounding ends in torch's weights and ranges", () => {
  it.each(["uint8", "int8"] as const)("with %s activations", async (activations) => {
    const entry: Run & { ranges: Record<string, number[]> } = golden[`qat_${activations}`];
    const built = await plan(await open("mlp"), entry.row, {
      qat: { activations, averaging: 0.1 },
    });
    const { step, layout } = built;
    const vector = await built.initial();
    const losses = await train(wasm, step, layout, vector, batchesOf(entry), entry.lr);
    expect(relativeError(losses, entry.losses)).toBeLessThan(1e-6);
    for (const part of layout.entries.filter(({ kind }) => kind === "parameter")) {
      const right = entry.state[part.name] ?? [];
      expect(relativeError(entryValues(vector, part), right), part.name).toBeLessThan(4e-6);
    }
    const seen = { first: "x", second: "/Relu_output_0", last: "/Relu_1_output_0" };
    for (const [layer, name] of Object.entries(seen)) {
      const range = [value(layout, vector, `${name}.min`), value(layout, vector, `${name}.max`)];
      expect(relativeError(range.map(Number), entry.ranges[layer] ?? []), name).toBeLessThan(1e-6);
    }
  });
});

/** Trains a little, so that ranges are known. */
async function trained(
  name: "mlp" | "conv",
  options: TrainingOptions,
): Promise<{ built: StepPlan; vector: Float32Array; batches: Feeds[]; result: Model }> {
  const entry: Run = golden[name];
  const built = await plan(await open(name), entry.row, options);
  const vector = await built.initial();
  const batches = batchesOf(entry);
  await train(wasm, built.step, built.layout, vector, batches, 0.05);
  return { built, vector, batches, result: await built.finish(vector) };
}

const CASES: [string, "mlp" | "conv", TrainingOptions][] = [
  ["an MLP", "mlp", { qat: true }],
  ["an MLP with one scale per weight", "mlp", { qat: { per_channel: false } }],
  ["a convolutional net", "conv", { qat: { activations: "int8" } }],
  ["weights alone", "conv", { qat: { activations: "none" } }],
];

/** Mean cross-entropy of the result's logits. */
async function lossOf(runtime: Runtime, model: Model, batch: Feeds): Promise<number> {
  const labels = batch["hone.label"]?.bytes.slice().buffer ?? new ArrayBuffer();
  const logits = floats((await run(runtime, model, batch))["y"]);
  const losses = [...new BigInt64Array(labels)].map((label, i) => {
    const row = logits.subarray(4 * i, 4 * i + 4);
    return Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - (row[Number(label)] ?? NaN);
  });
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

describe("the result is a QDQ model", () => {
  // ONNX Runtime fuses the ops around an integer product, rounds the bias as well, and so moves a code here and there.
  const RUNTIMES: [string, () => Runtime, number][] = [
    ["node by node", () => nativeRuntime(1, "disabled"), 1e-6],
    ["fused by ONNX Runtime", nativeRuntime, 5e-4],
    ["in wasm", () => wasm, 5e-4],
  ];
  it.each(CASES)("of %s that gives what the evaluation gave", async (_, name, options) => {
    const { built, vector, batches, result } = await trained(name, options);
    for (const [label, runtime, bound] of RUNTIMES) {
      for (const batch of batches.slice(0, 2)) {
        const feeds = { ...vectorFeeds(built.layout, vector), ...batch };
        const evaluation = floats((await run(runtime(), built.evaluate, feeds))["hone.loss"]);
        const own = await lossOf(runtime(), result, batch);
        expect(relativeError(evaluation, [own]), label).toBeLessThan(bound);
      }
    }
  });

  it("holds the weights as int8 and no longer as floats", async () => {
    const { built, result } = await trained("mlp", { qat: true });
    const ops = result.graph.nodes.map(({ opType }) => opType);
    expect(ops.filter((op) => op === "QuantizeLinear")).toHaveLength(3);
    expect(ops.filter((op) => op === "DequantizeLinear")).toHaveLength(6);
    const matrices = built.layout.entries.filter(
      ({ dims, kind }) => kind === "parameter" && dims.length === 2,
    );
    expect(matrices).toHaveLength(3);
    for (const { name, length } of matrices) {
      expect(result.graph.initializers.has(name)).toBe(false);
      const codes = result.graph.initializers.get(`${name}_quantized`);
      expect(codes?.dataType).toBe(3);
      const bytes = new Int8Array((await readAll(codes?.data ?? expect.fail())).slice().buffer);
      expect(bytes).toHaveLength(length);
      // The largest magnitude of each channel is a code of ±127.
      expect(Math.max(...bytes.map(Math.abs))).toBe(127);
    }
  });

  it("keeps biases and what was excluded in float", async () => {
    const { result } = await trained("mlp", { qat: { nodes_to_exclude: ["/last/Gemm"] } });
    const weights = await weightsOf(result);
    expect(weights.has("last.weight")).toBe(true);
    expect(weights.has("first.bias")).toBe(true);
    expect(weights.has("first.weight")).toBe(false);
  });

  it("leaves an activation in float that was zero in every step", async () => {
    const entry: Run = golden.mlp;
    const { step, layout, initial, finish, evaluate } = await plan(await open("mlp"), [9], {
      qat: true,
    });
    const vector = await initial();
    const bias = layout.entries.find(({ name }) => name === "first.bias");
    if (bias) entryValues(vector, bias).fill(-100);
    const [batch = {}] = batchesOf(entry);
    await train(wasm, step, layout, vector, [batch], 0);
    const result = await finish(vector);
    const ops = result.graph.nodes.map(({ opType }) => opType);
    expect(ops.filter((op) => op === "QuantizeLinear")).toHaveLength(2);
    const exact = nativeRuntime(1, "disabled");
    const feeds = { ...vectorFeeds(layout, vector), ...batch };
    const evaluation = floats((await run(exact, evaluate, feeds))["hone.loss"]);
    expect(relativeError(evaluation, [await lossOf(exact, result, batch)])).toBeLessThan(1e-6);
  });

  it("is refused while no range is known", async () => {
    const { finish, initial } = await plan(await open("mlp"), [9], { qat: true });
    await expect(finish(await initial())).rejects.toThrow(
      `the range of "x" is not known: no step has seen it`,
    );
  });
});

it("a weight behind Transpose is rounded where it is stored, per channel of the product", async () => {
  const values = [...uniform(24, 1, 1)];
  const subject = model(
    [
      makeNode("Transpose", ["w"], ["turned"], { name: "turn" }),
      makeNode("MatMul", ["x", "turned"], ["y"], { name: "product" }),
    ],
    [valueInfo("x", 1, ["N", 6])],
    [valueInfo("y", 1, ["N", 4])],
    [makeFloat32("w", values, [4, 6])],
    17,
  );
  const { initial, finish, layout } = await plan(subject, [6], { qat: { activations: "none" } });
  expect(layout.entries.map(({ name }) => name)).toEqual(["w"]);
  const { graph } = await finish(await initial());
  expect(graph.nodes.map(({ opType }) => opType)).toEqual([
    "DequantizeLinear",
    "Transpose",
    "MatMul",
  ]);
  expect(graph.initializers.has("w")).toBe(false);
  const scales = (await weightsOf({ ...subject, graph })).get("w_scale");
  const right = [0, 1, 2, 3].map((channel) => {
    const row = values.slice(6 * channel, 6 * channel + 6).map(Math.abs);
    return Math.fround(Math.max(...row) / 127);
  });
  expect([...(scales ?? [])]).toEqual(right);
});

it("an evaluation before the first step sees the activations as they are", async () => {
  const [batch = {}] = batchesOf(golden.mlp);
  const losses: number[] = [];
  for (const qat of [{ activations: "uint8" }, { activations: "none" }] as const) {
    const { evaluate, layout, initial } = await plan(await open("mlp"), [9], { qat });
    const outputs = await run(wasm, evaluate, {
      ...vectorFeeds(layout, await initial()),
      ...batch,
    });
    losses.push(floats(outputs["hone.loss"])[0] ?? NaN);
  }
  expect(losses[0]).toBe(losses[1]);
});

it("a model that is quantized already is refused, with its form", async () => {
  const { result } = await trained("mlp", { qat: true });
  await expect(plan(result, [9])).rejects.toThrow(
    "the model is quantized already (qdq): train the float model that it was made from",
  );
});
