import { describe, expect, test } from "vitest";
import { intAttribute, makeFloat, makeInt, makeInts } from "../../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../../src/graph/build.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Attribute, Model, Node, Tensor } from "../../../../src/onnx/model.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import type { WeightOnlyOptions } from "../../../../src/quantize/weight-only.ts";
import { model, uniform, valueInfo } from "../../runtime/models.ts";
import { feeds, nativeOutputs, quantized, sqnr, wasmOutputs } from "./running.ts";
import { floatTwin } from "./twin.ts";

const { float32, int64 } = DataType;
const BITS = [2, 4, 8] as const;
const FOUR: WeightOnlyOptions = { bits: 4, block_size: 16 };

function weight(name: string, dims: number[]): Tensor {
  const values = uniform(
    dims.reduce((a, b) => a * b, 1),
    0.5,
    name.length + dims.length * 31,
  );
  return makeTensor(name, float32, dims, new Uint8Array(values.buffer));
}

const x = valueInfo("x", float32, [3, 48]);
const y = valueInfo("y", float32);
const ids = valueInfo("ids", int64, [2, 3]);

const opTypes = ({ graph }: Model): string[] => graph.nodes.map((node) => node.opType);
const node = (opType: string, inputs: string[], attributes: Attribute[] = []): Node =>
  makeNode(opType, inputs, ["y"], { name: opType, attributes });

/** Quantizes, and holds the result against its float twin and, loosely, the original. */
async function close(
  original: Model,
  options: WeightOnlyOptions,
): Promise<Awaited<ReturnType<typeof quantized>>> {
  const result = await quantized(original, options);
  const inputs = feeds(original);
  const actual = await wasmOutputs(result.bytes, inputs);
  expect(
    sqnr(await wasmOutputs(await modelBytes(await floatTwin(result.model)), inputs), actual),
  ).toBeGreaterThan(100);
  const exact = await wasmOutputs(await modelBytes(original), inputs);
  expect(sqnr(exact, actual)).toBeGreaterThan(
    { 2: 3, 4: 18, 8: 40 }[options.bits ?? 4] ?? Infinity,
  );
  expect(sqnr(actual, await nativeOutputs(result.bytes, inputs))).toBeGreaterThan(35);
  expect(result.report.changed[0]?.sqnrDb).toBeGreaterThan(
    { 2: 3, 4: 18, 8: 40 }[options.bits ?? 4] ?? Infinity,
  );
  return result;
}

describe("Gemm", () => {
  const gemm = (attributes: Attribute[] = [], bias?: Tensor): Model => {
    const transB = attributes.some(({ name }) => name === "transB");
    const weights = [weight("w", transB ? [40, 48] : [48, 40]), ...(bias ? [bias] : [])];
    return model(
      [node("Gemm", ["x", "w", ...(bias ? ["c"] : [])], attributes)],
      [x],
      [y],
      weights,
      13,
    );
  };

  test.each(BITS)("a bias vector goes into MatMulNBits: %d bits", async (bits) => {
    for (const symmetric of [false, true]) {
      const options = { bits, block_size: 16, is_symmetric: symmetric };
      for (const transB of [[], [makeInt("transB", 1)]]) {
        const { model: result } = await close(gemm(transB, weight("c", [40])), options);
        expect(opTypes(result)).toEqual(["MatMulNBits"]);
        expect(result.graph.nodes[0]?.inputs[5]).toBe("c");
        expect(result.opsetImports).toContainEqual({ domain: "com.microsoft", version: 1 });
      }
    }
  });

  test("a bias of another shape is added", async () => {
    expect(opTypes((await close(gemm([], weight("c", [3, 40])), FOUR)).model)).toEqual([
      "MatMulNBits",
      "Add",
    ]);
    expect(opTypes((await close(gemm([], weight("c", [1])), FOUR)).model)).toEqual([
      "MatMulNBits",
      "Add",
    ]);
  });

  test("MatMulBnb4 has no bias", async () => {
    const original = gemm([makeInt("transB", 1)], weight("c", [40]));
    const { model: result } = await close(original, { algorithm: "bnb4", block_size: 16 });
    expect(opTypes(result)).toEqual(["MatMulBnb4", "Add"]);
  });

  test.each([
    [makeFloat("alpha", 0.5), "Gemm scales its product"],
    [makeFloat("beta", 2), "Gemm scales its bias"],
  ])("%j stays Gemm, at 8 bits per channel", async (attribute, reason) => {
    const { model: result, report } = await quantized(gemm([attribute], weight("c", [40])), FOUR);
    expect(opTypes(result)).toEqual(["DequantizeLinear", "Gemm"]);
    expect(report.notes).toEqual([`1 weight is not in blocks: ${reason}`]);
    expect(report.changed[0]?.method).toBe("int8 per channel (axis 1)");
  });

  test("QDQ keeps the layout, blocks lie along the contracted axis", async () => {
    for (const bits of [4, 8] as const) {
      const original = {
        ...gemm([makeInt("transB", 1)], weight("c", [40])),
        opsetImports: [{ domain: "", version: 21 }],
      };
      const { model: result } = await close(original, {
        bits,
        block_size: 16,
        quant_format: "QDQ",
      });
      expect(opTypes(result)).toEqual(["DequantizeLinear", "Gemm"]);
      expect(result.graph.initializers.get("w_DQ_scales")?.dims).toEqual([40, 3]);
    }
  });
});

