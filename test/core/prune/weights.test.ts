import { describe, expect, test } from "vitest";
import { makeInt, makeInts, makeTensorAttribute } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import { cloneModel } from "../../../src/graph/clone.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Tensor } from "../../../src/onnx/model.ts";
import { ComputedData, readAll } from "../../../src/onnx/tensor-data.ts";
import type { PruneOptions } from "../../../src/prune/options.ts";
import { pruneModel } from "../../../src/prune/prune.ts";
import { consumer, floats, makeArena, model, noise, pruneOne, weight } from "./models.ts";

const arena = await makeArena();
const four = [1, -4, 3, 2];
const matrix = (name: string): Tensor => weight(name, four, [2, 2]);

describe("weights are found", () => {
  test("in Constant nodes, whose tensor gets new data", async () => {
    const constant = makeNode("Constant", [], ["w"], {
      attributes: [makeTensorAttribute("value", matrix(""))],
    });
    const subject = model([constant, consumer("MatMul", "w")], []);
    const report = await pruneModel(subject, { amount: 0.5 }, arena);
    const [attribute] = constant.attributes;
    expect(attribute?.type === "tensor" && [...(await floats(attribute.value))]).toEqual([
      0, -4, 3, 0,
    ]);
    expect(report.changed[0]).toMatchObject({ name: "w", node: 'MatMul "w_node"', dims: [2, 2] });
  });

  test("in subgraphs, and for nodes of subgraphs in the graph around", async () => {
    const inner = model(
      [consumer("MatMul", "inside", "a"), consumer("MatMul", "outside", "b")],
      [matrix("inside")],
    ).graph;
    const branch = makeNode("If", ["c"], ["y"], {
      attributes: [{ name: "then_branch", type: "graph", value: inner }],
    });
    const subject = model([branch], [matrix("outside")]);
    await pruneModel(subject, { amount: 0.25 }, arena);
    expect([...(await floats(inner.initializers.get("inside")))]).toEqual([0, -4, 3, 2]);
    expect([...(await floats(subject.graph.initializers.get("outside")))]).toEqual([0, -4, 3, 2]);
  });

  test("behind Transpose: dim counts the axes that the node reads", async () => {
    const nodes = [
      makeNode("Transpose", ["w"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
      consumer("MatMul", "t"),
    ];
    const values = [1, 9, 2, 8, 3, 7];
    for (const [dim, expected] of [
      [0, [0, 9, 0, 8, 0, 7]],
      [1, [1, 9, 2, 8, 0, 0]],
      ["input", [0, 9, 0, 8, 0, 7]],
    ] as const) {
      const subject = model(nodes, [weight("w", values, [3, 2])]);
      const count = dim === 1 ? 1 : 0.5;
      await pruneModel(
        subject,
        { method: "ln_structured", dim, amount: count === 1 ? { count } : count },
        arena,
      );
      expect([...(await floats(subject.graph.initializers.get("w")))]).toEqual(expected);
    }
  });

  test("once where they are shared", async () => {
    const subject = model([consumer("Gemm", "w", "a"), consumer("Gemm", "w", "b")], [matrix("w")]);
    const report = await pruneModel(subject, { amount: 0.5 }, arena);
    expect(report.changed).toHaveLength(1);
    expect([...(await floats(subject.graph.initializers.get("w")))]).toEqual([0, -4, 3, 0]);
  });

  test("biases and lookup tables stay unless op_types says Gather", async () => {
    const nodes = [
      makeNode("Gather", ["table", "ids"], ["x"], { name: "g" }),
      makeNode("Gemm", ["x", "w", "bias"], ["y"], { name: "fc" }),
    ];
    const build = (): ReturnType<typeof model> =>
      model(nodes, [matrix("table"), matrix("w"), weight("bias", [1, 2], [2])]);
    expect((await pruneModel(build(), {}, arena)).changed.map(({ name }) => name)).toEqual(["w"]);
    const asked = await pruneModel(build(), { op_types: ["Gather"] }, arena);
    expect(asked.changed.map(({ name }) => name)).toEqual(["table"]);
  });
});

describe("output and input features", () => {
  test.each([
    ["Conv", [2, 3, 1, 1], 0, 1],
    ["ConvTranspose", [2, 3, 1, 1], 1, 0],
    ["MatMul", [2, 3], 1, 0],
    ["Gemm", [2, 3], 0, 1],
    ["LSTM", [1, 8, 2], 1, 2],
  ] as const)("of %s", async (opType, dims, output, input) => {
    const values = noise(dims.reduce<number>((a, b) => a * b, 1));
    const run = async (dim: PruneOptions["dim"]): Promise<Float32Array> => {
      const options: PruneOptions = { method: "ln_structured", amount: { count: 1 } };
      if (dim !== undefined) options.dim = dim;
      return (await pruneOne(values, [...dims], options, opType, arena)).values;
    };
    expect(await run("output")).toEqual(await run(output));
    expect(await run(undefined)).toEqual(await run(output));
    expect(await run("input")).toEqual(await run(input));
    expect(await run("input")).not.toEqual(await run("output"));
  });
});

describe("weights stay, with the reason", () => {
  const reasonOf = async (
    subject: ReturnType<typeof model>,
    options: PruneOptions = {},
  ): Promise<string | undefined> => {
    const before = cloneModel(subject);
    const report = await pruneModel(subject, options, arena);
    expect(report.changed).toEqual([]);
    const stayed = subject.graph.initializers.get("w")?.data;
    expect(stayed).toBe(before.graph.initializers.get("w")?.data);
    return report.kept.find(({ name }) => name === "w")?.reason;
  };

  test.each([
    "l1_unstructured",
    "random_unstructured",
    "ln_structured",
    "random_structured",
    "global_unstructured",
    "n_m",
  ] as const)("%s: NaN or Inf", async (method) => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const subject = model(
        [consumer("Gemm", "w")],
        [weight("w", [1, 2, 3, 4, 5, 6, 7, bad], [1, 8])],
      );
      expect(await reasonOf(subject, { method, dim: 1 })).toBe("holds NaN or Inf");
    }
  });

  test("NaN at the end of a weight of many chunks takes nothing from the others' threshold", async () => {
    const bad = noise(300_000).fill(NaN, 299_999);
    const good = noise(1000, 7);
    const subject = model(
      [consumer("Gemm", "bad"), consumer("Gemm", "good")],
      [weight("bad", bad, [1000, 300]), weight("good", good, [10, 100])],
    );
    const report = await pruneModel(subject, { method: "global_unstructured", amount: 0.4 }, arena);
    expect(report.kept).toEqual([{ name: "bad", reason: "holds NaN or Inf" }]);
    const values = await floats(subject.graph.initializers.get("good"));
    expect(values.filter((x) => x === 0)).toHaveLength(400);
  });

  test("float64", async () => {
    const tensor = makeTensor("w", DataType.float64, [2, 2], new Uint8Array(32));
    expect(await reasonOf(model([consumer("Gemm", "w")], [tensor]))).toBe(
      "float64 weights are not pruned",
    );
  });

  test("quantized already", async () => {
    const tensor = makeTensor("w", DataType.int8, [2, 2], new Uint8Array(4));
    const nodes = [makeNode("DequantizeLinear", ["w", "s"], ["d"]), consumer("Gemm", "d")];
    expect(await reasonOf(model(nodes, [tensor]))).toBe(
      "quantized already (int8, DequantizeLinear)",
    );
  });

  test("excluded, also where another node shares it", async () => {
    const options = { nodes_to_exclude: ["a"] };
    expect(await reasonOf(model([consumer("Gemm", "w", "a")], [matrix("w")]), options)).toBe(
      'Gemm "a", which is excluded',
    );
    const shared = model([consumer("Gemm", "w", "a"), consumer("Gemm", "w", "b")], [matrix("w")]);
    expect(await reasonOf(shared, options)).toBe('shared with Gemm "a", which is excluded');
  });

  test("an output of the graph", async () => {
    const subject = model([consumer("Gemm", "w")], [matrix("w")], [{ name: "w", type: undefined }]);
    expect(await reasonOf(subject)).toBe("an output of the graph, which pruning would change");
  });

  test("an amount that prunes nothing", async () => {
    for (const amount of [0, 0.1, { count: 0 }]) {
      const subject = model([consumer("Gemm", "w")], [matrix("w")]);
      expect(await reasonOf(subject, { amount })).toBe("the amount prunes nothing of it");
    }
  });

  test("a dim that it does not have", async () => {
    const subject = model([consumer("Gemm", "w")], [matrix("w")]);
    expect(await reasonOf(subject, { method: "random_structured", dim: 2 })).toBe(
      "dim 2 is out of range for dims [2, 2]",
    );
  });

  test("uses that disagree on the axis", async () => {
    const subject = model(
      [consumer("Gemm", "w"), consumer("MatMul", "w", "m")],
      [weight("w", noise(16), [4, 4])],
    );
    expect(await reasonOf(subject, { method: "n_m" })).toBe("its uses disagree on the axis");
  });
});

