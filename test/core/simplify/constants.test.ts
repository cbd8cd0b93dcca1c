/** @file Constants are computed by ONNX Runtime, and no model grows by it. */
import { describe, expect, it } from "vitest";
import {
  makeFloats,
  makeInt,
  makeInts,
  makeTensorAttribute,
} from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { cloneModel } from "../../../src/graph/clone.ts";
import { tensorNumbers } from "../../../src/graph/constants.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { RangeData } from "../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { simplifyModel } from "../../../src/simplify/simplify.ts";
import { difference, info, model, simplified, values } from "./models.ts";

const X = { x: values([2, 3]) };

/** y = x + nodes' `c`. */
const added = (
  nodes: Parameters<typeof model>[0],
  initializers: ReturnType<typeof makeFloat32>[],
) => model([...nodes, makeNode("Add", ["x", "c"], ["y"])], { initializers });

describe("a constant", () => {
  it("is computed by ONNX Runtime", async () => {
    const original = added(
      [makeNode("Exp", ["w"], ["e"]), makeNode("Softmax", ["e"], ["c"])],
      [makeFloat32("w", [0.1, 0.2, 0.3], [1, 3])],
    );
    const { ops, model: result, report } = await simplified(original);
    expect(ops).toEqual(["Add"]);
    expect([...result.graph.initializers.keys()]).toEqual(["c"]);
    expect(await difference(original, result, X)).toBe(0);
    expect(report.simplification).toMatchObject({ nodesBefore: 3, nodesAfter: 1 });
  });

  it("in between may be large, when what comes of it is small", async () => {
    const original = added(
      [
        makeNode("ConstantOfShape", ["s"], ["large"], {
          attributes: [makeTensorAttribute("value", makeFloat32("", [0.5]))],
        }),
        makeNode("ReduceSum", ["large"], ["c"], { attributes: [makeInt("keepdims", 0)] }),
      ],
      [makeInt64("s", [300, 300])],
    );
    expect((await simplified(original)).ops).toEqual(["Add"]);
  });

  it.each([
    ["ConstantOfShape", makeNode("ConstantOfShape", ["s"], ["c"])],
    ["Expand", makeNode("Expand", ["one", "s"], ["c"])],
    ["Tile", makeNode("Tile", ["square", "s"], ["c"])],
  ])("of %s that is larger than what it replaces stays computed", async (op, node) => {
    const original = model([node, makeNode("Add", ["c", "x"], ["y"])], {
      inputs: [info("x", [1, 1])],
      initializers: [
        makeInt64("s", [100, 100]),
        makeFloat32("one", [1], [1, 1]),
        makeFloat32("square", [1], [1, 1]),
      ],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual([op, "Add"]);
    expect((await modelBytes(result)).length).toBeLessThanOrEqual(
      (await modelBytes(original)).length,
    );
    const allowed = await simplified(original, { fold_constants_limit: 100_000 });
    expect(allowed.ops).toEqual(["Add"]);
    expect(await difference(original, allowed.model, { x: values([1, 1]) })).toBe(0);
  });

  it("is what a graph hands out: a Constant node makes it", async () => {
    const nodes = [makeNode("Exp", ["w"], ["y"])];
    const original = model(nodes, { inputs: [], initializers: [makeFloat32("w", [1, 2])] });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Constant"]);
    expect(await difference(original, result, {})).toBe(0);
  });

  it("is no input with a value that callers may override", async () => {
    const nodes = [makeNode("Exp", ["w"], ["e"]), makeNode("Add", ["x", "e"], ["y"])];
    const original = model(nodes, {
      inputs: [info("x", [2, 3]), info("w", [3])],
      initializers: [makeFloat32("w", [1, 2, 3])],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Exp", "Add"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("is one of IR version 3, where every initializer is among the inputs", async () => {
    const nodes = [makeNode("Exp", ["w"], ["e"]), makeNode("Add", ["x", "e"], ["y"])];
    const original = model(nodes, {
      inputs: [info("x", [2, 3]), info("w", [3])],
      initializers: [makeFloat32("w", [1, 2, 3])],
      irVersion: 3,
      opset: 8,
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Add"]);
    expect(result.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(result.irVersion).toBe(4);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("is never a random number, nor weights that are dequantized", async () => {
    const random = added(
      [makeNode("RandomNormalLike", ["w"], ["c"])],
      [makeFloat32("w", [1, 2, 3], [1, 3])],
    );
    expect((await simplified(random)).ops).toEqual(["RandomNormalLike", "Add"]);
    const quantized = added(
      [makeNode("DequantizeLinear", ["q", "scale"], ["c"])],
      [makeTensor("q", 3, [3], Uint8Array.of(1, 2, 3)), makeFloat32("scale", [0.1], [])],
    );
    expect((await simplified(quantized)).ops).toEqual(["DequantizeLinear", "Add"]);
  });

  it("that ONNX Runtime cannot compute does not keep others from being computed", async () => {
    const nodes = [
      makeNode("Gather", ["w", "far"], ["bad"]),
      makeNode("Exp", ["v"], ["e"]),
      makeNode("Add", ["x", "bad"], ["b"]),
      makeNode("Add", ["b", "e"], ["y"]),
    ];
    const { ops } = await simplified(
      model(nodes, {
        initializers: [
          makeFloat32("w", [1, 2, 3]),
          makeFloat32("v", [1, 2, 3]),
          makeInt64("far", [9]),
        ],
      }),
    );
    expect(ops).toEqual(["Gather", "Add", "Add"]);
  });

  it("of a Constant node is an initializer, whichever attribute holds it", async () => {
    const largest = 2n ** 63n - 1n;
    const nodes = [
      makeNode("Constant", [], ["ends"], {
        attributes: [{ name: "value_ints", type: "ints", value: [largest] }],
      }),
      makeNode("Constant", [], ["starts"], { attributes: [makeInts("value_ints", [1])] }),
      makeNode("Constant", [], ["f"], { attributes: [makeFloats("value_floats", [0.5, 1, 2])] }),
      makeNode("Slice", ["x", "starts", "ends"], ["part"]),
      makeNode("Add", ["part", "f"], ["y"]),
    ];
    const original = model(nodes);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Slice", "Add"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("that is too large to be computed here is never read", async () => {
    const big = 430_000_000;
    const source = {
      size: big,
      read: async () => {
        throw new Error("the weight was read");
      },
    };
    const weight = makeTensor("w", 1, [big / 4], new RangeData(source, 0, big));
    const original = added([makeNode("Exp", ["w"], ["c"])], [weight]);
    const copy: Model = cloneModel(original);
    await simplifyModel(copy, {});
    expect(copy.graph.nodes.map(({ opType }) => opType)).toEqual(["Exp", "Add"]);
  });

  it("is left alone without ONNX Runtime, and the report says so", async () => {
    const original = added([makeNode("Exp", ["w"], ["c"])], [makeFloat32("w", [1, 2, 3])]);
    const report = await simplifyModel(original, {});
    expect(report.notes.join()).toMatch(/no ONNX Runtime/);
  });
});

it("a constant's numbers are exact up to the largest int64", async () => {
  const attribute = { name: "value_int", type: "int" as const, value: 2n ** 63n - 1n };
  const nodes = [
    makeNode("Constant", [], ["end"], { attributes: [attribute] }),
    makeNode("Unsqueeze", ["end", "axis"], ["ends"]),
    makeNode("Slice", ["x", "axis", "ends"], ["y"]),
  ];
  const original = model(nodes, { initializers: [makeInt64("axis", [0])] });
  const { ops, model: result } = await simplified(original, { skip_passes: ["eliminate_noops"] });
  expect(ops).toEqual(["Slice"]);
  const ends = result.graph.initializers.get("ends");
  expect(ends && (await tensorNumbers(ends))).toEqual([2 ** 63]);
  expect(await difference(original, result, X)).toBe(0);
});
