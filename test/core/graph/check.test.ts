import { describe, expect, it } from "vitest";
import { OPERATORS } from "../../../src/compress/operator-table.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeNode } from "../../../src/graph/build.ts";
import { checkModel } from "../../../src/graph/check.ts";
import { checkSparse } from "../../../src/graph/check-sparse.ts";
import { makeInt64 } from "../../../src/graph/build.ts";
import type { FunctionDefinition, Graph, Model, Node } from "../../../src/onnx/model.ts";
import { emptyGraph } from "../../../src/onnx/read-graph.ts";

const value = (name: string) => ({ name, type: undefined });

function graph(nodes: Node[], inputs: string[], outputs: string[]): Graph {
  return {
    ...emptyGraph(),
    name: "g",
    nodes,
    inputs: inputs.map(value),
    outputs: outputs.map(value),
  };
}

function model(nodes: Node[], more: Partial<Model> = {}): Model {
  return {
    irVersion: 8,
    opsetImports: [
      { domain: "", version: 17 },
      { domain: "own", version: 1 },
    ],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph: graph(nodes, ["x"], ["y"]),
    metadata: [],
    functions: [],
    ...more,
  };
}

function withBodies(node: Node, bodies: Record<string, Graph>): Node {
  for (const [name, body] of Object.entries(bodies)) {
    node.attributes.push({ name, type: "graph", value: body });
  }
  return node;
}

const branch = (outputs: string[]) => graph([makeNode("Abs", ["x"], ["b"])], [], outputs);

describe("a node is refused, with what it should be", () => {
  const loop = makeNode("Loop", ["", "", "x"], ["y"]);
  const constant = makeNode("Constant", [], ["y"]);
  const two = makeNode("Constant", [], ["y"]);
  two.attributes.push(makeInt("value_int", 1), { name: "value_float", type: "float", value: 1 });
  for (const [what, node, message] of [
    ["without an input", makeNode("Relu", [], ["y"]), "has 0 inputs, the operator has 1"],
    ["with an input too many", makeNode("Relu", ["x", "x"], ["y"]), "has 2 inputs"],
    ["with an output too many", makeNode("Relu", ["x"], ["y", "z"]), "has 2 outputs"],
    ["Clip without its input", makeNode("Clip", [], ["y"]), "the operator has 1 to 3"],
    ["Concat of nothing", makeNode("Concat", [], ["y"]), "the operator has 1 or more"],
    [
      "If with one branch",
      withBodies(makeNode("If", ["x"], ["y"]), { then_branch: branch(["b"]) }),
      "it has no else_branch",
    ],
    [
      "If with branches of other outputs",
      withBodies(makeNode("If", ["x"], ["y"]), {
        then_branch: branch(["b"]),
        else_branch: branch([]),
      }),
      "its else_branch has 0 outputs, the node has 1",
    ],
    ["Loop without a body", loop, "it has no body"],
    [
      "Loop with a body of other inputs",
      withBodies(makeNode("Loop", ["", "", "x"], ["y"]), { body: branch(["b", "b"]) }),
      "its body has 0 inputs, iteration, condition and 1 states make 3",
    ],
    ["Constant without a value", constant, "it has no values, not one"],
    ["Constant with two values", two, "it has 2 values, not one"],
  ] as const) {
    it(what, () => expect(() => checkModel(model([node]), OPERATORS)).toThrow(message));
  }
});

describe("functions", () => {
  const definition = (name: string, calls: string, domain = "own"): FunctionDefinition => ({
    name,
    domain: "own",
    overload: "",
    inputs: ["a"],
    outputs: ["b"],
    attributeNames: [],
    attributeDefaults: [],
    nodes: [makeNode(calls, ["a"], ["b"], { domain })],
    opsetImports: [],
    valueInfos: [],
    docString: "",
    metadata: [],
  });
  const calling = (functions: FunctionDefinition[]) => () =>
    checkModel(model([makeNode("F0", ["x"], ["y"], { domain: "own" })], { functions }), OPERATORS);

  it("that call one another 20,000 deep pass a limit", () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => definition(`F${i}`, `F${i + 1}`));
    expect(calling(chain)).toThrow("deeper than 1024");
  });

  it("are defined once, and have names", () => {
    const twice = [definition("F0", "Abs", ""), definition("F0", "Relu", "")];
    expect(calling(twice)).toThrow('"own:F0" is defined twice');
    expect(calling([definition("F0", "Abs", ""), definition("", "Abs", "")])).toThrow("no name");
  });
});

it("a graph without nodes and outputs is refused, one that hands its input on is not", () => {
  const empty = model([], { graph: { ...emptyGraph(), name: "g" } });
  expect(() => checkModel(empty, OPERATORS)).toThrow("no outputs");
  checkModel(model([], { graph: graph([], ["x"], ["x"]) }), OPERATORS);
});

describe("sparse tensors", () => {
  const sparse = (index: number) => ({
    values: makeFloat32("s", [1], [1]),
    indices: makeInt64("", [index]),
    dims: [4],
  });

  it("have one place for a name", () => {
    const twice = model([makeNode("Add", ["x", "s"], ["y"])]);
    twice.graph.sparseInitializers = [sparse(0), sparse(1)];
    expect(() => checkModel(twice, OPERATORS)).toThrow('"s" is defined twice');
  });

  it("have their indices inside also in Constants of branches and functions", async () => {
    const constant = makeNode("Constant", [], ["b"]);
    constant.attributes.push({ name: "sparse_value", type: "sparse_tensor", value: sparse(4) });
    const inBranch = withBodies(makeNode("If", ["x"], ["y"]), {
      then_branch: graph([constant], [], ["b"]),
    });
    await expect(checkSparse(model([inBranch]))).rejects.toThrow("is 4, outside of dims [4]");
  });
});
