import { beforeAll, describe, expect, it } from "vitest";

import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { entryValues } from "../../../src/train/layout.ts";
import { type TrainingOptions, trainingSettings } from "../../../src/train/options.ts";
import { buildStep } from "../../../src/train/step-model.ts";
import { LABEL, TEACHER } from "../../../src/train/step-plan.ts";
import golden from "../../goldens/train/steps.json" with { type: "json" };
import { batchesOf, open, plan, type Run, weightsOf } from "./plans.ts";
import { floats, relativeError, run, tensor, train, vectorFeeds } from "./stepping.ts";

let wasm: Runtime;
beforeAll(async () => {
  wasm = await nodeRuntime();
});

describe("steps of SGD in wasm end in torch's weights", () => {
  it.each(["mlp", "conv"] as const)("%s", async (name) => {
    const entry: Run = golden[name];
    const { step, layout, initial, finish } = await plan(await open(name), entry.row);
    const vector = await initial();
    const losses = await train(wasm, step, layout, vector, batchesOf(entry), entry.lr);
    expect(relativeError(losses, entry.losses)).toBeLessThan(1e-6);
    const weights = await weightsOf(await finish(vector));
    expect(Object.keys(entry.state).length).toBe(weights.size);
    for (const [key, values] of Object.entries(entry.state)) {
      expect(relativeError(weights.get(key) ?? [], values), key).toBeLessThan(4e-6);
    }
  });

  it("with a teacher in the graph", async () => {
    const entry: Run = golden.distilled;
    const options = { teacher: { temperature: 3, alpha: 0.7 } };
    const built = await plan(await open("mlp"), entry.row, options, await open("teacher"));
    const vector = await built.initial();
    const losses = await train(wasm, built.step, built.layout, vector, batchesOf(entry), entry.lr);
    expect(relativeError(losses, entry.losses)).toBeLessThan(1e-6);
    const weights = await weightsOf(await built.finish(vector));
    for (const [key, values] of Object.entries(entry.state)) {
      expect(relativeError(weights.get(key) ?? [], values), key).toBeLessThan(4e-6);
    }
  });
});

describe("a teacher's outputs as data", () => {
  const entry: Run = golden.distilled;
  const [batch = {}] = batchesOf(entry);
  const rows = entry.batches[0]?.y.length ?? 0;

  async function stepLoss(fromLogits: boolean): Promise<number | undefined> {
    const logits = floats((await run(wasm, await open("teacher"), batch))["y"]);
    const values = fromLogits
      ? logits
      : Float32Array.from(logits, (z, i) => {
          const row = logits.subarray(i - (i % 4), i - (i % 4) + 4);
          return Math.exp(z) / row.reduce((sum, other) => sum + Math.exp(other), 0);
        });
    const settings = trainingSettings({
      teacher: { temperature: 3, alpha: 0.7, from_logits: fromLogits },
    });
    const fields = {
      x: { dtype: "float32", shape: [9] },
      [LABEL]: { dtype: "int64", shape: [] },
      [TEACHER]: { dtype: "float32", shape: [4] },
    } as const;
    const { step, evaluate, layout, initial } = await buildStep(await open("mlp"), settings, {
      fields,
    });
    expect(evaluate.graph.inputs.some(({ name }) => name === TEACHER)).toBe(false);
    const outputs = await run(wasm, step, {
      ...vectorFeeds(layout, await initial()),
      ...batch,
      [TEACHER]: tensor("float32", [rows, 4], values),
    });
    return floats(outputs["hone.loss"])[0];
  }

  it("give the loss that the teacher in the graph gives, as logits and as probabilities", async () => {
    for (const fromLogits of [true, false]) {
      const loss = await stepLoss(fromLogits);
      expect(relativeError([loss ?? NaN], entry.losses.slice(0, 1))).toBeLessThan(1e-6);
    }
  });
});