test("an amount of 1 leaves zeros only, and a note", async () => {
  const { values, report } = await pruneOne(four, [2, 2], { amount: 1 });
  expect([...values]).toEqual([0, 0, 0, 0]);
  expect(report.notes).toEqual(['"w" is all zeros now']);
});

test("of slices with equal norms the first go", async () => {
  for (const n of [1, 2, "inf", "-inf", 0, 3] as const) {
    const { values } = await pruneOne([2, 2, -2, 2, 2, -2, 2, 2], [4, 2], {
      method: "ln_structured",
      n,
      dim: 0,
    });
    expect([...values]).toEqual([0, 0, 0, 0, 2, -2, 2, 2]);
  }
});

test("already sparse weights lose their zeros first", async () => {
  const { values } = await pruneOne([0, 5, 0, -1, 2, -0], [2, 3], { amount: { count: 4 } });
  expect([...values]).toEqual([0, 5, 0, 0, 2, 0]);
});

describe("amounts by layer", () => {
  const build = (): ReturnType<typeof model> =>
    model(
      [consumer("Gemm", "w", "first"), consumer("Gemm", "v", "second")],
      [matrix("w"), matrix("v")],
    );
  const zeros = async (subject: ReturnType<typeof model>, name: string): Promise<number> =>
    (await floats(subject.graph.initializers.get(name))).filter((x) => x === 0).length;

  test("by node name or weight name; the rest stays without an amount", async () => {
    for (const key of ["second", "v"]) {
      const subject = build();
      await pruneModel(subject, { amounts: { [key]: 0.75 } }, arena);
      expect([await zeros(subject, "w"), await zeros(subject, "v")]).toEqual([0, 3]);
    }
  });

  test("before the general amount", async () => {
    const subject = build();
    await pruneModel(subject, { amount: 0.5, amounts: { v: { count: 1 } } }, arena);
    expect([await zeros(subject, "w"), await zeros(subject, "v")]).toEqual([2, 1]);
  });

  test("an unknown name is an error that lists the nearest", async () => {
    await expect(pruneModel(build(), { amounts: { secnd: 0.5 } }, arena)).rejects.toThrow(
      'the model has no weight or node "secnd"; nearest: "second"',
    );
  });
});

