/** @file Mul, Div, Add and Sub by constants go into the weights before them, where no number is needed elsewhere. */
import { describe, expect, it } from "vitest";
import { makeFloat, makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Node, Tensor } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { difference, info, model, simplified, values } from "./models.ts";

const floats = (name: string, dims: number[], seed = 1): Tensor =>
  makeTensor(name, 1, dims, values(dims, seed).bytes);

const PRODUCTS = {
  Conv: {
    node: makeNode("Conv", ["x", "w", "b"], ["p"], { name: "product" }),
    initializers: [floats("w", [4, 3, 3, 3]), floats("b", [4], 3)],
    x: [1, 3, 6, 6],
    channel: [4, 1, 1],
  },
  ConvTranspose: {
    node: makeNode("ConvTranspose", ["x", "w", "b"], ["p"], {
      name: "product",
      attributes: [makeInt("group", 2)],
    }),
    initializers: [floats("w", [4, 2, 2, 2]), floats("b", [4], 3)],
    x: [1, 4, 3, 3],
    channel: [1, 4, 1, 1],
  },
  Gemm: {
    node: makeNode("Gemm", ["x", "w", "b"], ["p"], {
      name: "product",
      attributes: [makeFloat("alpha", 0.5), makeFloat("beta", 2)],
    }),
    initializers: [floats("w", [3, 4]), floats("b", [4], 3)],
    x: [2, 3],
    channel: [4],
  },
};

const STEPS: [string, (operand: string) => Node][] = [
  ["Mul", (operand) => makeNode("Mul", ["p", operand], ["y"])],
  ["Mul from the left", (operand) => makeNode("Mul", [operand, "p"], ["y"])],
  ["Div", (operand) => makeNode("Div", ["p", operand], ["y"])],
  ["Add", (operand) => makeNode("Add", [operand, "p"], ["y"])],
  ["Sub", (operand) => makeNode("Sub", ["p", operand], ["y"])],
  ["Sub from a constant", (operand) => makeNode("Sub", [operand, "p"], ["y"])],
];

/** Relative to the outputs' largest value. */
const CLOSE = 2e-6;

describe.each(Object.entries(PRODUCTS))("behind %s", (opType, product) => {
  it.each(STEPS)("%s goes, by channel and by one number", async (_, step) => {
    for (const dims of [product.channel, [1], []]) {
      const original = model([product.node, step("k")], {
        inputs: [info("x", product.x)],
        initializers: [...product.initializers, floats("k", dims, 7)],
      });
      const { ops, model: result } = await simplified(original);
      expect(ops).toEqual([opType]);
      expect(await difference(original, result, { x: values(product.x) })).toBeLessThan(CLOSE);
      expect((await modelBytes(result)).length).toBeLessThan((await modelBytes(original)).length);
    }
  });
});

const conv = PRODUCTS.Conv;
const parts = { inputs: [info("x", conv.x)] };

describe("it stays", () => {
  it.each<[string, Node, Tensor[]]>([
    ["where a constant is divided", makeNode("Div", ["k", "p"], ["y"]), [floats("k", [4, 1, 1])]],
    ["by one number a column", makeNode("Mul", ["p", "k"], ["y"]), [floats("k", [4])]],
    ["by one number a row", makeNode("Mul", ["p", "k"], ["y"]), [floats("k", [4, 1])]],
    [
      "where it adds a dimension",
      makeNode("Mul", ["p", "k"], ["y"]),
      [floats("k", [1, 1, 1, 1, 1])],
    ],
    ["where it divides by zero", makeNode("Div", ["p", "k"], ["y"]), [makeFloat32("k", [0], [])]],
  ])("%s", async (_, step, initializers) => {
    const original = model([conv.node, step], {
      ...parts,
      initializers: [...conv.initializers, ...initializers],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Conv", step.opType]);
    expect(await difference(original, result, { x: values(conv.x) })).toBe(0);
  });

  it("where one number would become a bias for each channel", async () => {
    const without = makeNode("Conv", ["x", "w"], ["p"]);
    const nodes = (opType: string) => [without, makeNode(opType, ["p", "k"], ["y"])];
    const initializers = [floats("w", [4, 3, 3, 3]), floats("k", [])];
    expect((await simplified(model(nodes("Add"), { ...parts, initializers }))).ops).toEqual([
      "Conv",
      "Add",
    ]);
    const scaled = await simplified(model(nodes("Mul"), { ...parts, initializers }));
    expect(scaled.ops).toEqual(["Conv"]);
    expect(scaled.model.graph.initializers.size).toBe(1);
  });

  it("where the product is read twice", async () => {
    const nodes = [
      conv.node,
      makeNode("Mul", ["p", "k"], ["m"]),
      makeNode("Add", ["m", "p"], ["y"]),
    ];
    const initializers = [...conv.initializers, floats("k", [])];
    expect((await simplified(model(nodes, { ...parts, initializers }))).ops).toHaveLength(3);
  });
});

it("what follows each other goes at once, and the weights are rounded once", async () => {
  const nodes = [
    conv.node,
    makeNode("Mul", ["p", "third"], ["m"]),
    makeNode("Add", ["m", "k"], ["a"]),
    makeNode("Mul", ["a", "three"], ["y"]),
  ];
  const third = makeFloat32("third", [1 / 3], []);
  const three = makeFloat32("three", [3], []);
  const original = model(nodes, {
    ...parts,
    initializers: [...conv.initializers, third, three, floats("k", [4, 1, 1], 9)],
  });
  const { ops, model: result, report } = await simplified(original);
  expect(ops).toEqual(["Conv"]);
  expect(report.changed).toMatchObject([{ name: "w", method: "scale and shift fused" }]);
  expect(await difference(original, result, { x: values(conv.x) })).toBeLessThan(CLOSE);
  const bytes = new Uint8Array(4 * 108);
  await result.graph.initializers.get("w")?.data.read(0, bytes);
  const before = new Float32Array(values([4, 3, 3, 3]).bytes.slice().buffer);
  const factor = Math.fround(1 / 3) * 3;
  expect(new Float32Array(bytes.buffer)).toEqual(before.map((value) => value * factor));
});
