/** @file Sizes that a model computes become constants where they are known, and only there. */
import { describe, expect, it } from "vitest";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import { difference, info, model, simplified, values } from "./models.ts";

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
