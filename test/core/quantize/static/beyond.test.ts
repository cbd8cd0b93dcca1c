/** @file Where static quantization does more than onnxruntime's tool, or leaves what that one would break. */
import { describe, expect, test } from "vitest";
import { makeInts, makeTensorAttribute } from "../../../../src/graph/attributes.ts";
import { makeFloat32, makeNode } from "../../../../src/graph/build.ts";
import { cloneModel } from "../../../../src/graph/clone.ts";
import { UnknownNameError } from "../../../../src/graph/selection.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import type { Model, Node, Tensor } from "../../../../src/onnx/model.ts";
import {
  type ActivationRanges,
  quantizeStatic,
  type StaticOptions,
} from "../../../../src/quantize/static.ts";
import { prepareStatic } from "../../../../src/quantize/static/prepare.ts";
import { cosine, floats, graphOf, modelOf, run, weight } from "../dynamic/models.ts";
import { fingerprint } from "../dynamic/fingerprint.ts";

const arena = await Arena.create(await kernelModule(), 24 << 20);

/** Every value that is not in `except` lies between -3 and 3, a Relu's between 0 and 3. */
function wide(model: Model, except: string[] = []): ActivationRanges {
  const names = [
    ...model.graph.inputs.map(({ name }) => name),
    ...model.graph.nodes.flatMap(({ outputs }) => outputs),
  ];
  const relus = new Set(
    model.graph.nodes.flatMap(({ opType, outputs }) => (opType === "Relu" ? outputs : [])),
  );
  return {
    ranges: new Map(
      names
        .filter((name) => !except.includes(name))
        .map((name) => [name, { low: relus.has(name) ? 0 : -3, high: 3 }] as const),
    ),
    unusable: new Map(except.map((name) => [name, "it was NaN or Inf"])),
  };
}

async function quantized(model: Model, options: StaticOptions = {}, except: string[] = []) {
  const copy = cloneModel(model);
  prepareStatic(copy);
  const report = await quantizeStatic(copy, options, wide(copy, except), arena);
  const kept = Object.fromEntries(report.kept.map(({ name, reason }) => [name, reason]));
  return { model: copy, graph: copy.graph, report, kept };
}

const constant = (tensor: Tensor) =>
  makeNode("Constant", [], [tensor.name], { attributes: [makeTensorAttribute("value", tensor)] });
const opTypes = (nodes: Node[]) => nodes.map(({ opType }) => opType);
const product = [makeNode("MatMul", ["x", "w"], ["y"], { name: "product" })];
const square = (nodes: Node[], weights: Tensor[] = []) =>
  modelOf(graphOf(nodes, { x: [2, 6] }, { y: [2, 6] }, weights));

describe("weights are found", () => {
  test("in a Constant node, and behind Identity, as in an initializer", async () => {
    const stored = await quantized(square(product, [weight("w", [6, 6])]));
    const values = weight("w", [6, 6]);
    const held = await quantized(
      square([constant({ ...values, name: "v" }), makeNode("Identity", ["v"], ["w"]), ...product]),
    );
    expect(await fingerprint(held.graph)).toEqual(await fingerprint(stored.graph));
    expect(held.report.changed.map(({ to }) => to)).toEqual(["int8"]);
  });

  test("behind a Transpose, whose codes are moved", async () => {
    const model = square(
      [makeNode("Transpose", ["v"], ["w"], { attributes: [makeInts("perm", [1, 0])] }), ...product],
      [weight("v", [6, 6])],
    );
    const { report, graph, model: small } = await quantized(model);
    expect(report.changed.map(({ name, to }) => [name, to])).toEqual([["v", "int8"]]);
    expect(graph.initializers.has("v")).toBe(false);
    const shared = report.activations.find(({ name }) => name === "w");
    expect(shared?.sharedWith).toBe("v");
    const [a, b] = [
      await run(model, { x: floats([2, 6]) }),
      await run(small, { x: floats([2, 6]) }),
    ];
    expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
  });
});

