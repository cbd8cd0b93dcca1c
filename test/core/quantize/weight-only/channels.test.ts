import { describe, expect, test } from "vitest";
import { makeInt, makeInts, makeTensorAttribute } from "../../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../../src/graph/build.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Attribute, Model, Node, Tensor } from "../../../../src/onnx/model.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import type { WeightOnlyOptions } from "../../../../src/quantize/weight-only.ts";
import { model, uniform, valueInfo } from "../../runtime/models.ts";
import { feeds, nativeOutputs, quantized, sqnr, wasmOutputs } from "./running.ts";
import { floatTwin } from "./twin.ts";

const { float32, float16, int64, bool } = DataType;
const ASYMMETRIC: WeightOnlyOptions = { weight_type: "quint8" };

/** Channels of very different sizes along `axis`, so that one scale for all would be far worse. */
function weight(name: string, dims: number[], axis = 0): Tensor {
  const values = uniform(
    dims.reduce((a, b) => a * b, 1),
    0.5,
    dims.length * 31 + axis,
  );
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const scaled = values.map(
    (value, i) => value * 10 ** -((Math.floor(i / inner) % (dims[axis] ?? 1)) % 3),
  );
  return makeTensor(name, float32, dims, new Uint8Array(scaled.buffer));
}

interface Kind {
  name: string;
  node: Node;
  weights: Tensor[];
  inputs: [string, number[]][];
  /** Axis of each weight's scales. */
  axes: number[];
}

const node = (opType: string, inputs: string[], attributes: Attribute[] = []): Node =>
  makeNode(opType, inputs, ["y"], { name: opType, attributes });

const recurrent = (opType: string, gates: number, directions: number): Kind => ({
  name: `${opType}, ${directions} directions`,
  node: node(
    opType,
    ["x", "w", "r"],
    [
      makeInt("hidden_size", 16),
      ...(directions === 2
        ? [
            {
              name: "direction",
              type: "string" as const,
              value: new TextEncoder().encode("bidirectional"),
            },
          ]
        : []),
    ],
  ),
  weights: [
    weight("w", [directions, gates * 16, 24], 1),
    weight("r", [directions, gates * 16, 16], 1),
  ],
  inputs: [["x", [5, 2, 24]]],
  axes: [1, 1],
});

const kinds: Kind[] = [
  {
    name: "MatMul",
    node: node("MatMul", ["x", "w"]),
    weights: [weight("w", [48, 40], 1)],
    inputs: [["x", [3, 48]]],
    axes: [1],
  },
  {
    name: "MatMul, left operand",
    node: node("MatMul", ["w", "x"]),
    weights: [weight("w", [40, 48], 0)],
    inputs: [["x", [48, 3]]],
    axes: [0],
  },
  {
    name: "MatMul of a batch",
    node: node("MatMul", ["x", "w"]),
    weights: [weight("w", [2, 48, 40], 2)],
    inputs: [["x", [2, 3, 48]]],
    axes: [2],
  },
  {
    name: "Gemm",
    node: node("Gemm", ["x", "w"]),
    weights: [weight("w", [48, 40], 1)],
    inputs: [["x", [3, 48]]],
    axes: [1],
  },
  {
    name: "Gemm, transB",
    node: node("Gemm", ["x", "w"], [makeInt("transB", 1)]),
    weights: [weight("w", [40, 48], 0)],
    inputs: [["x", [3, 48]]],
    axes: [0],
  },
  {
    name: "Gemm, constant A, transA",
    node: node("Gemm", ["w", "x"], [makeInt("transA", 1)]),
    weights: [weight("w", [48, 40], 1)],
    inputs: [["x", [48, 3]]],
    axes: [1],
  },
  {
    name: "Conv",
    node: node("Conv", ["x", "w"]),
    weights: [weight("w", [16, 12, 3, 3], 0)],
    inputs: [["x", [1, 12, 6, 6]]],
    axes: [0],
  },
  {
    name: "depthwise Conv",
    node: node("Conv", ["x", "w"], [makeInt("group", 60)]),
    weights: [weight("w", [60, 1, 5, 5], 0)],
    inputs: [["x", [1, 60, 6, 6]]],
    axes: [0],
  },
  {
    name: "ConvTranspose",
    node: node("ConvTranspose", ["x", "w"]),
    weights: [weight("w", [16, 12, 3, 3], 1)],
    inputs: [["x", [1, 16, 4, 4]]],
    axes: [1],
  },
  {
    name: "ConvTranspose in groups",
    node: node("ConvTranspose", ["x", "w"], [makeInt("group", 2)]),
    weights: [weight("w", [16, 12, 3, 3], 1)],
    inputs: [["x", [1, 16, 4, 4]]],
    axes: [1],
  },
  recurrent("LSTM", 4, 1),
  recurrent("LSTM", 4, 2),
  recurrent("GRU", 3, 1),
  recurrent("RNN", 1, 2),
];