describe("the result", () => {
  it("is the model that was given, byte for byte, where nothing was trained", async () => {
    const model = await open("mlp");
    const before = await modelBytes(model);
    const { initial, finish } = await plan(model, [9]);
    expect(await modelBytes(await finish(await initial()))).toEqual(before);
    expect(await modelBytes(model)).toEqual(before);
  });

  it("has a weight of its own where the exporter had copied an equal one by Identity", async () => {
    const model = await open("conv");
    const { initial, finish, layout } = await plan(model, [2, 10, 10]);
    const vector = await initial();
    const names = ["norm1.weight", "norm1.running_var"];
    names.forEach((name, i) => {
      const entry = layout.entries.find((candidate) => candidate.name === name);
      if (entry) entryValues(vector, entry).fill(i + 5);
    });
    const weights = await weightsOf(await finish(vector));
    expect(names.map((name) => weights.get(name)?.[0])).toEqual([5, 6]);
    expect(model.graph.nodes[0]?.opType).toBe("Identity");
  });

  it("gives what the evaluation gave", async () => {
    const entry: Run = golden.conv;
    const { step, evaluate, layout, initial, finish } = await plan(await open("conv"), entry.row);
    const vector = await initial();
    const [batch = {}] = batchesOf(entry);
    await train(wasm, step, layout, vector, batchesOf(entry), entry.lr);
    const evaluation = await run(wasm, evaluate, { ...vectorFeeds(layout, vector), ...batch });
    const outputs = await run(wasm, await finish(vector), batch);
    const logits = floats(outputs["y"]);
    const labels = entry.batches[0]?.y ?? [];
    const losses = labels.map((label, i) => {
      const row = logits.subarray(4 * i, 4 * i + 4);
      return Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - (row[label] ?? NaN);
    });
    const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
    expect(relativeError(floats(evaluation["hone.loss"]), [mean])).toBeLessThan(1e-6);
    expect([...floats(evaluation["hone.count"])]).toEqual([4]);
  });

  it("takes no vector of another length", async () => {
    const { finish, layout } = await plan(await open("mlp"), [9]);
    await expect(finish(new Float32Array(layout.length + 1))).rejects.toThrow(
      `the vector has ${layout.length + 1} elements, the layout ${layout.length}`,
    );
  });
});

describe("the layout", () => {
  it("holds the last layer's parameters first and the running statistics at the end", async () => {
    const { layout } = await plan(await open("conv"), [2, 10, 10]);
    expect(layout.entries.map(({ name }) => name)).toEqual([
      "last.weight",
      "last.bias",
      "norm2.weight",
      "norm2.bias",
      "conv2.weight",
      "conv2.bias",
      "norm1.weight",
      "norm1.bias",
      "conv1.weight",
      "norm1.running_mean",
      "norm1.running_var",
      "norm2.running_mean",
      "norm2.running_var",
    ]);
    expect(layout.buckets.at(-1)?.end).toBe(layout.parameters);
    expect(JSON.parse(JSON.stringify(layout))).toEqual(layout);
  });

  it("has no buffers where BatchNormalization is frozen", async () => {
    const { layout, step } = await plan(await open("conv"), [2, 10, 10], {
      batch_normalization: "frozen",
    });
    expect(layout.entries.every(({ kind }) => kind === "parameter")).toBe(true);
    expect(step.graph.initializers.has("norm1.running_mean")).toBe(true);
  });

  it("marks what is decayed and what is masked", async () => {
    const { layout } = await plan(await open("conv"), [2, 10, 10], {
      optimizer: { type: "adamw", no_decay: ["*.bias", "norm*"] },
      keep_sparsity: true,
    });
    const decayed = layout.entries.filter(({ decay }) => decay).map(({ name }) => name);
    expect(decayed).toEqual(["last.weight", "conv2.weight", "conv1.weight"]);
    const masked = layout.entries.filter(({ masked: kept }) => kept).map(({ name }) => name);
    expect(masked).toEqual(["last.weight", "conv2.weight", "conv1.weight"]);
  });
});

