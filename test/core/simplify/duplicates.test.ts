/** @file Nodes that compute the same, and weights that are the same, become one; what is needed twice stays. */
import { describe, expect, it } from "vitest";
import { makeInt, subgraphs } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Node } from "../../../src/onnx/model.ts";
import { RangeData } from "../../../src/onnx/tensor-data.ts";
import { difference, graphOf, info, model, simplified, values } from "./models.ts";

const X = { x: values([2, 3]) };

describe("nodes that compute the same", () => {
  it("become one", async () => {
    const nodes = [
      makeNode("Exp", ["x"], ["a"]),
      makeNode("Exp", ["x"], ["b"]),
      makeNode("Neg", ["a"], ["c"]),
      makeNode("Neg", ["b"], ["d"]),
      makeNode("Mul", ["c", "d"], ["y"]),
    ];
    const original = model(nodes);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Exp", "Neg", "Mul"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("stay two where attributes differ, or inputs change places", async () => {
    const softmax = (axis: number, to: string) =>
      makeNode("Softmax", ["x"], [to], { attributes: [makeInt("axis", axis)] });
    const nodes = [
      softmax(0, "a"),
      softmax(1, "b"),
      makeNode("Sub", ["a", "b"], ["c"]),
      makeNode("Sub", ["b", "a"], ["d"]),
      makeNode("Mul", ["c", "d"], ["y"]),
    ];
    expect((await simplified(model(nodes))).ops).toHaveLength(5);
  });

  it("stay two where they draw random numbers", async () => {
    const random = (opType: string, to: string) => makeNode(opType, ["x"], [to]);
    for (const opType of ["RandomNormalLike", "RandomUniformLike", "Bernoulli"]) {
      const nodes = [random(opType, "a"), random(opType, "b"), makeNode("Sub", ["a", "b"], ["y"])];
      expect((await simplified(model(nodes))).ops).toEqual([opType, opType, "Sub"]);
    }
  });

  it("stay two where both are outputs", async () => {
    const nodes = [makeNode("Exp", ["x"], ["y"]), makeNode("Exp", ["x"], ["z"])];
    const original = model(nodes, { outputs: [info("y"), info("z")] });
    const { model: result } = await simplified(original);
    expect(result.graph.outputs.map(({ name }) => name)).toEqual(["y", "z"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("one of them an output, become one that makes it", async () => {
    const nodes = [
      makeNode("Exp", ["x"], ["a"]),
      makeNode("Exp", ["x"], ["y"]),
      makeNode("Neg", ["a"], ["z"]),
    ];
    const original = model(nodes, { outputs: [info("y"), info("z")] });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Exp", "Neg"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("in a subgraph are those of the graph around it, and not those of its sibling", async () => {
    const branch = (opType: string) =>
      graphOf(
        [
          makeNode("Exp", ["x"], ["e"]),
          makeNode("Abs", ["x"], ["s"]),
          makeNode(opType, ["e", "s"], ["r"]),
        ],
        { inputs: [], outputs: [info("r")] },
      );
    const choice = makeNode("If", ["c"], ["i"], {
      attributes: [
        { name: "then_branch", type: "graph", value: branch("Add") },
        { name: "else_branch", type: "graph", value: branch("Sub") },
      ],
    });
    const nodes = [makeNode("Exp", ["x"], ["a"]), choice, makeNode("Mul", ["a", "i"], ["y"])];
    const original = model(nodes, { inputs: [info("x", [2, 3]), info("c", [], 9)] });
    const { model: result, report } = await simplified(original);
    const { opTypes = [] } = report.simplification ?? {};
    expect(opTypes).toContainEqual({ opType: "Exp", before: 3, after: 1 });
    expect(opTypes).toContainEqual({ opType: "Abs", before: 2, after: 2 });
    for (const flag of [0, 1]) {
      const c = { dataType: 9 as const, dims: [], bytes: Uint8Array.of(flag) };
      expect(await difference(original, result, { ...X, c })).toBe(0);
    }
  });
});

describe("equal weights", () => {
  const product = (w: string, from: string, to: string) => makeNode("MatMul", [from, w], [to]);
  const square = (name: string, last = 9) =>
    makeFloat32(name, [1, 2, 3, 4, 5, 6, 7, 8, last], [3, 3]);

  it("become one, and the report says that a training would tie them", async () => {
    const original = model([product("v", "x", "a"), product("w", "a", "y")], {
      initializers: [square("v"), square("w")],
    });
    const { model: result, report } = await simplified(original);
    expect([...result.graph.initializers.keys()]).toEqual(["v"]);
    expect(report.notes.join()).toMatch(/train them as one/);
    expect(await difference(original, result, X)).toBe(0);
    const apart = await simplified(original, { skip_passes: ["merge_initializers"] });
    expect(apart.model.graph.initializers.size).toBe(2);
  });

  it("stay where the last element differs, the shape, the type, or a caller may override one", async () => {
    const nodes = [
      product("v", "x", "a"),
      product("w", "a", "b"),
      product("o", "b", "c"),
      makeNode("Add", ["c", "row"], ["d"]),
      makeNode("Add", ["d", "column"], ["y"]),
    ];
    const original = model(nodes, {
      inputs: [info("x", [2, 3]), info("o", [3, 3])],
      initializers: [
        square("v"),
        square("w", 10),
        square("o"),
        makeFloat32("row", [0, 1, 2], [1, 3]),
        makeFloat32("column", [0, 1, 2], [3]),
      ],
    });
    const { model: result } = await simplified(original);
    expect(result.graph.initializers.size).toBe(5);
  });

  it("of sibling subgraphs stay, and are one with those of the graph around", async () => {
    const branch = (opType: string, name: string) =>
      graphOf([makeNode(opType, ["x", name], ["p"]), makeNode("MatMul", ["p", "inner"], ["r"])], {
        inputs: [],
        outputs: [info("r")],
        initializers: [square(name), square("inner", 5)],
      });
    const choice = makeNode("If", ["c"], ["i"], {
      attributes: [
        { name: "then_branch", type: "graph", value: branch("MatMul", "then") },
        { name: "else_branch", type: "graph", value: branch("MatMul", "else") },
      ],
    });
    const nodes = [choice, product("v", "i", "y")];
    const original = model(nodes, {
      inputs: [info("x", [2, 3]), info("c", [], 9)],
      initializers: [square("v")],
    });
    const { model: result } = await simplified(original);
    const [yes, no] = subgraphs(result.graph.nodes[0] as Node);
    expect(result.graph.initializers.size).toBe(1);
    expect(yes?.initializers.size).toBe(1);
    expect(no?.initializers.size).toBe(1);
    for (const flag of [0, 1]) {
      const c = { dataType: 9 as const, dims: [], bytes: Uint8Array.of(flag) };
      expect(await difference(original, result, { ...X, c })).toBe(0);
    }
  });

  it("are compared in pieces, whatever their size", async () => {
    const bytes = 43_000_000;
    let most = 0;
    const source = (last: number) => ({
      size: bytes,
      read: async (offset: number, into: Uint8Array) => {
        most = Math.max(most, into.length);
        into.fill(1);
        if (offset + into.length === bytes) into[into.length - 1] = last;
      },
    });
    const weight = (name: string, last: number) =>
      makeTensor(name, 2, [bytes], new RangeData(source(last), 0, bytes));
    const original = model([makeNode("Max", ["u", "v", "w"], ["y"])], {
      initializers: [weight("u", 1), weight("v", 2), weight("w", 2)],
      outputs: [info("y", undefined, 2)],
    });
    const { model: result } = await simplified(original);
    expect([...result.graph.initializers.keys()]).toEqual(["u", "v"]);
    expect(result.graph.nodes[0]?.inputs).toEqual(["u", "v", "v"]);
    expect(most).toBeLessThanOrEqual(1 << 20);
  });
});
