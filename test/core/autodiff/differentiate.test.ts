/** @file What `differentiate` gives and what it refuses, on graphs made here. */
import { expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { cloneModel } from "../../../src/graph/clone.ts";
import type { Model, Node } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import { float32, model, valueInfo } from "../runtime/models.ts";
import { float32s, runtimes } from "./running.ts";

const sum = (input: string, output = "loss"): Node =>
  makeNode("ReduceSum", [input], [output], { attributes: [makeInt("keepdims", 0)] });

/** loss = Σ relu(x·first)·second, and a weight that nothing reads. */
function twoLayers(): Model {
  return model(
    [
      makeNode("MatMul", ["x", "first"], ["h"]),
      makeNode("Relu", ["h"], ["r"]),
      makeNode("MatMul", ["r", "second"], ["y"]),
      sum("y"),
    ],
    [valueInfo("x", 1, ["batch", 2])],
    [valueInfo("y", 1)],
    [
      makeFloat32("first", [1, 2, 3, 4], [2, 2]),
      makeFloat32("second", [1, -1], [2, 1]),
      makeFloat32("unused", [1, 2, 3], [3]),
    ],
  );
}

async function run(
  differentiated: Model,
  feeds: Record<string, HostTensor>,
): Promise<Record<string, number[]>> {
  const session = await runtimes.wasm.load(await modelBytes(differentiated));
  try {
    const outputs = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, [...float32s(tensor)]]),
    );
  } finally {
    await session.release();
  }
}

test("parameters become inputs, the loss and the gradients outputs, the last layer's first", async () => {
  const original = twoLayers();
  const before = await modelBytes(cloneModel(original));
  const parameters = ["unused", "first", "second"];
  const { model: result, gradients } = await differentiate(original, { loss: "loss", parameters });
  expect([...gradients.keys()]).toEqual(["second", "first", "unused"]);
  expect(result.graph.inputs.map(({ name }) => name)).toEqual(["x", "second", "first", "unused"]);
  expect(result.graph.outputs.map(({ name }) => name)).toEqual([
    "y",
    "loss",
    ...gradients.values(),
  ]);
  for (const name of parameters) expect(result.graph.initializers.has(name)).toBe(false);
  expect(await modelBytes(original)).toEqual(before);
});

test("a weight that the loss does not reach has a gradient of zeros", async () => {
  const { model: result, gradients } = await differentiate(twoLayers(), {
    loss: "loss",
    parameters: ["first", "second", "unused"],
  });
  const outputs = await run(result, {
    x: float32([1, 2], [1, 1]),
    first: float32([2, 2], [1, 2, 3, 4]),
    second: float32([2, 1], [1, -1]),
    unused: float32([3], [1, 2, 3]),
  });
  expect(outputs[gradients.get("unused") ?? ""]).toEqual([0, 0, 0]);
  expect(outputs[gradients.get("first") ?? ""]).toEqual([1, -1, 1, -1]);
  expect(outputs[gradients.get("second") ?? ""]).toEqual([4, 6]);
  expect(outputs["loss"]).toEqual([-2]);
});

test("two parameters may have one gradient, and a gradient may be a constant", async () => {
  const added = model(
    [makeNode("Add", ["a", "b"], ["c"]), makeNode("Add", ["c", "d"], ["loss"])],
    [],
    [valueInfo("loss", 1, [])],
    ["a", "b", "d"].map((name) => makeFloat32(name, [2], [])),
  );
  const { model: result, gradients } = await differentiate(added, {
    loss: "loss",
    parameters: ["a", "b", "d"],
  });
  const scalar = float32([], [2]);
  const outputs = await run(result, { a: scalar, b: scalar, d: scalar });
  expect([...gradients.values()].map((name) => outputs[name])).toEqual([[1], [1], [1]]);
});

test("a parameter is no constant, however small: an exponent and Gelu's ½ have gradients", async () => {
  const graph = model(
    [
      makeNode("Pow", ["x", "p"], ["power"]),
      makeNode("Div", ["power", "root"], ["u"]),
      makeNode("Erf", ["u"], ["e"]),
      makeNode("Add", ["e", "one"], ["e1"]),
      makeNode("Mul", ["power", "e1"], ["product"]),
      makeNode("Mul", ["product", "half"], ["loss"]),
    ],
    [valueInfo("x", 1, [])],
    [valueInfo("product", 1, [])],
    [
      makeFloat32("p", [2], []),
      makeFloat32("root", [Math.SQRT2], []),
      makeFloat32("one", [1], []),
      makeFloat32("half", [0.5], []),
    ],
  );
  const parameters = ["half", "p"];
  const { model: result, gradients } = await differentiate(graph, { loss: "loss", parameters });
  const feeds = { x: float32([], [1.5]), half: float32([], [0.5]), p: float32([], [2]) };
  const outputs = await run(result, feeds);
  expect(outputs[gradients.get("half") ?? ""]).toEqual(outputs["product"]);
  // d/dp Gelu(x^p) = Gelu'(2.25) · 2.25 · ln 1.5
  expect(outputs[gradients.get("p") ?? ""]?.[0]).toBeCloseTo(1.0591897 * 2.25 * Math.log(1.5), 4);
});