describe("what is trained", () => {
  it("is what the patterns choose, and frozen wins", async () => {
    const { layout, step } = await plan(await open("mlp"), [9], {
      trainable: ["last.*", "second.*"],
      frozen: ["*.bias"],
    });
    expect(layout.entries.map(({ name }) => name)).toEqual(["last.weight", "second.weight"]);
    expect(step.graph.initializers.has("first.weight")).toBe(true);
  });

  it.each([
    [{ trainable: ["lost.*"] }, `no float32 weight matches "lost.*"; nearest: "last.bias"`],
    [
      { frozen: ["second.wait"] },
      `no float32 weight matches "second.wait"; nearest: "second.weight"`,
    ],
    [{ frozen: ["*"] }, "no weight is left to train"],
    [{ loss: { type: "mse", output: "z" } }, `the model has no output "z"; nearest: "y"`],
    [{ lora: { target: ["conv*"] } }, `no MatMul or Gemm with a stored weight matches "conv*"`],
    [{ loss: "mse" }, "a row of the output is [4], a row of the label []"],
  ] as [TrainingOptions, string][])("%j is an error that says so", async (options, message) => {
    await expect(plan(await open("mlp"), [9], options)).rejects.toThrow(message);
  });

  it("fits the data, or the error names both", async () => {
    const model = await open("mlp");
    await expect(plan(model, [3, 4])).rejects.toThrow(
      `the model's input "x" is [N, 9], a row of the data float32 [3, 4]`,
    );
    const settings = trainingSettings({});
    const label = { [LABEL]: { dtype: "int64", shape: [] } } as const;
    await expect(buildStep(model, settings, { fields: label })).rejects.toThrow(
      `the model's input "x" is not fed; the data has hone.label`,
    );
    const other = { xs: { dtype: "float32", shape: [9] }, ...label } as const;
    await expect(buildStep(model, settings, { fields: other })).rejects.toThrow(
      `the model has no input "xs"; nearest: "x"`,
    );
    const unlabelled = { x: { dtype: "float32", shape: [9] } } as const;
    await expect(buildStep(model, settings, { fields: unlabelled })).rejects.toThrow(
      "the loss cross_entropy needs a label",
    );
  });
});

describe("a label", () => {
  it("that is no class fails the step, one that is ignored does not count", async () => {
    const { step, layout, initial } = await plan(await open("mlp"), [9]);
    const vector = vectorFeeds(layout, await initial());
    const x = tensor("float32", [2, 9], Array<number>(18).fill(0.5));
    const labelled = async (label: number) =>
      await run(wasm, step, { ...vector, x, [LABEL]: tensor("int64", [2], [1, label]) });
    for (const label of [4, -1, -5]) {
      await expect(labelled(label), String(label)).rejects.toThrow("Index out of range");
    }
    expect([...floats((await labelled(-100))["hone.count"])]).toEqual([1]);
    const nothing = await run(wasm, step, {
      ...vector,
      x,
      [LABEL]: tensor("int64", [2], [-100, -100]),
    });
    expect([...floats(nothing["hone.loss"])].map(Math.abs)).toEqual([0]);
    expect(floats(nothing["last.weight.gradient"]).every((value) => value === 0)).toBe(true);
  });
});

describe("a batch", () => {
  it("is fed as it is stored: bytes for floats, rows of another shape", async () => {
    const model = await open("mlp");
    const pixels = Array.from({ length: 18 }, (_, i) => (i * 7) % 11);
    const labels = tensor("uint8", [2, 1], [3, 1]);
    const bytes = await buildStep(model, trainingSettings({}), {
      fields: { x: { dtype: "uint8", shape: [3, 3] }, [LABEL]: { dtype: "uint8", shape: [1] } },
    });
    const plain = await plan(model, [9]);
    const vector = vectorFeeds(plain.layout, await plain.initial());
    const ours = await run(wasm, bytes.step, {
      ...vector,
      x: tensor("uint8", [2, 3, 3], pixels),
      [LABEL]: labels,
    });
    const right = await run(wasm, plain.step, {
      ...vector,
      x: tensor("float32", [2, 9], pixels),
      [LABEL]: tensor("int64", [2], [3, 1]),
    });
    for (const [name, value] of Object.entries(right)) {
      expect(ours[name]?.bytes, name).toEqual(value.bytes);
    }
  });

  it("may have any number of rows", async () => {
    const { step, layout, initial } = await plan(await open("conv"), [2, 10, 10]);
    const vector = vectorFeeds(layout, await initial());
    for (const rows of [1, 5]) {
      const outputs = await run(wasm, step, {
        ...vector,
        x: tensor(
          "float32",
          [rows, 2, 10, 10],
          Array.from({ length: rows * 200 }, (_, i) => Math.sin(i)),
        ),
        [LABEL]: tensor("int64", [rows], Array(rows).fill(2)),
      });
      expect([...floats(outputs["hone.count"])]).toEqual([rows]);
      expect(Number.isFinite(floats(outputs["hone.loss"])[0])).toBe(true);
    }
  });
});

it("an entry's values are a view of the vector", async () => {
  const { layout, initial } = await plan(await open("mlp"), [9]);
  const vector = await initial();
  const [entry] = layout.entries;
  if (!entry) throw new Error("no entry");
  entryValues(vector, entry).fill(3);
  expect(vector.subarray(0, entry.length).every((value) => value === 3)).toBe(true);
});