function modelOf({ node: only, weights, inputs }: Kind): Model {
  const infos = inputs.map(([name, dims]) => valueInfo(name, float32, dims));
  return model([only], infos, [valueInfo("y", float32)], weights, 13);
}

describe.each(kinds)("$name", (kind) => {
  test.each([{}, ASYMMETRIC])("has one scale per channel and stays close: %j", async (options) => {
    const original = modelOf(kind);
    const { model: result, bytes, report } = await quantized(original, options);
    const inputs = feeds(result);
    const exact = await wasmOutputs(await modelBytes(original), inputs);
    const actual = await wasmOutputs(bytes, inputs);
    expect(sqnr(exact, actual)).toBeGreaterThan(34);
    expect(
      sqnr(await wasmOutputs(await modelBytes(await floatTwin(result)), inputs), actual),
    ).toBeGreaterThan(100);
    expect(sqnr(exact, await nativeOutputs(bytes, inputs))).toBeGreaterThan(32);
    expect(bytes.length).toBeLessThan((await modelBytes(original)).length / 2);
    for (const [i, { name, dims }] of kind.weights.entries()) {
      const axis = kind.axes[i] ?? 0;
      expect(result.graph.initializers.get(`${name}_scale`)?.dims).toEqual([dims[axis]]);
      const dequantize = result.graph.nodes.find((each) => each.outputs[0] === name);
      expect(dequantize?.opType).toBe("DequantizeLinear");
      expect(dequantize?.inputs).toHaveLength(options === ASYMMETRIC ? 3 : 2);
      expect(report.changed[i]).toMatchObject({
        name,
        method: `${options === ASYMMETRIC ? "uint8" : "int8"} per channel (axis ${axis})`,
        bytesBefore: dims.reduce((a, b) => a * b, 4),
      });
      expect(report.changed[i]?.sqnrDb).toBeGreaterThan(34);
    }
  });
});

test("one scale per tensor loses the small channels", async () => {
  const original = modelOf(kinds[0]!);
  const inputs = feeds(original);
  // every third of the 40 channels is a hundredth of the largest
  const small = (outputs: Float32Array[]): Float32Array[] =>
    outputs.map((values) => values.filter((_, i) => (i % 40) % 3 === 2));
  const exact = small(await wasmOutputs(await modelBytes(original), inputs));
  const closeness = async (options: WeightOnlyOptions): Promise<number> =>
    sqnr(exact, small(await wasmOutputs((await quantized(original, options)).bytes, inputs)));
  expect(await closeness({ per_channel: false })).toBeLessThan(10);
  expect(await closeness({})).toBeGreaterThan(36);
});

