/** @file Transposes and reshapes in a row become one, or none; what others read stays. */
import { describe, expect, it } from "vitest";
import { makeInts } from "../../../src/graph/attributes.ts";
import { makeInt64, makeNode } from "../../../src/graph/build.ts";
import type { Node } from "../../../src/onnx/model.ts";
import { difference, info, model, simplified, values } from "./models.ts";

const X = { x: values([2, 3]) };
const transpose = (from: string, to: string, perm?: number[]): Node =>
  makeNode("Transpose", [from], [to], perm ? { attributes: [makeInts("perm", perm)] } : {});

describe("transposes in a row", () => {
  it("become one, with the permutations composed", async () => {
    const original = model(
      [
        transpose("x", "a", [1, 2, 0]),
        transpose("a", "b", [0, 2, 1]),
        transpose("b", "y", [1, 2, 0]),
      ],
      { inputs: [info("x", [2, 3, 4])] },
    );
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Transpose"]);
    expect(await difference(original, result, { x: values([2, 3, 4]) })).toBe(0);
  });

  it("are composed in their order", async () => {
    const original = model([transpose("x", "a", [1, 2, 0]), transpose("a", "y", [0, 2, 1])], {
      inputs: [info("x", [2, 3, 4])],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Transpose"]);
    expect(await difference(original, result, { x: values([2, 3, 4]) })).toBe(0);
  });

  it("that undo each other go, with and without a perm", async () => {
    const original = model([
      transpose("x", "a"),
      transpose("a", "b", [1, 0]),
      makeNode("Relu", ["b"], ["y"]),
    ]);
    expect((await simplified(original)).ops).toEqual(["Relu"]);
  });

  it("the first stays for those who read it", async () => {
    const original = model(
      [transpose("x", "a", [1, 0]), transpose("a", "y", [1, 0]), makeNode("Relu", ["a"], ["z"])],
      { outputs: [info("y"), info("z")] },
    );
    const { ops, model: result } = await simplified(original);
    expect(ops.toSorted()).toEqual(["Relu", "Transpose", "Transpose"].toSorted());
    expect(await difference(original, result, X)).toBe(0);
  });

  it("without a perm stay where the rank is not known", async () => {
    const nodes = [transpose("x", "a"), transpose("a", "b"), makeNode("Relu", ["b"], ["y"])];
    const { ops } = await simplified(model(nodes, { inputs: [info("x")] }));
    expect(ops).toEqual(["Transpose", "Transpose", "Relu"]);
  });
});

describe("reshapes in a row", () => {
  const around = (nodes: Node[], shape: (number | string)[] = [2, 3]) =>
    model([makeNode("Relu", ["x"], ["r"]), ...nodes, makeNode("Neg", ["out"], ["y"])], {
      inputs: [info("x", shape)],
      initializers: [
        makeInt64("six", [6]),
        makeInt64("turned", [3, 2]),
        makeInt64("copies", [0, 3]),
        makeInt64("front", [0]),
        makeInt64("second", [1]),
      ],
    });

  it.each<[string, Node[], string[]]>([
    [
      "Reshape of a Reshape",
      [makeNode("Reshape", ["r", "six"], ["a"]), makeNode("Reshape", ["a", "turned"], ["out"])],
      ["Reshape"],
    ],
    [
      "Squeeze of an Unsqueeze",
      [makeNode("Unsqueeze", ["r", "front"], ["a"]), makeNode("Squeeze", ["a", "front"], ["out"])],
      [],
    ],
    [
      "Flatten of a Reshape",
      [makeNode("Reshape", ["r", "six"], ["a"]), makeNode("Flatten", ["a"], ["out"])],
      ["Reshape"],
    ],
    [
      "Unsqueeze of an Unsqueeze",
      [
        makeNode("Unsqueeze", ["r", "front"], ["a"]),
        makeNode("Unsqueeze", ["a", "front"], ["out"]),
      ],
      ["Reshape"],
    ],
  ])("%s", async (_, nodes, left) => {
    const original = around(nodes);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Relu", ...left, "Neg"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("that cancel go where sizes are open", async () => {
    const nodes = [
      makeNode("Unsqueeze", ["r", "second"], ["a"]),
      makeNode("Squeeze", ["a", "second"], ["out"]),
    ];
    const original = around(nodes, ["n", "m"]);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Relu", "Neg"]);
    expect(await difference(original, result, { x: values([4, 5]) })).toBe(0);
  });

  it("stay where the second copies a size of the first", async () => {
    const nodes = [
      makeNode("Unsqueeze", ["r", "front"], ["a"]),
      makeNode("Reshape", ["a", "copying"], ["out"]),
    ];
    const original = around(nodes, ["n", "m"]);
    original.graph.initializers.set("copying", makeInt64("copying", [0, 0, 1, -1]));
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Relu", "Unsqueeze", "Reshape", "Neg"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("stay where others read the first", async () => {
    const nodes = [
      makeNode("Reshape", ["r", "turned"], ["a"]),
      makeNode("Reshape", ["a", "zero"], ["out"]),
      makeNode("Neg", ["a"], ["z"]),
    ];
    const original = around(nodes, ["n", "m"]);
    original.graph.initializers.set("zero", makeInt64("zero", [0, -1]));
    original.graph.outputs.push(info("z"));
    const { ops, model: result } = await simplified(original);
    expect(ops.filter((op) => op === "Reshape").length).toBeGreaterThan(0);
    expect(await difference(original, result, X)).toBe(0);
    expect(await difference(original, result, { x: values([6, 1]) })).toBe(0);
  });
});
