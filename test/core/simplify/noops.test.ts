/** @file What hands on its input goes; what changes it, trains, or is an output's only maker stays. */
import { describe, expect, it } from "vitest";
import { makeInt, makeInts } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Node, Tensor } from "../../../src/onnx/model.ts";
import { difference, graphOf, info, model, simplified, values } from "./models.ts";

/** y = Relu(node(x)), or node(Relu(x)). */
function around(node: Node, initializers: Tensor[] = [], opset = 17) {
  const relu = makeNode("Relu", ["a"], ["y"]);
  return model([{ ...node, outputs: ["a", ...node.outputs.slice(1)] }, relu], {
    initializers,
    opset,
  });
}

const truth = (value: number) => makeTensor("flag", 9, [], Uint8Array.of(value));

const GONE: [string, Node, Tensor[]?, number?][] = [
  ["Identity", makeNode("Identity", ["x"], ["a"])],
  ["Dropout", makeNode("Dropout", ["x"], ["a"])],
  ["Dropout that does not train", makeNode("Dropout", ["x", "", "flag"], ["a"]), [truth(0)]],
  ["Dropout of opset 10", makeNode("Dropout", ["x"], ["a", "mask"]), [], 10],
  ["Cast to its own type", makeNode("Cast", ["x"], ["a"], { attributes: [makeInt("to", 1)] })],
  ["Reshape to its own shape", makeNode("Reshape", ["x", "s"], ["a"]), [makeInt64("s", [2, -1])]],
  [
    "Transpose of nothing",
    makeNode("Transpose", ["x"], ["a"], { attributes: [makeInts("perm", [0, 1])] }),
  ],
  ["Pad by nothing", makeNode("Pad", ["x", "p"], ["a"]), [makeInt64("p", [0, 0, 0, 0])]],
  [
    "Slice of all",
    makeNode("Slice", ["x", "b", "e"], ["a"]),
    [makeInt64("b", [0, 0]), makeInt64("e", [2, 2 ** 31])],
  ],
  ["Concat of one", makeNode("Concat", ["x"], ["a"], { attributes: [makeInt("axis", 0)] })],
  ["Expand to its own shape", makeNode("Expand", ["x", "s"], ["a"]), [makeInt64("s", [1, 3])]],
  ["Tile by one", makeNode("Tile", ["x", "s"], ["a"]), [makeInt64("s", [1, 1])]],
  ["Add of 0", makeNode("Add", ["zero", "x"], ["a"]), [makeFloat32("zero", [0], [1])]],
  ["Div by 1", makeNode("Div", ["x", "one"], ["a"]), [makeFloat32("one", [1], [])]],
  ["Flatten of a matrix", makeNode("Flatten", ["x"], ["a"])],
];

describe("a node that changes nothing goes", () => {
  it.each(GONE)("%s", async (_, node, initializers, opset) => {
    const original = around(node, initializers, opset);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Relu"]);
    expect(result.graph.initializers.size).toBe(0);
    expect(await difference(original, result, { x: values([2, 3]) })).toBe(0);
  });
});

const STAYS: [string, Node, Tensor[]?, number?][] = [
  ["Dropout that trains", makeNode("Dropout", ["x", "", "flag"], ["a"]), [truth(1)]],
  ["Cast to another type", makeNode("Cast", ["x"], ["a"], { attributes: [makeInt("to", 11)] })],
  [
    "Slice backwards",
    makeNode("Slice", ["x", "b", "e", "axes", "step"], ["a"]),
    [makeInt64("b", [2]), makeInt64("e", [-4]), makeInt64("axes", [1]), makeInt64("step", [-1])],
  ],
  [
    "Slice of every second",
    makeNode("Slice", ["x", "b", "e", "axes", "step"], ["a"]),
    [makeInt64("b", [0]), makeInt64("e", [9]), makeInt64("axes", [1]), makeInt64("step", [2])],
  ],
  [
    "Slice of a part",
    makeNode("Slice", ["x", "b", "e"], ["a"]),
    [makeInt64("b", [0, 0]), makeInt64("e", [2, 2])],
  ],
  ["Pad by something", makeNode("Pad", ["x", "p"], ["a"]), [makeInt64("p", [0, 0, 0, 1])]],
  ["Sub from 0", makeNode("Sub", ["zero", "x"], ["a"]), [makeFloat32("zero", [0], [1])]],
  [
    "Add of 0 that adds a dimension",
    makeNode("Add", ["x", "o"], ["a"]),
    [makeFloat32("o", [0], [1, 1, 1])],
  ],
  [
    "Add of zeros that repeat x",
    makeNode("Add", ["x", "o"], ["a"]),
    [makeFloat32("o", [0, 0], [2, 1, 1])],
  ],
  ["Reshape", makeNode("Reshape", ["x", "s"], ["a"]), [makeInt64("s", [3, 2])]],
];