describe("Gather", () => {
  const ids = valueInfo("ids", int64, [2, 3]);
  const gather = (axis: number, output: string): Node =>
    makeNode("Gather", ["w", "ids"], [output], {
      name: output,
      attributes: [makeInt("axis", axis)],
    });

  test.each([{}, ASYMMETRIC])("dequantizes only the rows it takes: %j", async (options) => {
    for (const axis of [0, 1, -1]) {
      const dims = axis === 0 ? [70, 64] : [8, 70, 64];
      const table = weight("w", dims, axis < 0 ? 2 : axis);
      const original = model(
        [gather(axis, "y"), gather(axis, "z")],
        [ids],
        [valueInfo("y", float32), valueInfo("z", float32)],
        [table],
        13,
      );
      const { model: result, bytes } = await quantized(original, options);
      expect(result.graph.nodes.map((each) => each.opType)).not.toContain("DequantizeLinear");
      expect(result.graph.initializers.has("w")).toBe(false);
      const inputs = feeds(original);
      const exact = await wasmOutputs(await modelBytes(original), inputs);
      expect(sqnr(exact, await wasmOutputs(bytes, inputs))).toBeGreaterThan(36);
    }
  });

  test("a table that MatMul reads too is dequantized whole", async () => {
    const nodes = [
      gather(0, "e"),
      makeNode("Transpose", ["w"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
      makeNode("MatMul", ["e", "t"], ["y"]),
    ];
    const original = model(nodes, [ids], [valueInfo("y", float32)], [weight("w", [70, 64], 0)], 13);
    const { model: result, bytes } = await quantized(original, {});
    expect(result.graph.nodes.map((each) => each.opType)).toEqual([
      "DequantizeLinear",
      "Gather",
      "Transpose",
      "MatMul",
    ]);
    expect(result.graph.initializers.get("w_scale")?.dims).toEqual([70]);
    const inputs = feeds(original);
    expect(
      sqnr(await wasmOutputs(await modelBytes(original), inputs), await wasmOutputs(bytes, inputs)),
    ).toBeGreaterThan(36);
  });
});

describe("places", () => {
  const x = valueInfo("x", float32, [3, 48]);
  const y = valueInfo("y", float32);
  const held = (name: string): Node =>
    makeNode("Constant", [], [name], {
      attributes: [makeTensorAttribute("value", weight("", [48, 40], 1))],
    });
  const opTypes = (nodes: readonly Node[]): string[] => nodes.map((each) => each.opType);

  test("a Constant node becomes the DequantizeLinear in its place", async () => {
    const nodes = [
      makeNode("Relu", ["x"], ["a"]),
      held("w"),
      makeNode("MatMul", ["a", "w"], ["y"]),
    ];
    const { model: result } = await quantized(model(nodes, [x], [y], [], 13), {});
    expect(opTypes(result.graph.nodes)).toEqual(["Relu", "DequantizeLinear", "MatMul"]);
    expect([...result.graph.initializers.keys()]).toEqual(["w_quantized", "w_scale"]);
  });

  test("an initializer is dequantized right before its first reader, also where a subgraph is that", async () => {
    const branch = (last: Node[]): Model["graph"] => ({
      ...model([...last], [], [valueInfo("b", float32)]).graph,
    });
    const then = branch([makeNode("MatMul", ["x", "w"], ["b"])]);
    const otherwise = branch([held("v"), makeNode("MatMul", ["x", "v"], ["b"])]);
    const nodes = [
      makeNode("Relu", ["x"], ["a"]),
      makeNode("If", ["c"], ["i"], {
        attributes: [
          { name: "then_branch", type: "graph", value: then },
          { name: "else_branch", type: "graph", value: otherwise },
        ],
      }),
      makeNode("MatMul", ["a", "w"], ["m"]),
      makeNode("Add", ["i", "m"], ["y"]),
    ];
    const condition = valueInfo("c", bool, []);
    const original = model(nodes, [x, condition], [y], [weight("w", [48, 40], 1)], 13);
    const { model: result, bytes } = await quantized(original, {});
    expect(opTypes(result.graph.nodes)).toEqual([
      "Relu",
      "DequantizeLinear",
      "If",
      "MatMul",
      "Add",
    ]);
    const inner = result.graph.nodes[2]?.attributes[1];
    if (inner?.type !== "graph") throw new Error("the else branch is gone");
    expect(opTypes(inner.value.nodes)).toEqual(["DequantizeLinear", "MatMul"]);
    expect([...inner.value.initializers.keys()]).toEqual(["v_quantized", "v_scale"]);
    const inputs = feeds(original);
    const exact = await wasmOutputs(await modelBytes(original), inputs);
    expect(sqnr(exact, await wasmOutputs(bytes, inputs))).toBeGreaterThan(36);
  });

  test("a weight that is read transposed is stored transposed", async () => {
    const nodes = [
      makeNode("Identity", ["w"], ["i"]),
      makeNode("Transpose", ["i"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
      makeNode("MatMul", ["x", "t"], ["y"]),
    ];
    const original = model(nodes, [x], [y], [weight("w", [40, 48], 0)], 13);
    const { model: result, bytes } = await quantized(original, {});
    expect(opTypes(result.graph.nodes)).toEqual(["DequantizeLinear", "MatMul"]);
    expect(result.graph.initializers.get("w_quantized")?.dims).toEqual([48, 40]);
    const inputs = feeds(original);
    const exact = await wasmOutputs(await modelBytes(original), inputs);
    expect(sqnr(exact, await wasmOutputs(bytes, inputs))).toBeGreaterThan(36);
  });

  test("gates that are cut out of a matrix on the way to an LSTM are found", async () => {
    const slice = (from: number, to: number, name: string): Node =>
      makeNode("Slice", ["w", `at${from}`, `at${to}`], [name]);
    const at = (value: number): Tensor =>
      makeTensor(`at${value}`, int64, [1], new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));
    const nodes = [
      slice(0, 32, "p"),
      slice(32, 64, "q"),
      makeNode("Concat", ["q", "p"], ["j"], { attributes: [makeInt("axis", 0)] }),
      makeNode("Unsqueeze", ["j", "at0"], ["u"]),
      makeNode("LSTM", ["s", "u", "r"], ["y"], { attributes: [makeInt("hidden_size", 16)] }),
    ];
    const weights = [weight("w", [64, 48], 0), weight("r", [1, 64, 16], 1), at(0), at(32), at(64)];
    const original = model(nodes, [valueInfo("s", float32, [4, 1, 48])], [y], weights, 13);
    const { report, bytes } = await quantized(original, {});
    expect(report.changed.map(({ name, node: by }) => [name, by])).toEqual([
      ["w", 'LSTM "y"'],
      ["r", 'LSTM "y"'],
    ]);
    const inputs = feeds(original);
    const exact = await wasmOutputs(await modelBytes(original), inputs);
    expect(sqnr(exact, await wasmOutputs(bytes, inputs))).toBeGreaterThan(36);
  });

  test("an initializer that is also an input, or an output, keeps its name and value", async () => {
    const initializer = weight("w", [48, 40], 1);
    const original = model(
      [makeNode("MatMul", ["x", "w"], ["y"])],
      [x, valueInfo("w", float32, [48, 40])],
      [y, valueInfo("w", float32)],
      [initializer],
      13,
    );
    const { model: result, bytes } = await quantized(original, {});
    expect(result.graph.inputs.map((info) => info.name)).toEqual(["x"]);
    const inputs = { x: feeds(result)["x"]! };
    const [, stored] = await wasmOutputs(bytes, inputs);
    expect(
      sqnr([new Float32Array((await readBytes(initializer)).buffer)], [stored!]),
    ).toBeGreaterThan(36);
  });
});

const readBytes = async ({ data }: Tensor): Promise<Uint8Array> => {
  const bytes = new Uint8Array(data.byteLength);
  await data.read(0, bytes);
  return bytes;
};

describe("what stays float is listed with the reason", () => {
  const x = valueInfo("x", float32, [3, 48]);
  const y = valueInfo("y", float32);
  const product = makeNode("MatMul", ["x", "w"], ["y"], { name: "product" });
  const broken = (value: number): Tensor => {
    const values = uniform(48 * 40, 1, 3);
    values[1000] = value;
    return makeTensor("w", float32, [48, 40], new Uint8Array(values.buffer));
  };

  test.each([NaN, Infinity, -Infinity])("a weight that holds %d", async (value) => {
    const original = model([product], [x], [y], [broken(value)], 13);
    for (const options of [
      {},
      ASYMMETRIC,
      { bits: 4 },
      { bits: 4, quant_format: "QDQ" as const },
    ]) {
      const { report, model: result } = await quantized(
        { ...original, opsetImports: [{ domain: "", version: 21 }] },
        options,
      );
      expect(report.kept).toEqual([
        { name: "w", reason: "holds NaN or Inf, or a range that overflows" },
      ]);
      expect(opNames(result)).toEqual(["MatMul"]);
    }
  });

  test("a weight too small to gain", async () => {
    const small = weight("w", [6, 4]);
    const { report } = await quantized(
      model([product], [valueInfo("x", float32, [3, 6])], [y], [small], 13),
      {},
    );
    expect(report.kept).toEqual([{ name: "w", reason: "would not shrink" }]);
  });

  test("a weight of a node that is excluded, or of another op type", async () => {
    const original = model([product], [x], [y], [weight("w", [48, 40], 1)], 13);
    const kept = [{ name: "w", reason: 'MatMul "product" is not to be quantized' }];
    expect((await quantized(original, { nodes_to_exclude: ["product"] })).report.kept).toEqual(
      kept,
    );
    await expect(quantized(original, { op_types_to_quantize: ["Conv"] })).rejects.toThrow(
      'no op type "Conv"',
    );
    await expect(quantized(original, { nodes_to_exclude: ["produkt"] })).rejects.toThrow(
      'nearest: "product"',
    );
  });

  test("a weight that one excluded node shares", async () => {
    const other = makeNode("MatMul", ["x", "w"], ["z"], { name: "other" });
    const original = model(
      [product, other],
      [x],
      [y, valueInfo("z", float32)],
      [weight("w", [48, 40], 1)],
      13,
    );
    for (const options of [{ bits: 8 }, { bits: 4 }]) {
      const { report } = await quantized(original, { ...options, nodes_to_quantize: ["product"] });
      expect(report.kept).toEqual([{ name: "w", reason: 'MatMul "other" is not to be quantized' }]);
    }
  });

  test("a constant that no op contracts", async () => {
    const original = model(
      [makeNode("Add", ["x", "w"], ["y"], { name: "add" })],
      [valueInfo("x", float32, [48, 40])],
      [y],
      [weight("w", [48, 40])],
      13,
    );
    expect((await quantized(original, {})).report.kept).toEqual([
      { name: "w", reason: 'Add "add" does not read it as a weight' },
    ]);
  });
});

const opNames = (result: Model): string[] => result.graph.nodes.map((each) => each.opType);

test("float16 weights keep float16 scales, from opset 19 on", async () => {
  const values = Float16Array.from(uniform(48 * 40, 1, 3));
  const tensor = makeTensor("w", float16, [48, 40], new Uint8Array(values.buffer));
  const nodes = [
    makeNode("Cast", ["w"], ["f"], { attributes: [makeInt("to", float32)] }),
    makeNode("MatMul", ["x", "f"], ["y"]),
  ];
  const half = makeNode("MatMul", ["h", "w"], ["m"]);
  const infos = [valueInfo("x", float32, [3, 48])];
  const cast = [
    makeNode("Cast", ["x"], ["h"], { attributes: [makeInt("to", float16)] }),
    half,
    makeNode("Cast", ["m"], ["y"], { attributes: [makeInt("to", float32)] }),
  ];
  const original = model(cast, infos, [valueInfo("y", float32)], [tensor], 19);
  const { model: result, bytes } = await quantized(original, {});
  expect(result.graph.initializers.get("w_scale")?.dataType).toBe(float16);
  const inputs = feeds(original);
  expect(
    sqnr(await wasmOutputs(await modelBytes(original), inputs), await wasmOutputs(bytes, inputs)),
  ).toBeGreaterThan(36);
  const { report } = await quantized(
    model(cast, infos, [valueInfo("y", float32)], [tensor], 13),
    {},
  );
  expect(report.kept).toEqual([
    { name: "w", reason: "float16 weights need opset 19, the model has 13" },
  ]);
  expect(
    (await quantized(model(nodes, infos, [valueInfo("y", float32)], [tensor], 19), {})).report
      .changed,
  ).toEqual([]);
});

test("opsets below 13 are refused", async () => {
  const original = model(
    [makeNode("Relu", ["x"], ["y"])],
    [valueInfo("x", float32, [1])],
    [valueInfo("y", float32)],
    [],
    12,
  );
  await expect(quantized(original, {})).rejects.toThrow(
    "weight_only needs opset 13, the model imports 12",
  );
});
