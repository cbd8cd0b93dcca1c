/** @file BatchNormalization goes into the weights before it, where they are its alone. */
import { describe, expect, it } from "vitest";
import { makeFloat, makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { elementCount } from "../../../src/onnx/data-type.ts";
import type { Attribute, Node, Tensor } from "../../../src/onnx/model.ts";
import { RangeData } from "../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { difference, info, model, simplified, values } from "./models.ts";

const floats = (name: string, dims: number[], seed = 1): Tensor =>
  makeTensor(name, 1, dims, values(dims, seed).bytes);
const variance = (channels: number) =>
  makeFloat32(
    "variance",
    Array.from({ length: channels }, (_, i) => 0.2 + i / 3),
  );
const parameters = (channels: number): Tensor[] => [
  floats("scale", [channels], 2),
  floats("shift", [channels], 3),
  floats("mean", [channels], 5),
  variance(channels),
];
const normalization = (from: string, to: string, attributes: Attribute[] = []): Node =>
  makeNode("BatchNormalization", [from, "scale", "shift", "mean", "variance"], [to], {
    attributes,
  });

/** Relative to the outputs' largest value. */
const CLOSE = 2e-6;

interface Case {
  product: Node;
  weights: Tensor[];
  x: number[];
  channels: number;
}

const node = (opType: string, inputs: string[], attributes: Attribute[] = []): Node =>
  makeNode(opType, inputs, ["a"], { name: "product", attributes });

const CASES: Record<string, Case> = {
  Conv: {
    product: node("Conv", ["x", "w"]),
    weights: [floats("w", [4, 3, 3, 3])],
    x: [2, 3, 5, 5],
    channels: 4,
  },
  "Conv with a bias, in groups": {
    product: node("Conv", ["x", "w", "b"], [makeInt("group", 2)]),
    weights: [floats("w", [4, 2, 3]), floats("b", [4])],
    x: [1, 4, 8],
    channels: 4,
  },
  ConvTranspose: {
    product: node("ConvTranspose", ["x", "w"]),
    weights: [floats("w", [3, 5, 2, 2])],
    x: [1, 3, 4, 4],
    channels: 5,
  },
  "ConvTranspose in groups": {
    product: node("ConvTranspose", ["x", "w", "b"], [makeInt("group", 2)]),
    weights: [floats("w", [4, 3, 2, 2]), floats("b", [6])],
    x: [1, 4, 3, 3],
    channels: 6,
  },
  Gemm: {
    product: node("Gemm", ["x", "w"]),
    weights: [floats("w", [3, 4])],
    x: [2, 3],
    channels: 4,
  },
  "Gemm with transB, alpha, beta and a bias": {
    product: node(
      "Gemm",
      ["x", "w", "b"],
      [makeInt("transB", 1), makeFloat("alpha", 0.5), makeFloat("beta", 3)],
    ),
    weights: [floats("w", [4, 3]), floats("b", [1, 4])],
    x: [2, 3],
    channels: 4,
  },
  "Gemm with one number for a bias": {
    product: node("Gemm", ["x", "w", "b"]),
    weights: [floats("w", [3, 4]), floats("b", [])],
    x: [2, 3],
    channels: 4,
  },
};

describe("a batch normalization goes into the weights of", () => {
  it.each(Object.entries(CASES))("%s", async (_, { product, weights, x, channels }) => {
    for (const opset of [13, 17]) {
      const original = model([product, normalization("a", "y", [makeFloat("epsilon", 1e-3)])], {
        inputs: [info("x", x)],
        initializers: [...weights, ...parameters(channels)],
        opset,
      });
      const { ops, model: result, report } = await simplified(original);
      expect(ops).toEqual([product.opType]);
      expect(result.graph.initializers.size).toBe(2);
      expect(report.changed).toMatchObject([{ name: "w", method: "batch normalization fused" }]);
      expect(await difference(original, result, { x: values(x) })).toBeLessThan(CLOSE);
      expect((await modelBytes(result)).length).toBeLessThan((await modelBytes(original)).length);
    }
  });
});

const conv = CASES["Conv"] as Case;
const initializers = [...conv.weights, ...parameters(4)];
const inputs = [info("x", conv.x)];

describe("a batch normalization stays", () => {
  it("where it trains", async () => {
    const trains = makeNode(
      "BatchNormalization",
      ["a", "scale", "shift", "mean", "variance"],
      ["y", "running_mean", "running_variance"],
      { attributes: [makeInt("training_mode", 1)] },
    );
    const { ops } = await simplified(model([conv.product, trains], { inputs, initializers }));
    expect(ops).toEqual(["Conv", "BatchNormalization"]);
    const old = { ...trains, attributes: [], outputs: ["y", "m", "v"] };
    expect(
      (await simplified(model([conv.product, old], { inputs, initializers, opset: 9 }))).ops,
    ).toHaveLength(2);
  });

  it.each<[string, Node[], string[]]>([
    ["the product is read by another node", [makeNode("Relu", ["a"], ["z"])], ["y", "z"]],
    ["the product is an output", [], ["y", "a"]],
    ["the weights are shared", [makeNode("ReduceMax", ["w"], ["z"])], ["y", "z"]],
    ["the weights are an output", [], ["y", "w"]],
  ])("where %s", async (_, others, outputs) => {
    const original = model([conv.product, normalization("a", "y"), ...others], {
      inputs,
      initializers,
      outputs: outputs.map((name) => info(name)),
    });
    const { ops, model: result } = await simplified(original, { skip_passes: ["fold_constants"] });
    expect(ops).toContain("BatchNormalization");
    expect(await difference(original, result, { x: values(conv.x) })).toBe(0);
  });

  it("where callers may override its parameters or the weights", async () => {
    for (const name of ["mean", "w"]) {
      const dims = name === "w" ? [4, 3, 3, 3] : [4];
      const original = model([conv.product, normalization("a", "y")], {
        inputs: [...inputs, info(name, dims)],
        initializers,
      });
      expect((await simplified(original)).ops).toEqual(["Conv", "BatchNormalization"]);
    }
  });

  it("where it would make weights infinite", async () => {
    const zero = makeFloat32("variance", [0, 1, 1, 1]);
    const original = model([conv.product, normalization("a", "y", [makeFloat("epsilon", 0)])], {
      inputs,
      initializers: [...initializers.slice(0, -1), zero],
    });
    expect((await simplified(original)).ops).toEqual(["Conv", "BatchNormalization"]);
  });

  it("where the caller asks for it", async () => {
    const original = model([conv.product, normalization("a", "y")], { inputs, initializers });
    const options = { fuse_batch_normalization: false };
    expect((await simplified(original, options)).ops).toEqual(["Conv", "BatchNormalization"]);
  });
});

it("a bias that others share keeps its values for them", async () => {
  const product = node("Conv", ["x", "w", "b"]);
  const original = model(
    [
      product,
      normalization("a", "y"),
      makeNode("Neg", ["b"], ["n"]),
      makeNode("Mul", ["n", "s"], ["z"]),
    ],
    {
      inputs: [...inputs, info("s", [4])],
      initializers: [...initializers, floats("b", [4], 9)],
      outputs: [info("y"), info("z")],
    },
  );
  const { ops, model: result } = await simplified(original);
  expect(ops).not.toContain("BatchNormalization");
  const feeds = { x: values(conv.x), s: values([4]) };
  expect(await difference(original, result, feeds)).toBeLessThan(CLOSE);
});

it("two normalizations in a row both go", async () => {
  const original = model([conv.product, normalization("a", "b"), normalization("b", "y")], {
    inputs,
    initializers,
  });
  const { ops, model: result } = await simplified(original);
  expect(ops).toEqual(["Conv"]);
  expect(await difference(original, result, { x: values(conv.x) })).toBeLessThan(CLOSE);
});

it("weights are read when they are written, a piece at a time", async () => {
  const dims = [4, 1_000_000, 1];
  const bytes = elementCount(dims) * 4;
  let read = 0;
  const source = {
    size: bytes,
    read: async (_: number, into: Uint8Array) => {
      read += into.length;
      new Float32Array(into.buffer, into.byteOffset, into.length / 4).fill(1);
    },
  };
  const weight = makeTensor("w", 1, dims, new RangeData(source, 0, bytes));
  const original = model([conv.product, normalization("a", "y")], {
    inputs: [info("x", [1, 1_000_000, 1])],
    initializers: [weight, ...parameters(4)],
  });
  const { ops, model: result } = await simplified(original);
  expect(ops).toEqual(["Conv"]);
  expect(read).toBe(0);
  const scaled = result.graph.initializers.get("w");
  const factors = new Set<number>();
  let longest = 0;
  let written = 0;
  await scaled?.data.stream({
    write: (piece) => {
      written += piece.length;
      longest = Math.max(longest, piece.length);
      factors.add(new Float32Array(piece.slice(0, 4).buffer)[0] ?? 0);
    },
  });
  expect(written).toBe(bytes);
  expect(longest).toBeLessThanOrEqual(1 << 20);
  expect(factors.size).toBe(4);
});

it("float16 weights are rounded once", async () => {
  const half = (name: string, list: number[], dims = [list.length]): Tensor =>
    makeTensor(name, 10, dims, new Uint8Array(Float16Array.from(list).buffer));
  const w = [0.1, 0.2, 0.3, 0.4];
  const original = model([node("Conv", ["x", "w"]), normalization("a", "y")], {
    inputs: [info("x", [1, 2, 3], 10)],
    outputs: [info("y", undefined, 10)],
    initializers: [
      half("w", w, [2, 2, 1]),
      half("scale", [2, 3]),
      half("shift", [0, 1]),
      half("mean", [0.5, 0]),
      half("variance", [1, 4]),
    ],
  });
  const { ops, model: result } = await simplified(original);
  expect(ops).toEqual(["Conv"]);
  const bytes = new Uint8Array(8);
  await result.graph.initializers.get("w")?.data.read(0, bytes);
  const expected = Float16Array.from(
    Float16Array.from(w),
    (value, i) =>
      value * (i < 2 ? 2 / Math.sqrt(1 + Math.fround(1e-5)) : 3 / Math.sqrt(4 + Math.fround(1e-5))),
  );
  expect([...new Float16Array(bytes.buffer)]).toEqual([...expected]);
});