describe("a node that changes something stays", () => {
  it.each(STAYS)("%s", async (_, node, initializers, opset) => {
    const original = around(node, initializers, opset);
    const { ops, model: result, report } = await simplified(original);
    expect(ops).toEqual([node.opType, "Relu"]);
    expect(report.notes.join()).toMatch(/nothing to do/);
    if (node.opType !== "Dropout" && node.opType !== "Cast") {
      expect(await difference(original, result, { x: values([2, 3]) })).toBe(0);
    }
  });

  it("a Dropout whose mask is read", async () => {
    const nodes = [makeNode("Dropout", ["x"], ["y", "mask"])];
    const { ops } = await simplified(
      model(nodes, { outputs: [info("y"), info("mask", undefined, 9)] }),
    );
    expect(ops).toEqual(["Dropout"]);
  });

  it("a Reshape to the shape that the model declares and the input need not have", async () => {
    const nodes = [
      makeNode("Relu", ["x"], ["a"]),
      makeNode("Reshape", ["a", "s"], ["b"]),
      makeNode("Relu", ["b"], ["y"]),
    ];
    const original = model(nodes, {
      inputs: [info("x", ["n", 3])],
      initializers: [makeInt64("s", [2, -1])],
      valueInfos: [info("a", [2, 3]), info("b", [2, 3])],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Relu", "Reshape", "Relu"]);
    expect(await difference(original, result, { x: values([4, 3]) })).toBe(0);
  });

  it("a Reshape of one input to the shape of another whose sizes have the same names", async () => {
    const nodes = [
      makeNode("Shape", ["z"], ["s"]),
      makeNode("Reshape", ["x", "s"], ["a"]),
      makeNode("Relu", ["a"], ["y"]),
    ];
    const original = model(nodes, { inputs: [info("x", ["n", "m"]), info("z", ["n", "m"])] });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Shape", "Reshape", "Relu"]);
    const feeds = { x: values([2, 6]), z: values([3, 4]) };
    expect(await difference(original, result, feeds)).toBe(0);
  });
});

describe("names of outputs", () => {
  it("are taken over by what made the value", async () => {
    const nodes = [makeNode("Relu", ["x"], ["a"]), makeNode("Identity", ["a"], ["y"])];
    const { model: result } = await simplified(model(nodes));
    expect(result.graph.nodes).toMatchObject([{ opType: "Relu", outputs: ["y"] }]);
  });

  it("stay, where an input, a weight or another output is the value", async () => {
    const nodes = [
      makeNode("Relu", ["x"], ["a"]),
      makeNode("Identity", ["a"], ["y"]),
      makeNode("Identity", ["a"], ["z"]),
      makeNode("Identity", ["x"], ["same"]),
      makeNode("Identity", ["w"], ["weight"]),
    ];
    const original = model(nodes, {
      initializers: [makeFloat32("w", [1, 2])],
      outputs: ["y", "z", "same", "weight"].map((name) => info(name)),
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toHaveLength(4);
    expect(await difference(original, result, { x: values([2, 3]) })).toBe(0);
  });

  it("are followed into subgraphs that read the value", async () => {
    const branch = (opType: string, output: string) =>
      graphOf([makeNode(opType, ["b"], [output])], { inputs: [], outputs: [info(output)] });
    const choice = makeNode("If", ["c"], ["y"], {
      attributes: [
        { name: "then_branch", type: "graph", value: branch("Relu", "r") },
        { name: "else_branch", type: "graph", value: branch("Neg", "r") },
      ],
    });
    const nodes = [makeNode("Abs", ["x"], ["a"]), makeNode("Identity", ["a"], ["b"]), choice];
    const original = model(nodes, { inputs: [info("x", [2, 3]), info("c", [], 9)] });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Abs", "If"]);
    for (const flag of [0, 1]) {
      const c = { dataType: 9 as const, dims: [], bytes: Uint8Array.of(flag) };
      expect(await difference(original, result, { x: values([2, 3]), c })).toBe(0);
    }
  });

  it("of a branch that hands out an outer value stay with its Identity", async () => {
    const pass = graphOf([makeNode("Identity", ["a"], ["r"])], {
      inputs: [],
      outputs: [info("r")],
    });
    const other = graphOf([makeNode("Neg", ["a"], ["r"])], { inputs: [], outputs: [info("r")] });
    const choice = makeNode("If", ["c"], ["y"], {
      attributes: [
        { name: "then_branch", type: "graph", value: pass },
        { name: "else_branch", type: "graph", value: other },
      ],
    });
    const original = model([makeNode("Abs", ["x"], ["a"]), choice], {
      inputs: [info("x", [2, 3]), info("c", [], 9)],
    });
    const { model: result } = await simplified(original);
    const c = { dataType: 9 as const, dims: [], bytes: Uint8Array.of(1) };
    expect(await difference(original, result, { x: values([2, 3]), c })).toBe(0);
  });
});