test("the report names method, bytes and, once written, the error", async () => {
  const subject = model([consumer("Gemm", "w")], [matrix("w")]);
  const { changed } = await pruneModel(subject, { amount: 0.5 }, arena);
  expect(changed).toEqual([
    {
      name: "w",
      node: 'Gemm "w_node"',
      method: "l1_unstructured 50 %",
      dims: [2, 2],
      from: "float32",
      to: "float32",
      bytesBefore: 16,
      bytesAfter: 16,
      sqnrDb: null,
    },
  ]);
  await floats(subject.graph.initializers.get("w"));
  expect(changed[0]?.sqnrDb).toBeCloseTo(10 * Math.log10(30 / 5), 10);
});

describe("16-bit floats are pruned by their exact values", () => {
  test("float16, subnormal ones too", async () => {
    const values = Float16Array.from([1, -0.5, 6e-8, -1.2e-7, 65504, 0.25, -0.0001, 2]);
    const tensor = makeTensor("w", DataType.float16, [2, 4], new Uint8Array(values.buffer));
    const subject = model([consumer("Gemm", "w")], [tensor]);
    await pruneModel(subject, { amount: { count: 2 } }, arena);
    const bytes = (await readAll(subject.graph.initializers.get("w")!.data)).slice();
    expect([...new Float16Array(bytes.buffer)]).toEqual(
      [...values].map((x, i) => (i === 2 || i === 3 ? 0 : x)),
    );
  });

  test("bfloat16", async () => {
    const words = Uint16Array.of(0x3f80, 0xbf00, 0x0001, 0x8002, 0x7f7f, 0x3e80);
    const tensor = makeTensor("w", DataType.bfloat16, [2, 3], new Uint8Array(words.buffer));
    const subject = model([consumer("Gemm", "w")], [tensor]);
    await pruneModel(subject, { amount: 0.5 }, arena);
    const bytes = (await readAll(subject.graph.initializers.get("w")!.data)).slice();
    expect([...new Uint16Array(bytes.buffer)]).toEqual([0x3f80, 0xbf00, 0, 0, 0x7f7f, 0]);
  });
});