test("the loss itself may be a parameter", async () => {
  const alone = model([], [], [], [makeFloat32("w", [3], [])]);
  const { model: result, gradients } = await differentiate(alone, { loss: "w", parameters: ["w"] });
  expect(gradients.size).toBe(1);
  expect(result.graph.inputs.map(({ name }) => name)).toEqual(["w"]);
});

test("an op without a rule between parameter and loss is an error that names node and op, and those after it", async () => {
  const graph = twoLayers();
  graph.graph.nodes.splice(
    1,
    1,
    makeNode("Det", ["h"], ["d"], { name: "/det" }),
    makeNode("Foo", ["d"], ["r"], { name: "/foo", domain: "my.domain" }),
  );
  const parameters = ["first"];
  await expect(differentiate(graph, { loss: "loss", parameters })).rejects.toThrow(
    'autodiff: there is no gradient rule for Det "/det"; nor for Foo "/foo"',
  );
});

test("an op without a rule that is not between a parameter and the loss does not matter", async () => {
  const graph = twoLayers();
  graph.graph.nodes.unshift(makeNode("Foo", ["x"], ["z"], { domain: "my.domain" }));
  graph.graph.nodes.push(makeNode("Foo", ["y"], ["w"], { domain: "my.domain" }));
  const parameters = ["first", "second"];
  await expect(differentiate(graph, { loss: "loss", parameters })).resolves.toBeDefined();
});

test("comparisons, ArgMax and Shape end the gradient's way", async () => {
  const graph = model(
    [
      makeNode("ArgMax", ["w"], ["best"], { attributes: [makeInt("keepdims", 0)] }),
      makeNode("Cast", ["best"], ["index"], { attributes: [makeInt("to", 1)] }),
      makeNode("Shape", ["w"], ["size"]),
      makeNode("Cast", ["size"], ["length"], { attributes: [makeInt("to", 1)] }),
      makeNode("Greater", ["w", "zero"], ["positive"]),
      makeNode("Cast", ["positive"], ["mask"], { attributes: [makeInt("to", 1)] }),
      makeNode("Mul", ["w", "mask"], ["masked"]),
      makeNode("Mul", ["masked", "length"], ["scaled"]),
      makeNode("Add", ["scaled", "index"], ["y"]),
      sum("y"),
    ],
    [],
    [],
    [makeFloat32("w", [-1, 2, 3]), makeFloat32("zero", [0], [])],
  );
  const { model: result, gradients } = await differentiate(graph, {
    loss: "loss",
    parameters: ["w"],
  });
  const outputs = await run(result, { w: float32([3], [-1, 2, 3]) });
  expect(outputs[gradients.get("w") ?? ""]).toEqual([0, 3, 3]);
});

test("Dropout in training mode hands the gradient to what it kept in this run", async () => {
  const graph = model(
    [makeNode("Dropout", ["w", "ratio", "training"], ["d"]), sum("d")],
    [],
    [valueInfo("d", 1)],
    [
      makeFloat32("w", Array(64).fill(1)),
      makeFloat32("ratio", [0.25], []),
      makeTensor("training", 9, [], new Uint8Array([1])),
    ],
  );
  const { model: result, gradients } = await differentiate(graph, {
    loss: "loss",
    parameters: ["w"],
  });
  const outputs = await run(result, { w: float32([64], Array(64).fill(1)) });
  const kept = outputs["d"] ?? [];
  expect(new Set(kept)).toEqual(new Set([0, Math.fround(4 / 3)]));
  expect(outputs[gradients.get("w") ?? ""]).toEqual(kept);
});

test.each([
  ["a loss of many elements", "y", ["first"], /loss "y" has shape \[batch, 1\], not one element/],
  ["a loss that is not there", "nothing", ["first"], /loss "nothing"/],
  ["a parameter that is not there", "loss", ["third"], /"third" is no initializer and no input/],
  ["a parameter of integers", "loss", ["count"], /"count" is neither float32 nor float64/],
])("%s is refused", async (_, loss, parameters, message) => {
  const graph = twoLayers();
  graph.graph.initializers.set("count", makeInt64("count", [1]));
  const attempt = differentiate(graph, { loss, parameters });
  await expect(attempt).rejects.toThrow(RangeError);
  await expect(attempt).rejects.toThrow(message);
});

test("an axis that is none is an error that names the node", async () => {
  const norm = makeNode("LayerNormalization", ["h", "scale"], ["r"], {
    name: "/norm",
    attributes: [makeInt("axis", 9)],
  });
  const graph = twoLayers();
  graph.graph.nodes.splice(1, 1, norm);
  graph.graph.initializers.set("scale", makeFloat32("scale", [1, 1]));
  graph.graph.valueInfos.push(valueInfo("r", 1, ["batch", 2]));
  const attempt = differentiate(graph, { loss: "loss", parameters: ["first"] });
  await expect(attempt).rejects.toThrow(
    'autodiff: LayerNormalization "/norm": graph: axis 9 of rank 2',
  );
});

test("an older opset and functions are refused: normalise comes first", async () => {
  const older = twoLayers();
  older.opsetImports = [{ domain: "", version: 17 }];
  const attempt = differentiate(older, { loss: "loss", parameters: ["first"] });
  await expect(attempt).rejects.toThrow("autodiff: the model imports opset 17, below 18");
});
