import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { makeTensorAttribute } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model, SparseTensor, ValueInfo } from "../../../src/onnx/model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { modelBytes, planModel } from "../../../src/onnx/write-model.ts";
import { pruneModel } from "../../../src/prune/prune.ts";
import { consumer, floats, makeArena, model, noise, weight } from "./models.ts";

const arena = await makeArena();

async function parts(
  sparse: SparseTensor | undefined,
): Promise<{ indices: number[]; values: number[] }> {
  if (!sparse) throw new RangeError("no sparse tensor");
  const indices = new BigInt64Array((await readAll(sparse.indices.data)).slice().buffer);
  return { indices: [...indices].map(Number), values: [...(await floats(sparse.values))] };
}

const info = (
  name: string,
  shape: number[],
  elementType: DataType = DataType.float32,
): ValueInfo => ({
  name,
  type: { kind: "tensor", elementType, shape },
});

/** A model with the input `x`, the output of its last node, and the weights pruned to 90 % zeros. */
async function prunedPair(
  build: () => Model,
  input: [string, number[]],
): Promise<{ dense: Float32Array; sparse: Float32Array; result: Model }> {
  const outputs: Float32Array[] = [];
  let result = build();
  for (const storage of ["dense", "sparse"] as const) {
    result = build();
    const last = result.graph.nodes.at(-1)?.outputs.at(-1) ?? "";
    result.graph.inputs.push(info(...input));
    const type = { kind: "tensor", elementType: DataType.float32, shape: undefined } as const;
    result.graph.outputs.push({ name: last, type });
    await pruneModel(result, { amount: 0.9, storage }, arena);
    const session = await InferenceSession.create(await modelBytes(result));
    const x = noise(
      input[1].reduce((a, b) => a * b, 1),
      99,
    );
    const run = await session.run({ x: new OrtTensor("float32", x, input[1]) });
    outputs.push(run[last]?.data as Float32Array);
  }
  const [dense = new Float32Array(), sparse = new Float32Array()] = outputs;
  return { dense, sparse, result };
}

describe("storage sparse", () => {
  test("keeps values and linear indices of what is not zero", async () => {
    const subject = model(
      [consumer("Gemm", "w")],
      [weight("w", [1, 2, 3, 4, -5, 6, 7, 8], [2, 4])],
    );
    const report = await pruneModel(subject, { amount: 0.75, storage: "sparse" }, arena);
    expect(subject.graph.initializers.size).toBe(0);
    const [sparse] = subject.graph.sparseInitializers;
    expect(sparse?.values.name).toBe("w");
    expect(sparse?.dims).toEqual([2, 4]);
    expect(await parts(sparse)).toEqual({ indices: [6, 7], values: [7, 8] });
    expect(report.changed[0]).toMatchObject({
      method: "l1_unstructured 75 %, sparse",
      bytesBefore: 32,
      bytesAfter: 24,
    });
    expect(report.changed[0]?.sqnrDb).toBeCloseTo(10 * Math.log10(204 / 91), 10);
  });

  test("is taken from 66.7 % zeros of float32 on", async () => {
    for (const [count, form] of [
      [800, "dense"],
      [801, "sparse"],
    ] as const) {
      const subject = model([consumer("Gemm", "w")], [weight("w", noise(1200), [30, 40])]);
      const report = await pruneModel(subject, { amount: { count }, storage: "sparse" }, arena);
      expect(subject.graph.sparseInitializers).toHaveLength(form === "sparse" ? 1 : 0);
      expect(report.notes).toEqual(
        form === "sparse"
          ? []
          : ['"w" stays dense: with 66.7 % zeros the sparse form is 4800 bytes, the dense 4800'],
      );
      expect(report.changed[0]?.bytesAfter).toBe(form === "sparse" ? 399 * 12 : 4800);
    }
  });

  test("zeros that were there before count", async () => {
    const values = noise(1000).map((x, i) => (i % 10 === 0 ? x : i % 20 === 1 ? -0 : 0));
    const subject = model([consumer("Gemm", "w")], [weight("w", values, [20, 50])]);
    await pruneModel(
      subject,
      { method: "random_unstructured", amount: 0.5, storage: "sparse" },
      arena,
    );
    const { indices, values: kept } = await parts(subject.graph.sparseInitializers[0]);
    expect(indices.length).toBeLessThan(100);
    expect(indices.length).toBeGreaterThan(20);
    expect(kept).toEqual(indices.map((i) => values[i]));
  });

  test("a weight of many chunks, float16", async () => {
    const values = Float16Array.from(noise(600_000));
    const tensor = makeTensor("w", DataType.float16, [600, 1000], new Uint8Array(values.buffer));
    const subject = model([consumer("Gemm", "w")], [tensor]);
    await pruneModel(subject, { amount: 0.95, storage: "sparse" }, arena);
    const [sparse] = subject.graph.sparseInitializers;
    const indices = new BigInt64Array((await readAll(sparse!.indices.data)).slice().buffer);
    const kept = new Float16Array((await readAll(sparse!.values.data)).slice().buffer);
    expect(indices).toHaveLength(30_000);
    expect(indices.every((at, i) => kept[i] === values[Number(at)])).toBe(true);
    const least = kept.reduce((a, b) => Math.min(a, Math.abs(b)), Infinity);
    expect(values.filter((x) => Math.abs(x) > least).length).toBeLessThanOrEqual(30_000);
  });

  test("stays dense where the IR version has no sparse initializers", async () => {
    const old = model(
      [consumer("Gemm", "v"), consumer("Gemm", "w")],
      [weight("v", noise(100), [10, 10]), weight("w", noise(100), [10, 10])],
    );
    old.irVersion = 4;
    expect((await pruneModel(old, { amount: 0.9, storage: "sparse" }, arena)).notes).toEqual([
      '"v" and 1 more stay dense: IR version 4 has no sparse initializers',
    ]);
    expect(old.graph.initializers.size).toBe(2);
  });
});