describe("weights larger than the scratch memory", () => {
  /** Two magnitudes only, so that almost everything is a tie. */
  const ties = Float32Array.from({ length: 3_000_000 }, (_, i) => (i % 3 === 0 ? 1 : -2));
  const lazy = (values: Float32Array): Tensor => ({
    ...weight("w", [], [0]),
    dims: [1000, values.length / 1000],
    // uneven pieces, as a pass before this one may send them
    data: new ComputedData(values.byteLength, async (sink) => {
      const bytes = new Uint8Array(values.buffer);
      for (let at = 0; at < bytes.length; at += 999_983)
        await sink.write(bytes.slice(at, at + 999_983));
    }),
  });

  test.each(["l1_unstructured", "global_unstructured"] as const)(
    "%s takes ties from the start, across chunks",
    async (method) => {
      const small = await makeArena(4 << 20);
      const subject = model([consumer("Gemm", "w")], [lazy(ties)]);
      await pruneModel(subject, { method, amount: { count: 1_700_000 } }, small);
      let left = 700_000;
      const expected = ties.map((x) => (x === 1 || left-- > 0 ? 0 : x));
      const pruned = await floats(subject.graph.initializers.get("w"));
      expect(Buffer.compare(Buffer.from(pruned.buffer), Buffer.from(expected.buffer))).toBe(0);
      expect(small.bytes.length).toBeLessThanOrEqual(4 << 20);
    },
  );

  test("global ties go weight by weight, in the file's order", async () => {
    const subject = model(
      [consumer("Gemm", "a"), consumer("Gemm", "b")],
      [weight("a", [1, 1, 5, 1], [2, 2]), weight("b", [1, 0.5, 1, 1], [2, 2])],
    );
    await pruneModel(subject, { method: "global_unstructured", amount: { count: 5 } }, arena);
    expect([...(await floats(subject.graph.initializers.get("a")))]).toEqual([0, 0, 5, 0]);
    expect([...(await floats(subject.graph.initializers.get("b")))]).toEqual([0, 0, 1, 1]);
  });

  test("norms of slices of either axis are summed over all chunks", async () => {
    const values = noise(1_000_000).map(
      (x, i) => x * (1 + (i % 1000 === 7 ? 1 : 0) + (Math.floor(i / 1000) === 9 ? 1 : 0)),
    );
    for (const dim of [0, 1]) {
      const subject = model([consumer("Gemm", "w")], [lazy(values)]);
      await pruneModel(
        subject,
        { method: "ln_structured", n: 1, dim, amount: { count: 999 } },
        arena,
      );
      const pruned = await floats(subject.graph.initializers.get("w"));
      const stays = (i: number): boolean =>
        dim === 0 ? Math.floor(i / 1000) === 9 : i % 1000 === 7;
      expect(pruned.every((x, i) => (stays(i) ? x === values[i] : x === 0))).toBe(true);
    }
  });
});

test("the given model's data is not touched when a copy is pruned", async () => {
  const subject = model([consumer("Gemm", "w")], [matrix("w")]);
  const copy = cloneModel(subject);
  await pruneModel(copy, { amount: 0.5 }, arena);
  await floats(copy.graph.initializers.get("w"));
  expect([...(await floats(subject.graph.initializers.get("w")))]).toEqual(four);
});

test("fused attention weights are MatMul weights of com.microsoft", async () => {
  const node = makeNode("Attention", ["x", "w"], ["y"], {
    name: "attention",
    domain: "com.microsoft",
    attributes: [makeInt("num_heads", 1)],
  });
  const subject = model([node], [matrix("w")]);
  expect((await pruneModel(subject, {}, arena)).changed[0]?.node).toBe('Attention "attention"');
});
