/** @file Constants and shapes are computed, and no model grows by it. */
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
import { difference, graphOf, info, model, simplified, values } from "./models.ts";

const X = { x: values([2, 3]) };

/** y = Reshape(x, [size of dimension 1, size of dimension 0]). */
const turned = (shape: (number | string)[]) =>
  model(
    [
      makeNode("Shape", ["x"], ["s"]),
      makeNode("Gather", ["s", "one"], ["columns"]),
      makeNode("Gather", ["s", "zero"], ["rows"]),
      makeNode("Unsqueeze", ["columns", "axis"], ["c"]),
      makeNode("Unsqueeze", ["rows", "axis"], ["r"]),
      makeNode("Concat", ["c", "r"], ["target"], { attributes: [makeInt("axis", 0)] }),
      makeNode("Reshape", ["x", "target"], ["y"]),
    ],
    {
      inputs: [info("x", shape)],
      initializers: [
        makeInt64("one", [1], true),
        makeInt64("zero", [0], true),
        makeInt64("axis", [0]),
      ],
    },
  );

describe("a chain of shapes", () => {
  it("becomes a constant where the sizes are fixed", async () => {
    const original = turned([2, 3]);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Reshape"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("becomes −1 for the one size that is open", async () => {
    const original = turned(["rows", 3]);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Reshape"]);
    for (const rows of [1, 2, 5]) {
      expect(await difference(original, result, { x: values([rows, 3]) })).toBe(0);
    }
  });

  it("stays where two sizes are open", async () => {
    const original = turned(["rows", "columns"]);
    const { ops, model: result } = await simplified(original);
    expect(ops).toContain("Shape");
    expect(await difference(original, result, { x: values([4, 5]) })).toBe(0);
  });

  it("is folded for the sizes that the caller fixes, and the result takes no others", async () => {
    const original = turned(["rows", "columns"]);
    const { ops, model: result } = await simplified(original, { input_shapes: { x: [4, 5] } });
    expect(ops).toEqual(["Reshape"]);
    expect(result.graph.inputs[0]?.type).toMatchObject({ shape: [4, 5] });
    expect(result.graph.outputs[0]?.type).toMatchObject({ shape: [5, 4] });
    expect(await difference(original, result, { x: values([4, 5]) })).toBe(0);
    await expect(difference(original, result, { x: values([2, 5]) })).rejects.toThrow(/dimension/i);
  });

  it("whose sizes go through float32 rounds as ONNX Runtime does", async () => {
    const factors = [0.3333333, 0.7, 1.4142135, 2.7182817, 0.1];
    for (const factor of factors) {
      for (const size of [3, 7, 10, 30, 49]) {
        const original = model(
          [
            makeNode("Shape", ["x"], ["s"]),
            makeNode("Cast", ["s"], ["f"], { attributes: [makeInt("to", 1)] }),
            makeNode("Mul", ["f", "factor"], ["m"]),
            makeNode("Cast", ["m"], ["i"], { attributes: [makeInt("to", 7)] }),
            makeNode("ConstantOfShape", ["i"], ["ones"]),
            makeNode("ReduceSum", ["ones"], ["sum"], { attributes: [makeInt("keepdims", 0)] }),
            makeNode("Mul", ["x", "sum"], ["y"]),
          ],
          { inputs: [info("x", [size])], initializers: [makeFloat32("factor", [factor], [])] },
        );
        const { model: result } = await simplified(original);
        expect(await difference(original, result, { x: values([size]) })).toBe(0);
      }
    }
  });

  it("is not taken from what a model declares of values inside", async () => {
    const nodes = [makeNode("NonZero", ["x"], ["found"]), makeNode("Shape", ["found"], ["y"])];
    const original = model(nodes, {
      outputs: [info("y", [2], 7)],
      valueInfos: [info("found", [2, 4], 7)],
    });
    const { ops, model: result } = await simplified(original, { fold_constants_limit: 100 });
    expect(ops).toEqual(["NonZero", "Shape"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("behind a Resize by a fraction has the sizes that ONNX Runtime makes", async () => {
    for (const [size, scale] of [
      [49, 1.4285715],
      [10, 0.7],
      [3, 0.3333333],
      [30, 1.1],
    ] as const) {
      const original = model(
        [
          makeNode("Resize", ["x", "", "scales"], ["r"]),
          makeNode("Shape", ["r"], ["s"]),
          makeNode("Cast", ["s"], ["y"], { attributes: [makeInt("to", 1)] }),
        ],
        {
          inputs: [info("x", [1, 1, size, size])],
          initializers: [makeFloat32("scales", [1, 1, scale, scale])],
        },
      );
      const { model: result } = await simplified(original);
      expect(await difference(original, result, { x: values([1, 1, size, size]) })).toBe(0);
    }
  });
});

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

describe("an If whose condition is known", () => {
  const branches = () =>
    (["then_branch", "else_branch"] as const).map((name) => ({
      name,
      type: "graph" as const,
      value: graphOf(
        [
          makeNode(name === "then_branch" ? "Exp" : "Neg", ["x"], ["inner"]),
          makeNode("Add", ["inner", "bias"], ["r"]),
        ],
        {
          inputs: [],
          outputs: [info("r")],
          initializers: [makeFloat32("bias", [name === "then_branch" ? 1 : 2], [1])],
        },
      ),
    }));

  it.each([0, 1])("becomes its branch: %d", async (flag) => {
    const original = model([makeNode("If", ["c"], ["y"], { attributes: branches() })], {
      initializers: [makeTensor("c", 9, [], Uint8Array.of(flag))],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual([flag ? "Exp" : "Neg", "Add"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("keeps its names apart from those of others", async () => {
    const original = model(
      [
        makeNode("If", ["c"], ["first"], { attributes: branches() }),
        makeNode("If", ["d"], ["second"], { attributes: branches() }),
        makeNode("Sub", ["first", "second"], ["y"]),
      ],
      {
        initializers: [0, 1].map((flag) =>
          makeTensor(flag ? "c" : "d", 9, [], Uint8Array.of(flag)),
        ),
      },
    );
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Exp", "Add", "Neg", "Add", "Sub"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("may follow from the rank of an input", async () => {
    const nodes = [
      makeNode("Shape", ["x"], ["s"]),
      makeNode("Size", ["s"], ["rank"]),
      makeNode("Equal", ["rank", "two"], ["c"]),
      makeNode("If", ["c"], ["y"], { attributes: branches() }),
    ];
    const original = model(nodes, {
      inputs: [info("x", ["n", "m"])],
      initializers: [makeInt64("two", [2], true)],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Exp", "Add"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("within another becomes its branch too, with the names of both kept apart", async () => {
    const inner = makeNode("If", ["c"], ["inner"], { attributes: branches() });
    const outer = {
      then_branch: graphOf([inner, makeNode("Neg", ["inner"], ["r"])], {
        inputs: [],
        outputs: [info("r")],
      }),
      else_branch: graphOf([makeNode("Neg", ["x"], ["r"])], { inputs: [], outputs: [info("r")] }),
    };
    // ONNX has no name twice on one way from the outside in.
    const [first, second] = branches();
    for (const branch of [first, second]) {
      if (!branch) continue;
      branch.value.nodes = [
        makeNode("Exp", ["x"], ["deep"]),
        makeNode("Add", ["deep", "bias"], ["d"]),
      ];
      branch.value.outputs = [info("d")];
    }
    inner.attributes = [first, second].flatMap((branch) => branch ?? []);
    const attributes = Object.entries(outer).map(([name, value]) => ({
      name,
      type: "graph" as const,
      value,
    }));
    const original = model([makeNode("If", ["c"], ["y"], { attributes })], {
      initializers: [makeTensor("c", 9, [], Uint8Array.of(1))],
    });
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Exp", "Add", "Neg"]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("stays where the condition is fed", async () => {
    const original = model([makeNode("If", ["c"], ["y"], { attributes: branches() })], {
      inputs: [info("x", [2, 3]), info("c", [], 9)],
    });
    expect((await simplified(original)).ops).toEqual(["If"]);
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