describe("ONNX Runtime loads the result and answers as with dense zeros", () => {
  test.each([
    ["MatMul", [8, 6], [4, 8]],
    ["Gemm", [6, 8], [4, 8]],
    ["Conv", [4, 8, 3, 3], [1, 8, 5, 5]],
    ["ConvTranspose", [8, 4, 2, 2], [1, 8, 5, 5]],
  ] as const)("%s", async (opType, dims, input) => {
    const count = dims.reduce<number>((a, b) => a * b, 1);
    const { dense, sparse, result } = await prunedPair(
      () => model([consumer(opType, "w")], [weight("w", noise(count), [...dims])]),
      ["x", [...input]],
    );
    expect(result.graph.sparseInitializers).toHaveLength(1);
    expect(sparse).toEqual(dense);
    expect(sparse.some((y) => y !== 0)).toBe(true);
  });

  test.each([
    [17, "stays in its node"],
    [10, "becomes an initializer below opset 11"],
  ])("a Constant of opset %d %s", async (version) => {
    const { dense, sparse, result } = await prunedPair(() => {
      const constant = makeNode("Constant", [], ["w"], {
        attributes: [makeTensorAttribute("value", weight("", noise(400), [20, 20]))],
      });
      const built = model([constant, consumer("MatMul", "w")], []);
      built.opsetImports = [{ domain: "", version }];
      return built;
    }, ["x", [3, 20]]);
    const kinds = result.graph.nodes.flatMap((node) => node.attributes.map(({ type }) => type));
    expect(kinds).toEqual(version === 17 ? ["sparse_tensor"] : []);
    expect(result.graph.sparseInitializers).toHaveLength(version === 17 ? 0 : 1);
    expect(sparse).toEqual(dense);
  });

  test("LSTM, and a weight without any value left", async () => {
    const { dense, sparse, result } = await prunedPair(
      () =>
        model(
          [
            makeNode("LSTM", ["x", "w", "r"], ["", "y"], {
              name: "lstm",
              attributes: [{ name: "hidden_size", type: "int", value: 5n }],
            }),
          ],
          [weight("w", noise(60), [1, 20, 3]), weight("r", new Float32Array(100), [1, 20, 5])],
        ),
      ["x", [2, 1, 3]],
    );
    expect(result.graph.sparseInitializers.map(({ indices }) => indices.dims)).toEqual([[6], [0]]);
    expect(sparse).toEqual(dense);
  });
});

test("the file's length is known before any weight is read, and reads back", async () => {
  const subject = model([consumer("MatMul", "w")], [weight("w", noise(2000), [40, 50])]);
  subject.graph.inputs.push(info("x", [1, 40]));
  subject.graph.outputs.push(info("w_node_out", [1, 50]));
  await pruneModel(subject, { amount: 0.8, storage: "sparse" }, arena);
  const bytes = await modelBytes(subject);
  expect(bytes.length).toBe(planModel(subject).byteLength);
  const again = await readModel(new MemorySource(bytes));
  expect(await parts(again.graph.sparseInitializers[0])).toEqual(
    await parts(subject.graph.sparseInitializers[0]),
  );
});