describe("MatMul", () => {
  test("reads through a Transpose", async () => {
    const nodes = [
      makeNode("Transpose", ["w"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
      node("MatMul", ["x", "t"]),
    ];
    const { model: result } = await close(
      model(nodes, [x], [y], [weight("w", [40, 48])], 13),
      FOUR,
    );
    expect(opTypes(result)).toEqual(["MatMulNBits"]);
    expect([...result.graph.initializers.keys()]).toEqual(["w_Q4", "w_scales", "w_zero_points"]);
  });

  test("leading ones of the operand go where the activations have as many dimensions", async () => {
    const batch = valueInfo("x", float32, [2, 3, 48]);
    const weights = [weight("w", [1, 48, 40])];
    const original = model([node("MatMul", ["x", "w"])], [batch], [y], weights, 13);
    expect(opTypes((await close(original, FOUR)).model)).toEqual(["MatMulNBits"]);
    const flat = model([node("MatMul", ["x", "w"])], [x], [y], weights, 13);
    expect(opTypes((await quantized(flat, FOUR)).model)).toEqual(["DequantizeLinear", "MatMul"]);
  });

  test.each([
    [4, 21],
    [8, 21],
    [2, 25],
  ])("QDQ: %d bits at opset %d", async (bits, opset) => {
    for (const symmetric of [false, true]) {
      const original = model(
        [node("MatMul", ["x", "w"])],
        [x],
        [y],
        [weight("w", [48, 40])],
        opset,
      );
      const options = {
        bits,
        block_size: 16,
        is_symmetric: symmetric,
        quant_format: "QDQ" as const,
      };
      const { model: result } = await close(original, options);
      expect(opTypes(result)).toEqual(["DequantizeLinear", "MatMul"]);
      expect(result.graph.initializers.get("w_DQ_scales")?.dims).toEqual([3, 40]);
    }
  });

  test("nodes that share an operand share its codes", async () => {
    const nodes = [makeNode("MatMul", ["x", "w"], ["y"]), makeNode("MatMul", ["x", "w"], ["z"])];
    const original = model(nodes, [x], [y, valueInfo("z", float32)], [weight("w", [48, 40])], 13);
    const { model: result, report } = await close(original, FOUR);
    expect(opTypes(result)).toEqual(["MatMulNBits", "MatMulNBits"]);
    expect(result.graph.initializers.size).toBe(3);
    expect(report.changed).toHaveLength(1);
  });

  test.each([
    ["the constant is the left operand of MatMul", ["w", "x"], [20, 3], [3, 48]],
    ["the operand is a batch of matrices", ["x", "w"], [2, 48, 40], [3, 48]],
    ["the activations are a vector", ["x", "w"], [48, 40], [48]],
  ])("%s: 8 bits per channel", async (reason, inputs, dims, shape) => {
    const padded = dims[0] === 20 ? [60, 3] : dims;
    const original = model(
      [node("MatMul", inputs)],
      [valueInfo("x", float32, shape)],
      [y],
      [weight("w", padded)],
      13,
    );
    const { report } = await quantized(original, FOUR);
    expect(report.notes.concat(report.kept.map((kept) => kept.reason))).toContain(
      `1 weight is not in blocks: ${reason}`,
    );
  });

  test("accuracy_level is written only when it is set", async () => {
    const original = model([node("MatMul", ["x", "w"])], [x], [y], [weight("w", [48, 40])], 13);
    const levels = await Promise.all(
      [undefined, 0, 1, 4].map(async (level) => {
        const { model: result } = await quantized(original, {
          ...FOUR,
          ...(level !== undefined && { accuracy_level: level }),
        });
        return result.graph.nodes[0]?.attributes.find(({ name }) => name === "accuracy_level");
      }),
    );
    expect(levels.map((attribute) => attribute?.type === "int" && Number(attribute.value))).toEqual(
      [false, false, 1, 4],
    );
  });

  test("Conv beside it is at 8 bits per channel", async () => {
    const nodes = [makeNode("Conv", ["image", "k"], ["c"]), makeNode("MatMul", ["c", "w"], ["y"])];
    const image = valueInfo("image", float32, [1, 8, 6, 50]);
    const original = model(
      nodes,
      [image],
      [y],
      [weight("k", [8, 8, 3, 3]), weight("w", [48, 40])],
      13,
    );
    const { model: result, report } = await close(original, FOUR);
    expect(opTypes(result)).toEqual(["DequantizeLinear", "Conv", "MatMulNBits"]);
    expect(report.notes).toEqual(["1 weight is not in blocks: Conv has no form with blocks"]);
    const { report: alone } = await quantized(original, {
      ...FOUR,
      op_types_to_quantize: ["MatMul"],
    });
    expect(alone.changed.map(({ name }) => name)).toEqual(["w"]);
    expect(alone.kept).toEqual([{ name: "k", reason: 'Conv "c" is not to be quantized' }]);
  });
});

describe("Gather", () => {
  const gather = (axis: number, dims: number[]): Model =>
    model(
      [node("Gather", ["w", "ids"], [makeInt("axis", axis)])],
      [ids],
      [y],
      [weight("w", dims)],
      13,
    );

  test.each(BITS)("becomes GatherBlockQuantized: %d bits", async (bits) => {
    for (const symmetric of [false, true]) {
      const { model: result } = await close(gather(0, [70, 64]), {
        bits,
        block_size: 16,
        is_symmetric: symmetric,
      });
      expect(opTypes(result)).toEqual(["GatherBlockQuantized"]);
      expect(result.irVersion).toBeGreaterThanOrEqual(10);
    }
  });

  test("4 bits take any axis but the last, and ragged rows", async () => {
    const { model: result } = await close(gather(1, [3, 70, 25]), FOUR);
    const [only] = result.graph.nodes;
    expect(
      ["gather_axis", "quantize_axis", "block_size"].map((name) => intAttribute(only!, name, -9)),
    ).toEqual([1, 2, 16]);
    expect(opTypes((await quantized(gather(1, [70, 64]), FOUR)).model)).not.toContain(
      "GatherBlockQuantized",
    );
  });

  test("2 and 8 bits need whole blocks", async () => {
    const { report, model: result } = await quantized(gather(0, [90, 50]), {
      bits: 8,
      block_size: 16,
    });
    expect(report.notes).toEqual([
      "1 weight is not in blocks: rows of 50 are not whole blocks of 16",
    ]);
    expect(opTypes(result)).toEqual(["Gather", "Cast", "Gather", "Mul"]);
  });

  test.each(BITS)(
    "a table that is the output projection too is stored once: %d bits",
    async (bits) => {
      const nodes = [
        makeNode("Gather", ["w", "ids"], ["e"], { name: "embed" }),
        makeNode("Transpose", ["w"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
        makeNode("MatMul", ["e", "t"], ["y"], { name: "project" }),
      ];
      for (const symmetric of [false, true]) {
        const original = model(nodes, [ids], [y], [weight("w", [70, 64])], 13);
        const { model: result, report } = await close(original, {
          bits,
          block_size: 32,
          is_symmetric: symmetric,
        });
        expect(opTypes(result)).toEqual(["Reshape", "GatherBlockQuantized", "MatMulNBits"]);
        expect(report.changed).toHaveLength(1);
        expect(report.changed[0]?.bytesAfter).toBeLessThan((70 * 64 * bits) / 8 + 70 * 2 * 5 + 50);
      }
    },
  );
});

describe("options", () => {
  const original = model([node("MatMul", ["x", "w"])], [x], [y], [weight("w", [48, 40])], 20);

  test.each<[WeightOnlyOptions, string]>([
    [{ bits: 3 }, "bits is 3, not 2, 4 or 8"],
    [{ bits: 4, block_size: 24 }, "block_size is 24, not 16, 32, 64, 128, 256"],
    [{ bits: 4, accuracy_level: 5 }, "accuracy_level is 5, not 0 … 4"],
    [{ algorithm: "hqq", bits: 8 }, "hqq has 2 or 4 bits, not 8"],
    [{ algorithm: "hqq", is_symmetric: true }, "hqq fits its zero points"],
    [{ algorithm: "hqq", quant_format: "QDQ" }, "algorithm hqq has no quant_format QDQ"],
    [{ algorithm: "bnb4", bits: 2 }, "bnb4 has 4 bits, not 2"],
    [
      { bits: 4, quant_format: "QDQ" },
      "4-bit blocks in QDQ format need opset 21, the model imports 20",
    ],
    [
      { bits: 2, quant_format: "QDQ" },
      "2-bit blocks in QDQ format need opset 25, the model imports 20",
    ],
  ])("%j is refused", async (options, message) => {
    await expect(quantized(original, options)).rejects.toThrow(message);
    await expect(quantized(original, options)).rejects.toThrow(RangeError);
  });

  test("block sizes have defaults: 32, and 64 for bnb4", async () => {
    const sizes = await Promise.all(
      [{ bits: 4 }, { algorithm: "hqq" as const }, { algorithm: "bnb4" as const }].map(
        async (options) => {
          const { model: result } = await quantized(original, options);
          return intAttribute(result.graph.nodes[0]!, "block_size", 0);
        },
      ),
    );
    expect(sizes).toEqual([32, 32, 64]);
  });
});
