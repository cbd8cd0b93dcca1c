/** @file The whole of it: options, functions, what is not needed, what stays as it was declared. */
import { describe, expect, it } from "vitest";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import type { FunctionDefinition, Model, Node } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { cpuMs } from "../cpu-time.ts";
import { difference, graphOf, info, model, simplified, values } from "./models.ts";

const X = { x: values([2, 3]) };

describe("what no output needs", () => {
  it("goes: nodes, weights, and functions that nobody calls", async () => {
    const nodes = [
      makeNode("Exp", ["x"], ["dead"]),
      makeNode("Neg", ["dead"], ["deader"]),
      makeNode("Relu", ["x"], ["y"]),
    ];
    const original = model(nodes, { initializers: [makeFloat32("w", [1, 2])] });
    original.functions.push(definition("Unused", [makeNode("Neg", ["a"], ["b"])]));
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Relu"]);
    expect(result.graph.initializers.size).toBe(0);
    expect(result.functions).toEqual([]);
  });

  it("stays where it is an input: names and order of inputs are kept", async () => {
    const original = model([makeNode("Relu", ["x"], ["y"])], {
      inputs: [info("unused", [1]), info("x", [2, 3]), info("optional", [1])],
      initializers: [makeFloat32("optional", [5])],
    });
    const { model: result } = await simplified(original);
    expect(result.graph.inputs.map(({ name }) => name)).toEqual(["unused", "x", "optional"]);
    expect(result.graph.initializers.has("optional")).toBe(true);
  });

  it("goes from the bodies of loops too; what they capture stays", async () => {
    const body = graphOf(
      [
        makeNode("Exp", ["outer"], ["dead"]),
        makeNode("Add", ["state", "outer"], ["next"]),
        makeNode("Identity", ["go"], ["going"]),
      ],
      {
        inputs: [info("i", [], 7), info("go", [], 9), info("state")],
        outputs: [info("going", [], 9), info("next")],
      },
    );
    const loop = makeNode("Loop", ["count", "", "x"], ["y"], {
      attributes: [{ name: "body", type: "graph", value: body }],
    });
    const original = model([makeNode("Neg", ["x"], ["outer"]), loop], {
      initializers: [makeInt64("count", [3], true)],
    });
    const { model: result, report } = await simplified(original);
    expect(report.simplification).toMatchObject({ nodesBefore: 5, nodesAfter: 4 });
    expect(await difference(original, result, X)).toBe(0);
  });
});

function definition(name: string, nodes: Node[], opset = 17): FunctionDefinition {
  return {
    name,
    domain: "own",
    overload: "",
    inputs: ["a"],
    outputs: ["b"],
    attributeNames: [],
    attributeDefaults: [],
    nodes,
    opsetImports: [{ domain: "", version: opset }],
    valueInfos: [],
    docString: "",
    metadata: [],
  };
}

describe("functions", () => {
  const calling = (opset: number): Model => {
    const original = model([
      makeNode("Twice", ["x"], ["t"], { domain: "own", name: "call" }),
      makeNode("Twice", ["t"], ["y"], { domain: "own" }),
    ]);
    const body = [makeNode("Identity", ["a"], ["i"]), makeNode("Add", ["i", "i"], ["b"])];
    original.functions.push(definition("Twice", body, opset));
    original.opsetImports.push({ domain: "own", version: 1 });
    return original;
  };

  it("give way to their nodes", async () => {
    const original = calling(17);
    const { ops, model: result } = await simplified(original);
    expect(ops).toEqual(["Add", "Add"]);
    expect(result.functions).toEqual([]);
    expect(await difference(original, result, X)).toBe(0);
  });

  it("for another opset than the model's stay, and the report says so", async () => {
    const original = calling(15);
    const { ops, report, model: result } = await simplified(original);
    expect(ops).toEqual(["Twice", "Twice"]);
    expect(report.notes.join()).toMatch(/functions stay: .* opset 15/);
    expect(result.functions).toHaveLength(1);
  });

  it("called like an operator are none", async () => {
    const original = model([makeNode("Identity", ["x"], ["i"]), makeNode("Relu", ["i"], ["y"])]);
    original.functions.push({
      ...definition("Identity", [makeNode("Neg", ["a"], ["b"])], 15),
      domain: "",
    });
    const { ops } = await simplified(original);
    expect(ops).toEqual(["Identity", "Relu"]);
  });
});

