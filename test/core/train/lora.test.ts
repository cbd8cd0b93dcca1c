import { beforeAll, describe, expect, it } from "vitest";

import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { entryValues } from "../../../src/train/layout.ts";
import golden from "../../goldens/train/steps.json" with { type: "json" };
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { trainingSettings } from "../../../src/train/options.ts";
import { buildStep } from "../../../src/train/step-model.ts";
import { batchesOf, open, plan, weightsOf } from "./plans.ts";
import { floats, relativeError, run, tensor, train, vectorFeeds } from "./stepping.ts";

let wasm: Runtime;
beforeAll(async () => {
  wasm = await nodeRuntime();
});

const OPTIONS = { lora: { rank: 3, alpha: 6, target: ["first.*", "/last/*"] } };

describe("adapters", () => {
  it("train as in torch, and merge into the weights", async () => {
    const entry = golden.lora;
    const { step, layout, initial, finish } = await plan(await open("mlp"), entry.row, OPTIONS);
    expect(layout.entries.map(({ name }) => name).sort()).toEqual([
      "first.weight.lora_A",
      "first.weight.lora_B",
      "last.weight.lora_A",
      "last.weight.lora_B",
    ]);
    const vector = await initial();
    const torchName = (name: string) => name.replace(".weight.lora_", "_").toLowerCase();
    const starts: Record<string, number[]> = entry.start;
    for (const part of layout.entries) {
      entryValues(vector, part).set(starts[torchName(part.name)] ?? []);
    }
    const losses = await train(wasm, step, layout, vector, batchesOf(entry), entry.lr);
    expect(relativeError(losses, entry.losses)).toBeLessThan(1e-6);
    const ends: Record<string, number[]> = entry.state;
    for (const part of layout.entries) {
      const right = ends[torchName(part.name)] ?? [];
      expect(relativeError(entryValues(vector, part), right), part.name).toBeLessThan(4e-6);
    }
    const weights = await weightsOf(await finish(vector));
    const before = await weightsOf(await open("mlp"));
    for (const [name, right] of Object.entries(entry.merged)) {
      expect(relativeError(weights.get(name) ?? [], right), name).toBeLessThan(4e-6);
      before.delete(name);
      weights.delete(name);
    }
    expect(weights).toEqual(before);
  });

  it("start as nothing: the first loss is the model's own", async () => {
    const [batch = {}] = batchesOf(golden.lora);
    const losses = [];
    for (const options of [{}, OPTIONS]) {
      const { step, layout, initial } = await plan(await open("mlp"), [9], options);
      const outputs = await run(wasm, step, { ...vectorFeeds(layout, await initial()), ...batch });
      losses.push(floats(outputs["hone.loss"])[0]);
    }
    expect(losses[1]).toBe(losses[0]);
  });

  it("start from the seed", async () => {
    const start = async (seed: number) => {
      const { initial, layout } = await plan(await open("mlp"), [9], { ...OPTIONS, seed });
      return { vector: await initial(), layout };
    };
    const { vector, layout } = await start(1);
    expect((await start(1)).vector).toEqual(vector);
    expect((await start(2)).vector).not.toEqual(vector);
    const a = layout.entries.find(({ name }) => name === "first.weight.lora_A");
    if (!a) throw new Error("no adapter");
    const values = entryValues(vector, a);
    const bound = 1 / 3;
    expect(values.every((value) => Math.abs(value) <= bound)).toBe(true);
    expect(Math.max(...values)).toBeGreaterThan(0.7 * bound);
    expect(Math.min(...values)).toBeLessThan(-0.7 * bound);
  });

  it("leave a weight alone that something else reads too", async () => {
    const tied = model(
      [
        makeNode("Gather", ["table", "x"], ["h"], { name: "embed" }),
        makeNode("MatMul", ["h", "w"], ["g"], { name: "middle" }),
        makeNode("Transpose", ["table"], ["turned"], { name: "turn" }),
        makeNode("MatMul", ["g", "turned"], ["y"], { name: "head" }),
      ],
      [valueInfo("x", 7, ["N"])],
      [valueInfo("y", 1, ["N", 5])],
      [
        makeFloat32("table", [...uniform(15, 1, 1)], [5, 3]),
        makeFloat32("w", [...uniform(9, 1, 2)], [3, 3]),
      ],
      17,
    );
    const fields = {
      x: { dtype: "int64", shape: [] },
      "hone.label": { dtype: "int64", shape: [] },
    } as const;
    const { layout } = await buildStep(tied, trainingSettings({ lora: true }), { fields });
    expect(layout.entries.map(({ name }) => name)).toEqual(["w.lora_B", "w.lora_A"]);
    const asked = trainingSettings({ lora: { target: ["head"] } });
    await expect(buildStep(tied, asked, { fields })).rejects.toThrow(
      `lora: the weight of MatMul "head" is read by other nodes too`,
    );
  });

  it("merged give what they gave beside MatMul of any rank, Gemm with alpha, a shared weight and one behind Transpose", async () => {
    const weight = (name: string, dims: number[], seed: number) =>
      makeFloat32(
        name,
        [
          ...uniform(
            dims.reduce((a, b) => a * b, 1),
            0.5,
            seed,
          ),
        ],
        dims,
      );
    const subject = model(
      [
        makeNode("MatMul", ["x", "a"], ["h"], { name: "first" }),
        makeNode("Tanh", ["h"], ["t"], { name: "tanh" }),
        makeNode("MatMul", ["t", "a"], ["u"], { name: "again" }),
        makeNode("ReduceMean", ["u", "axes"], ["m"], {
          name: "mean",
          attributes: [makeInt("keepdims", 0)],
        }),
        makeNode("Transpose", ["stored"], ["b"], { name: "turn" }),
        makeNode("Gemm", ["m", "b", "c"], ["y"], {
          name: "gemm",
          attributes: [
            { name: "alpha", type: "float", value: 0.5 },
            { name: "beta", type: "float", value: 2 },
          ],
        }),
      ],
      [valueInfo("x", 1, ["N", 3, 6])],
      [valueInfo("y", 1, ["N", 4])],
      [
        weight("a", [6, 6], 1),
        weight("stored", [4, 6], 2),
        weight("c", [4], 3),
        makeInt64("axes", [1]),
      ],
      18,
    );
    const { evaluate, layout, initial, finish } = await plan(subject, [3, 6], {
      lora: { rank: 2 },
    });
    expect(layout.entries).toHaveLength(4);
    const vector = await initial();
    uniform(vector.length, 0.5, 7).forEach((value, i) => (vector[i] = value));
    const batch = {
      x: tensor("float32", [5, 3, 6], uniform(90, 1, 8)),
      "hone.label": tensor("int64", [5], [0, 1, 2, 3, 0]),
    };
    const beside = await run(wasm, evaluate, { ...vectorFeeds(layout, vector), ...batch });
    const result = await finish(vector);
    const after = await plan(result, [3, 6]);
    const merged = await run(wasm, after.evaluate, {
      ...vectorFeeds(after.layout, await after.initial()),
      ...batch,
    });
    const loss = floats(merged["hone.loss"]);
    expect(relativeError(floats(beside["hone.loss"]), loss)).toBeLessThan(1e-6);
    const untouched = await plan(subject, [3, 6]);
    const plainLoss = await run(wasm, untouched.evaluate, {
      ...vectorFeeds(untouched.layout, await untouched.initial()),
      ...batch,
    });
    expect(Math.abs((floats(plainLoss["hone.loss"])[0] ?? 0) - (loss[0] ?? 0))).toBeGreaterThan(
      1e-3,
    );
  });
});