describe("what stays float says why", () => {
  const deep = [
    makeNode("Conv", ["x", "k", "b"], ["c"], { name: "conv" }),
    makeNode("Relu", ["c"], ["r"]),
    makeNode("MaxPool", ["r"], ["p"], { attributes: [makeInts("kernel_shape", [2])] }),
    makeNode("MatMul", ["p", "w"], ["y"]),
  ];
  const model = modelOf(
    graphOf(deep, { x: [1, 3, 7] }, { y: [1, 4, 2] }, [
      weight("k", [4, 3, 1]),
      weight("b", [4]),
      weight("w", [6, 2]),
    ]),
  );

  test("an activation that was NaN, and the bias that has no scale without it", async () => {
    const { kept, report, model: small } = await quantized(model, {}, ["x"]);
    expect(kept["x"]).toMatch(/NaN or Inf/);
    expect(kept["b"]).toMatch(/no scale for its input/);
    expect(report.changed.map(({ name }) => name)).toEqual(["k", "w"]);
    expect(report.activations.map(({ name }) => name)).toEqual(["r", "y", "p"]);
    const feeds = { x: floats([1, 3, 7]) };
    const [a, b] = [await run(model, feeds), await run(small, feeds)];
    expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.99);
  });

  test("a Relu whose own values were NaN stays, and so does what goes into it", async () => {
    const { graph, kept, report } = await quantized(model, {}, ["r"]);
    expect(opTypes(graph.nodes)).toContain("Relu");
    expect(kept["r"]).toMatch(/NaN or Inf/);
    expect(report.activations.find(({ name }) => name === "p")?.sharedWith).toBeNull();
  });

  test("a Relu whose range was made symmetric stays: codes below zero are there", async () => {
    const copy = cloneModel(model);
    const ranges = wide(copy);
    const around = new Map([...ranges.ranges, ["r", { low: -3, high: 3 }] as const]);
    await quantizeStatic(copy, {}, { ...ranges, ranges: around }, arena);
    expect(opTypes(copy.graph.nodes)).toContain("Relu");
    const { graph } = await quantized(model);
    expect(opTypes(graph.nodes)).not.toContain("Relu");
  });

  test("a weight that holds NaN, and its bias", async () => {
    const bad = cloneModel(model);
    bad.graph.initializers.set(
      "k",
      makeFloat32("k", [NaN, ...Array<number>(11).fill(1)], [4, 3, 1]),
    );
    const { kept, report } = await quantized(bad);
    expect(kept["k"]).toMatch(/holds NaN or Inf/);
    expect(kept["b"]).toMatch(/no scale for its weight/);
    expect(report.changed.map(({ name }) => name)).toEqual(["w"]);
  });

  test("a weight of a node that is not selected, one of an op without a form", async () => {
    const nodes = [
      makeNode("MatMul", ["x", "w"], ["a"], { name: "first" }),
      makeNode("PRelu", ["a", "slope"], ["y"]),
    ];
    const { kept, report } = await quantized(
      square(nodes, [weight("w", [6, 6]), weight("slope", [2, 6])]),
      { nodes_to_exclude: ["first"] },
    );
    expect(report.changed).toEqual([]);
    expect(kept["w"]).toMatch(/MatMul "first" is not selected/);
    expect(kept["slope"]).toMatch(/PRelu "y" is not selected, or has no static form/);
  });

  test("a gathered table with a scale per channel: what is gathered has none to share", async () => {
    const nodes = [makeNode("Gather", ["w", "ids"], ["e"]), makeNode("MatMul", ["x", "w"], ["y"])];
    const tied = modelOf(
      graphOf(nodes, { x: [2, 6], ids: [3] }, { y: [2, 6], e: [3, 6] }, [weight("w", [6, 6])]),
    );
    const { kept } = await quantized(tied, { per_channel: true });
    expect(kept["e"]).toMatch(/"w", whose scale it would take, has one per channel/);
  });

  test("values inside a branch, and a value that a branch reads keeps its name", async () => {
    const branch = (name: string, op: string) =>
      graphOf([makeNode(op, ["a"], [name])], {}, { [name]: [2, 6] });
    const nodes = [
      makeNode("MatMul", ["x", "w"], ["a"]),
      makeNode("Relu", ["a"], ["r"]),
      makeNode("If", ["yes"], ["z"], {
        attributes: [
          { name: "then_branch", type: "graph", value: branch("t", "Neg") },
          { name: "else_branch", type: "graph", value: branch("e", "Abs") },
        ],
      }),
    ];
    const model2 = modelOf(
      graphOf(nodes, { x: [2, 6], yes: [] }, { r: [2, 6], z: [2, 6] }, [weight("w", [6, 6])]),
    );
    const { graph } = await quantized(model2);
    // The branches read what goes into the Relu, which therefore stays.
    expect(opTypes(graph.nodes)).toContain("Relu");
  });
});

test("a stack of matrices has one scale even per channel, since ONNX Runtime runs no other", async () => {
  const model = modelOf(
    graphOf(product, { x: [2, 5, 6] }, { y: [2, 5, 4] }, [weight("w", [2, 6, 4])]),
  );
  const { report, model: small } = await quantized(model, { per_channel: true });
  expect(report.changed[0]?.method).toBe("int8 per tensor");
  const feeds = { x: floats([2, 5, 6]) };
  const [a, b] = [await run(model, feeds), await run(small, feeds)];
  expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
});

test("names that match nothing are an error with the nearest ones", async () => {
  const model = square(product, [weight("w", [6, 6])]);
  for (const [options, message] of [
    [{ nodes_to_exclude: ["produkt"] }, /no node "produkt"; nearest: "product"/],
    [{ op_types_to_quantize: ["Matmul"] }, /no op type "Matmul"; nearest: "MatMul"/],
  ] as const) {
    const given = Object.fromEntries(Object.entries(options).map(([k, v]) => [k, [...v]]));
    await expect(quantized(model, given)).rejects.toThrow(UnknownNameError);
    await expect(quantized(model, given)).rejects.toThrow(message);
  }
});

test.each([
  [{ quant_format: "QOperator" }, /quant_format "QDQ" only/],
  [{ activation_type: "qint16" }, /activation_type is "qint16"/],
  [{ activation_type: "qint8", weight_type: "quint8" }, /needs activation_type "quint8"/],
])("%j is refused", async (options, message) => {
  const model = square(product, [weight("w", [6, 6])]);
  await expect(quantized(model, options as StaticOptions)).rejects.toThrow(message);
});

test("the report has each activation's range, scale and zero point", async () => {
  const { report } = await quantized(square(product, [weight("w", [6, 6])]), {
    activation_type: "quint8",
  });
  expect(report.activations[0]).toEqual({
    name: "x",
    type: "uint8",
    low: -3,
    high: 3,
    scale: Math.fround(6 / 255),
    zeroPoint: 128,
    sharedWith: null,
  });
});