describe("the options", () => {
  const nodes = () => [
    makeNode("Identity", ["x"], ["i"]),
    makeNode("Exp", ["i"], ["a"]),
    makeNode("Exp", ["i"], ["b"]),
    makeNode("Add", ["a", "b"], ["y"]),
  ];

  it("choose passes and leave passes out", async () => {
    const only = await simplified(model(nodes()), { passes: ["eliminate_noops"] });
    expect(only.ops).toEqual(["Exp", "Exp", "Add"]);
    expect(only.report.simplification?.passes).toEqual([{ name: "eliminate_noops", changes: 1 }]);
    const but = await simplified(model(nodes()), { skip_passes: ["eliminate_noops"] });
    expect(but.ops).toEqual(["Identity", "Exp", "Add"]);
  });

  it("that name no pass are refused with the nearest one", async () => {
    await expect(simplified(model(nodes()), { passes: ["eliminate_noop"] })).rejects.toThrow(
      'simplify: there is no pass "eliminate_noop"; nearest: "eliminate_noops"',
    );
  });

  it("that fix inputs which the model does not have are refused with the nearest ones", async () => {
    const original = model(nodes(), { inputs: [info("image", ["n", 3])] });
    original.graph.nodes[0] = makeNode("Identity", ["image"], ["i"]);
    await expect(simplified(original, { input_shapes: { imge: [1, 3] } })).rejects.toThrow(
      'the model has no input "imge"; nearest: "image"',
    );
  });

  it.each<[Record<string, number[]>, RegExp]>([
    [{ x: [1, 2, 3] }, /3 dimensions, it has 2/],
    [{ x: [0, 3] }, /not sizes from 1 on/],
  ])("that fix sizes which cannot be are refused: %o", async (input_shapes, message) => {
    await expect(simplified(model(nodes()), { input_shapes })).rejects.toThrow(message);
  });

  it("may fix other sizes than the model declares: what it declared of other values goes", async () => {
    const original = model(nodes(), {
      outputs: [info("y", [2, 3])],
      valueInfos: [info("a", [2, 3])],
    });
    const { model: result } = await simplified(original, { input_shapes: { x: [5, 7] } });
    expect(result.graph.outputs[0]?.type).toMatchObject({ shape: [5, 7] });
    expect(await difference(result, result, { x: values([5, 7]) })).toBe(0);
  });
});

describe("a model that is simple already", () => {
  it("stays what it is, to the byte, and the report says that there is nothing to do", async () => {
    const original = model([makeNode("Relu", ["x"], ["a"]), makeNode("Neg", ["a"], ["y"])], {
      valueInfos: [info("a", [2, "m"])],
    });
    const { model: result, report } = await simplified(original);
    expect(await modelBytes(result)).toEqual(await modelBytes(original));
    expect(report.notes).toEqual(["nothing to do: these passes find nothing to simplify"]);
    expect(report.simplification).toMatchObject({ nodesBefore: 2, nodesAfter: 2, rounds: 1 });
  });
});

it("declared shapes of values that stay are kept", async () => {
  const nodes = [
    makeNode("Identity", ["x"], ["i"]),
    makeNode("Relu", ["i"], ["a"]),
    makeNode("Neg", ["a"], ["y"]),
  ];
  const original = model(nodes, {
    outputs: [info("y", ["batch", 3])],
    valueInfos: [info("i", ["batch", 3]), info("a", ["batch", 3])],
  });
  const { model: result } = await simplified(original);
  expect(result.graph.valueInfos).toMatchObject([{ name: "a", type: { shape: ["batch", 3] } }]);
  expect(result.graph.outputs[0]?.type).toMatchObject({ shape: ["batch", 3] });
});

it("a round's result is simplified until nothing is left", async () => {
  // Once the sizes are known the condition is; once the If is gone the two Exps are one.
  const branch = (op: string) =>
    graphOf([makeNode(op, ["x"], ["r"])], { inputs: [], outputs: [info("r")] });
  const nodes = [
    makeNode("Shape", ["x"], ["s"]),
    makeNode("Gather", ["s", "zero"], ["rows"], { attributes: [makeInt("axis", 0)] }),
    makeNode("Equal", ["rows", "two"], ["c"]),
    makeNode("If", ["c"], ["e"], {
      attributes: [
        { name: "then_branch", type: "graph", value: branch("Exp") },
        { name: "else_branch", type: "graph", value: branch("Neg") },
      ],
    }),
    makeNode("Exp", ["x"], ["f"]),
    makeNode("Sub", ["e", "f"], ["y"]),
  ];
  const original = model(nodes, {
    initializers: [makeInt64("zero", [0], true), makeInt64("two", [2], true)],
  });
  const { ops, model: result, report } = await simplified(original);
  expect(ops).toEqual(["Exp", "Sub"]);
  expect(report.simplification?.rounds).toBeGreaterThan(1);
  expect(await difference(original, result, X)).toBe(0);
});

it("chains of as many nodes as a model may have are no trouble", async () => {
  const chain = (opType: string, from: string, prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      makeNode(opType, [i === 0 ? from : `${prefix}${i - 1}`], [`${prefix}${i}`]),
    );
  const nodes = [
    ...chain("Neg", "x", "dead", 10_000),
    ...chain("Identity", "x", "same", 3_000),
    ...chain("Neg", "one", "constant", 3_000),
    makeNode("Add", ["same2999", "constant2999"], ["y"]),
  ];
  const original = model(nodes, { initializers: [makeFloat32("one", [1], [])] });
  let made: Awaited<ReturnType<typeof simplified>> | undefined;
  const spent = await cpuMs(async () => (made = await simplified(original)));
  expect(spent).toBeLessThan(30_000);
  expect(made?.report.simplification).toMatchObject({ nodesBefore: 16_001 });
  const { ops = [] } = made ?? {};
  expect(ops.slice(-1)).toEqual(["Add"]);
  expect(ops.length).toBeLessThan(2);
});
