import { beforeAll, describe, expect, it } from "vitest";

import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { trainingSettings } from "../../../src/train/options.ts";
import { buildStep, type StepPlan } from "../../../src/train/step-model.ts";
import { model, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";
import { type Feeds, floats, run, tensor } from "./stepping.ts";

const COUNT = 20_000;
const RATIO = 0.3;

/** y = x·w and z = x·w, each dropped by a node of its own; the loss is the mean of both. */
function dropped(): Model {
  const inputs = ["ratio", "training"];
  return model(
    [
      makeNode("Mul", ["x", "w"], ["a"], { name: "first" }),
      makeNode("Dropout", ["a", ...inputs], ["da"], { name: "drop first" }),
      makeNode("Mul", ["x", "v"], ["b"], { name: "second" }),
      makeNode("Dropout", ["b", ...inputs], ["db"], { name: "drop second" }),
      makeNode("Add", ["da", "db"], ["y"], { name: "sum" }),
    ],
    [valueInfo("x", 1, ["N", COUNT])],
    [valueInfo("y", 1, ["N", COUNT])],
    [
      makeFloat32("w", Array<number>(COUNT).fill(1)),
      makeFloat32("v", Array<number>(COUNT).fill(1)),
      makeFloat32("ratio", [RATIO], []),
      makeTensor("training", 9, [], Uint8Array.of(1)),
    ],
    18,
  );
}

const planOf = async (dropout = true): Promise<StepPlan> =>
  await buildStep(
    dropped(),
    trainingSettings({ loss: "output:y", trainable: ["w", "v"], dropout }),
    { fields: { x: { dtype: "float32", shape: [COUNT] } } },
  );

const ones = Array<number>(COUNT).fill(1);
const feeds = (seed: number): Feeds => ({
  x: tensor("float32", [1, COUNT], ones),
  w: tensor("float32", [COUNT], ones),
  v: tensor("float32", [COUNT], ones),
  "hone.seed": tensor("int64", [1], [seed]),
});

/** Which elements of the two nodes are kept. */
async function masks(runtime: Runtime, { step }: StepPlan, seed: number) {
  const outputs = await run(runtime, step, feeds(seed));
  const scale = Math.fround(1 / (1 - RATIO)) / COUNT;
  const mask = (name: string): boolean[] => {
    const gradients = floats(outputs[name]);
    expect(gradients.every((g) => g === 0 || Math.abs(g / scale - 1) < 1e-6)).toBe(true);
    return Array.from(gradients, (g) => g !== 0);
  };
  return { w: mask("w.gradient"), v: mask("v.gradient") };
}

/** In standard deviations, how far the count of true is from `share` of all. */
function deviation(bits: readonly boolean[], share: number): number {
  const count = bits.filter(Boolean).length;
  return Math.abs(count - share * bits.length) / Math.sqrt(bits.length * share * (1 - share));
}

let wasm: Runtime;
beforeAll(async () => {
  wasm = await nodeRuntime();
});

describe("dropout", () => {
  it("keeps its share of the elements, whatever the seed", async () => {
    const plan = await planOf();
    for (const seed of [0, 1, 2, 12_345, 2 ** 31, 2 ** 32 - 1]) {
      const { w, v } = await masks(wasm, plan, seed);
      expect(deviation(w, 1 - RATIO), String(seed)).toBeLessThan(4);
      expect(deviation(v, 1 - RATIO), String(seed)).toBeLessThan(4);
    }
  });

  it("draws neighbours, nodes and seeds independently", async () => {
    const plan = await planOf();
    const first = await masks(wasm, plan, 7);
    const second = await masks(wasm, plan, 8);
    const both = (a: readonly boolean[], b: readonly boolean[]) =>
      a.map((bit, i) => bit && b[i] === true);
    const share = (1 - RATIO) ** 2;
    expect(deviation(both(first.w, first.v), share)).toBeLessThan(4);
    expect(deviation(both(first.w, second.w), share)).toBeLessThan(4);
    for (const distance of [1, 2, 3, 64, 100, 4096]) {
      const shifted = first.w.slice(distance);
      expect(deviation(both(shifted, first.w), share), `${distance} apart`).toBeLessThan(4);
    }
  });

  it("repeats bit for bit from the same seed, natively too", async () => {
    const { step } = await planOf();
    const [once, again, native, other] = await Promise.all([
      run(wasm, step, feeds(3)),
      run(wasm, step, feeds(3)),
      run(nativeRuntime(), step, feeds(3)),
      run(wasm, step, feeds(4)),
    ]);
    expect(again).toEqual(once);
    expect(native["w.gradient"]).toEqual(once["w.gradient"]);
    expect(other["w.gradient"]).not.toEqual(once["w.gradient"]);
  });

  it("is off in evaluation, and where it is asked to be", async () => {
    const plan = await planOf();
    expect(plan.step.graph.inputs.some(({ name }) => name === "hone.seed")).toBe(true);
    const evaluation = await run(wasm, plan.evaluate, feeds(1));
    expect([...floats(evaluation["hone.loss"])]).toEqual([2]);
    const off = await planOf(false);
    expect(off.step.graph.inputs.some(({ name }) => name === "hone.seed")).toBe(false);
    expect(floats((await run(wasm, off.step, feeds(1)))["hone.loss"])[0]).toBe(2);
  });

  it("keeps the mean", async () => {
    const { step } = await planOf();
    const loss = floats((await run(wasm, step, feeds(1)))["hone.loss"])[0] ?? NaN;
    expect(Math.abs(loss - 2)).toBeLessThan(0.03);
  });
});
