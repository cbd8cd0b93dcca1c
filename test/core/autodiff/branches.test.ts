/** @file Gradients through If are those of the branch that is taken, and zeros where it does not lead. */
import { expect, it } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import type { Graph, Model, Node, Tensor } from "../../../src/onnx/model.ts";
import { emptyGraph } from "../../../src/onnx/read-graph.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { float32s, runtimes } from "./running.ts";

const ROWS = 3;
const WIDTH = 4;
const PARAMETERS = ["x", "w1", "w2", "b"];

const square = (name: string, seed: number): Tensor =>
  makeFloat32(name, [...uniform(WIDTH * WIDTH, 1, seed)], [WIDTH, WIDTH]);
const WEIGHTS = [
  square("w1", 1),
  square("w2", 2),
  makeFloat32("b", [...uniform(WIDTH, 1, 3)], [WIDTH]),
];

/** y and z of `x`, made in one way or another; h is computed before. */
const WAYS: Record<"yes" | "no", () => { nodes: Node[]; constants: Tensor[] }> = {
  yes: () => ({
    nodes: [
      makeNode("MatMul", ["h", "w1"], ["p"], { name: "p" }),
      makeNode("Relu", ["p"], ["y"], { name: "relu" }),
      makeNode("Reshape", ["y", "flat"], ["r"], { name: "r" }),
      makeNode("Mul", ["r", "r"], ["z"], { name: "z" }),
    ],
    constants: [makeInt64("flat", [-1])],
  }),
  no: () => ({
    nodes: [
      makeNode("MatMul", ["h", "w2"], ["p"], { name: "p" }),
      makeNode("Tanh", ["p"], ["t"], { name: "t" }),
      makeNode("Add", ["t", "x"], ["y"], { name: "y" }),
      makeNode("Reshape", ["h", "line"], ["z"], { name: "z" }),
    ],
    constants: [makeInt64("line", [-1])],
  }),
};

function bodyOf(way: "yes" | "no", more: (graph: Graph) => void = () => undefined): Graph {
  const { nodes, constants } = WAYS[way]();
  const graph = emptyGraph();
  graph.name = way;
  graph.nodes = nodes;
  for (const constant of constants) graph.initializers.set(constant.name, constant);
  graph.outputs = [valueInfo("y", 1, ["n", WIDTH]), valueInfo("z", 1, ["m"])];
  more(graph);
  return graph;
}

const choice = (condition: string, outputs: string[], branches: [Graph, Graph]): Node =>
  makeNode("If", [condition], outputs, {
    name: "choice",
    attributes: branches.map((value, i) => ({
      name: i === 0 ? "then_branch" : "else_branch",
      type: "graph" as const,
      value,
    })) as Node["attributes"],
  });

/** loss = Σ y·h + Σ z, with h = x + b. */
function whole(middle: Node[], constants: Tensor[] = []): Model {
  const all = [makeInt("keepdims", 0)];
  return model(
    [
      makeNode("Add", ["x", "b"], ["h"], { name: "h" }),
      ...middle,
      makeNode("Mul", ["y", "h"], ["yh"], { name: "yh" }),
      makeNode("ReduceSum", ["yh"], ["first"], { name: "first", attributes: all }),
      makeNode("ReduceSum", ["z"], ["second"], { name: "second", attributes: all }),
      makeNode("Add", ["first", "second"], ["loss"], { name: "loss" }),
    ],
    [valueInfo("x", 1, ["batch", WIDTH]), valueInfo("c", 9, []), valueInfo("d", 9, [])],
    [valueInfo("loss", 1, [])],
    [...WEIGHTS, ...constants],
  );
}

async function gradients(
  subject: Model,
  runtime: keyof typeof runtimes,
  c: boolean,
  d = false,
): Promise<Float32Array[]> {
  const normalised = await normalise(subject);
  const { model: found, gradients: names } = await differentiate(normalised, {
    loss: "loss",
    // Normalising drops a weight that nothing reads.
    parameters: PARAMETERS.filter(
      (name) => name === "x" || normalised.graph.initializers.has(name),
    ),
  });
  const session = await runtimes[runtime].load(await modelBytes(found));
  const floats = (dims: number[], values: Float32Array): HostTensor => ({
    dataType: 1,
    dims,
    bytes: new Uint8Array(values.slice().buffer),
  });
  const flag = (value: boolean): HostTensor => ({
    dataType: 9,
    dims: [],
    bytes: Uint8Array.of(value ? 1 : 0),
  });
  const feeds: Record<string, HostTensor> = {
    x: floats([ROWS, WIDTH], uniform(ROWS * WIDTH, 1, 9)),
    w1: floats([WIDTH, WIDTH], uniform(WIDTH * WIDTH, 1, 1)),
    w2: floats([WIDTH, WIDTH], uniform(WIDTH * WIDTH, 1, 2)),
    b: floats([WIDTH], uniform(WIDTH, 1, 3)),
    c: flag(c),
    d: flag(d),
  };
  const wanted = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
  try {
    const outputs = await session.run(Object.fromEntries(wanted));
    return PARAMETERS.map((name) => {
      const tensor = outputs[names.get(name) ?? ""];
      return tensor ? float32s(tensor) : new Float32Array(WIDTH * WIDTH);
    });
  } finally {
    await session.release();
  }
}

/** To rounding: ONNX Runtime fuses what is in no branch. */
function expectClose(found: Float32Array[], expected: Float32Array[]): void {
  for (const [i, values] of expected.entries()) {
    expect(found[i]?.length).toBe(values.length);
    values.forEach((value, at) => expect(found[i]?.[at]).toBeCloseTo(value, 5));
  }
}

it.each(["wasm", "native"] as const)("the branch that is taken, alone: %s", async (runtime) => {
  for (const taken of [true, false]) {
    const way = taken ? "yes" : "no";
    const { nodes, constants } = WAYS[way]();
    const expected = await gradients(whole(nodes, constants), runtime, taken);
    const subject = whole([choice("c", ["y", "z"], [bodyOf("yes"), bodyOf("no")])]);
    const found = await gradients(subject, runtime, taken);
    expectClose(found, expected);
    const [, w1, w2] = found;
    expect(w1?.some((value) => value !== 0)).toBe(taken);
    expect(w2?.some((value) => value !== 0)).toBe(!taken);
  }
});

it("an If within a branch", async () => {
  const outer = bodyOf("no", (graph) => {
    graph.initializers.clear();
    graph.nodes = [choice("d", ["y", "z"], [bodyOf("yes"), bodyOf("no")])];
  });
  const nested = whole([choice("c", ["y", "z"], [bodyOf("no"), outer])]);
  for (const [c, d, way] of [
    [true, true, "no"],
    [false, true, "yes"],
    [false, false, "no"],
  ] as const) {
    const { nodes, constants } = WAYS[way]();
    const expected = await gradients(whole(nodes, constants), "wasm", c, d);
    expectClose(await gradients(nested, "wasm", c, d), expected);
  }
});

it("an op without a rule in a branch is named", async () => {
  const unknown = bodyOf("yes", ({ nodes }) => {
    nodes[1] = makeNode("Det", ["p"], ["y"], { name: "odd" });
  });
  const subject = whole([choice("c", ["y", "z"], [unknown, bodyOf("no")])]);
  await expect(
    differentiate(await normalise(subject), { loss: "loss", parameters: PARAMETERS }),
  ).rejects.toThrow(/Det "odd"/);
});
