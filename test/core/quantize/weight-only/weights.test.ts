import { describe, expect, test } from "vitest";
import { makeInts, makeTensorAttribute } from "../../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../../src/graph/build.ts";
import { Scope } from "../../../../src/graph/scope.ts";
import type { Graph, Node, Tensor, ValueInfo } from "../../../../src/onnx/model.ts";
import { findWeights, storedAxis, valueDims } from "../../../../src/graph/weights.ts";
import { cpuMs } from "../../cpu-time.ts";

const value = (name: string): ValueInfo => ({ name, type: undefined });

function graph(nodes: Node[], initializers: Tensor[] = [], outputs: string[] = []): Graph {
  return {
    name: "g",
    docString: "",
    nodes,
    initializers: new Map(initializers.map((tensor) => [tensor.name, tensor])),
    sparseInitializers: [],
    inputs: [],
    outputs: outputs.map(value),
    valueInfos: [],
    metadata: [],
  };
}

const constant = (name: string, tensor: Tensor): Node =>
  makeNode("Constant", [], [name], { attributes: [makeTensorAttribute("value", tensor)] });

const matrix = (name: string, dims = [2, 3]): Tensor =>
  makeFloat32(name, Array<number>(dims.reduce((a, b) => a * b, 1)).fill(1), dims);

describe("findWeights", () => {
  test("finds initializers and Constant nodes in every nested graph", () => {
    const inner = graph(
      [constant("c", matrix("")), makeNode("MatMul", ["x", "c"], ["y"])],
      [],
      ["y"],
    );
    const middle = graph(
      [
        makeNode("If", ["t"], ["z"], {
          attributes: [{ name: "then_branch", type: "graph", value: inner }],
        }),
      ],
      [matrix("w")],
      ["z"],
    );
    const outer = graph([
      makeNode("Loop", ["n"], ["o"], {
        attributes: [{ name: "body", type: "graph", value: middle }],
      }),
    ]);
    const found = findWeights(Scope.of(outer));
    expect(found.map((weight) => [weight.name, weight.holder?.opType, weight.uses.length])).toEqual(
      [
        ["w", undefined, 0],
        ["c", "Constant", 1],
      ],
    );
    expect(found[1]?.scope.graph).toBe(inner);
  });

  test("a use in a subgraph belongs to the weight of the outer graph", () => {
    const branch = graph([makeNode("MatMul", ["x", "w"], ["y"], { name: "inner" })], [], ["y"]);
    const outer = graph(
      [
        makeNode("If", ["t"], ["z"], {
          attributes: [{ name: "then_branch", type: "graph", value: branch }],
        }),
      ],
      [matrix("w")],
    );
    const [weight] = findWeights(Scope.of(outer));
    expect(
      weight?.uses.map((use) => [use.node.name, use.input, use.scope.graph === branch]),
    ).toEqual([["inner", 1, true]]);
  });

  test("Identity and Transpose chains lead to their readers with one permutation", () => {
    const nodes = [
      makeNode("Identity", ["w"], ["a"]),
      makeNode("Transpose", ["a"], ["b"], { attributes: [makeInts("perm", [1, 2, 0])] }),
      makeNode("Transpose", ["b"], ["c"], { attributes: [makeInts("perm", [2, 0, 1])] }),
      makeNode("Transpose", ["b"], ["d"]),
      makeNode("Gather", ["a", "i"], ["o1"]),
      makeNode("MatMul", ["x", "b"], ["o2"]),
      makeNode("MatMul", ["x", "c"], ["o3"]),
      makeNode("MatMul", ["x", "d"], ["o4"]),
    ];
    const [weight] = findWeights(Scope.of(graph(nodes, [matrix("w", [2, 3, 4])])));
    const byName = new Map(weight?.uses.map((use) => [use.name, use]));
    expect([...byName.keys()].sort()).toEqual(["a", "b", "c", "d"]);
    expect(byName.get("a")?.permutation).toBeUndefined();
    expect(byName.get("b")?.permutation).toEqual([1, 2, 0]);
    expect(byName.get("c")?.permutation).toBeUndefined();
    expect(byName.get("d")?.permutation).toEqual([0, 2, 1]);
    const d = byName.get("d");
    if (!weight || !d) throw new Error("the chain's end is missing");
    expect(valueDims(weight, d)).toEqual([2, 4, 3]);
    expect(storedAxis(d, 1)).toBe(2);
    expect(weight.links.map(({ node }) => node.outputs[0])).toEqual(["a", "b", "c", "d"]);
  });

  test("a chain of 40,000 Transposes is followed at once", async () => {
    const links = Array.from({ length: 40_000 }, (_, i) =>
      makeNode("Transpose", [i === 0 ? "w" : `t${i - 1}`], [`t${i}`]),
    );
    const nodes = [...links, makeNode("MatMul", ["x", "t39999"], ["o1"])];
    const found: ReturnType<typeof findWeights> = [];
    const spent = await cpuMs(() =>
      found.push(...findWeights(Scope.of(graph(nodes, [matrix("w")])))),
    );
    expect(spent).toBeLessThan(8_000);
    const [weight] = found;
    expect(weight?.links.length).toBe(40_000);
    expect(weight?.uses.map(({ permutation }) => permutation)).toEqual([undefined]);
  });

  test("a weight that a graph hands out, through a chain or from a branch, is marked", () => {
    const nodes = [makeNode("Identity", ["w"], ["out"]), makeNode("MatMul", ["x", "v"], ["y"])];
    const found = findWeights(
      Scope.of(graph(nodes, [matrix("w"), matrix("v"), matrix("u")], ["out", "u"])),
    );
    expect(found.map((weight) => [weight.name, weight.isOutput])).toEqual([
      ["w", true],
      ["v", false],
      ["u", true],
    ]);
  });

  test("integers, and tensors under the least rank, are not weights", () => {
    const bias = makeFloat32("b", [1, 2, 3]);
    const root = Scope.of(graph([], [bias, makeInt64("shape", [1, 2]), matrix("w")]));
    expect(findWeights(root).map((weight) => weight.name)).toEqual(["w"]);
    expect(findWeights(root, { minRank: 1 }).map((weight) => weight.name)).toEqual(["b", "w"]);
  });

  test("a chain of 1000 Identity nodes is followed", () => {
    const nodes: Node[] = [];
    for (let i = 0; i < 1000; i++)
      nodes.push(makeNode("Identity", [i === 0 ? "w" : `n${i}`], [`n${i + 1}`]));
    nodes.push(makeNode("MatMul", ["x", "n1000"], ["y"]));
    const [weight] = findWeights(Scope.of(graph(nodes, [matrix("w")])));
    expect(weight?.uses.map((use) => use.node.opType)).toEqual(["MatMul"]);
  });
});
