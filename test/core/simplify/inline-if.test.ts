/** @file An If whose condition is known becomes its branch. */
import { describe, expect, it } from "vitest";
import { makeFloat32, makeInt64, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { difference, graphOf, info, model, simplified, values } from "./models.ts";

const X = { x: values([2, 3]) };

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
