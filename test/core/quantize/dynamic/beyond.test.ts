import { Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import {
  makeFloat,
  makeInt,
  makeInts,
  makeTensorAttribute,
} from "../../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../../src/graph/build.ts";
import { cloneModel } from "../../../../src/graph/clone.ts";
import { Scope } from "../../../../src/graph/scope.ts";
import { UnknownNameError } from "../../../../src/graph/selection.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Graph, Model, Tensor } from "../../../../src/onnx/model.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { type DynamicOptions, quantizeDynamic } from "../../../../src/quantize/dynamic.ts";
import { fingerprint } from "./fingerprint.ts";
import { cosine, floats, graphOf, ids, modelOf, noise, run, weight } from "./models.ts";

const arena = await Arena.create(await kernelModule(), 24 << 20);

async function quantized(model: Model, options: DynamicOptions = {}) {
  const copy = cloneModel(model);
  const report = await quantizeDynamic(copy, options, arena);
  return { model: copy, graph: copy.graph, report };
}

const constant = (tensor: Tensor) =>
  makeNode("Constant", [], [tensor.name], { attributes: [makeTensorAttribute("value", tensor)] });

function opTypes(graph: Graph): string[] {
  return [...Scope.of(graph).walk()].flatMap((scope) =>
    scope.graph.nodes.map((node) => node.opType),
  );
}

const product = (...weights: Tensor[]) =>
  graphOf([makeNode("MatMul", ["x", "w"], ["y"])], { x: [2, 6] }, { y: [2, 4] }, weights);

describe("weights are found wherever they are kept", () => {
  const stored = product(weight("w", [6, 4]));

  test("in a Constant node as in an initializer", async () => {
    const held = graphOf(
      [constant(weight("w", [6, 4])), ...stored.nodes],
      { x: [2, 6] },
      { y: [2, 4] },
    );
    const [a, b] = [await quantized(modelOf(stored)), await quantized(modelOf(held))];
    expect(await fingerprint(b.graph)).toEqual(await fingerprint(a.graph));
    expect([...b.graph.initializers.keys()]).toEqual(["w_quantized", "w_scale", "w_zero_point"]);
  });

  test.each([{}, { per_channel: true }])(
    "behind Transpose and Identity, which go: %j",
    async (options) => {
      const turned = graphOf(
        [
          makeNode("Identity", ["v"], ["i"]),
          makeNode("Transpose", ["i"], ["w"], { attributes: [makeInts("perm", [1, 0])] }),
          ...stored.nodes,
        ],
        { x: [2, 6] },
        { y: [2, 4] },
        [weight("v", [4, 6])],
      );
      const values = noise(24, 1);
      const flat = Float32Array.from(
        values,
        (_, i) => values[(i % 4) * 6 + Math.floor(i / 4)] ?? 0,
      );
      const straight = product(weight("w", [6, 4], flat));
      const [a, b] = [
        await quantized(modelOf(straight), options),
        await quantized(modelOf(turned), options),
      ];
      expect(await fingerprint(b.graph)).toEqual(await fingerprint(a.graph));
    },
  );

  test("in the branches of an If, and in the graph around it", async () => {
    const branch = (name: string, nodes = [constant(weight(name, [6, 4]))]) =>
      graphOf(
        [...nodes, makeNode("MatMul", ["x", name], [`${name}_y`])],
        {},
        { [`${name}_y`]: [2, 4] },
      );
    const choose = makeNode("If", ["yes"], ["y"], {
      attributes: [
        { name: "then_branch", type: "graph", value: branch("inner") },
        { name: "else_branch", type: "graph", value: branch("outer", []) },
      ],
    });
    const model = modelOf(
      graphOf([choose], { x: [2, 6], yes: [] }, { y: [2, 4] }, [weight("outer", [6, 4])]),
    );
    const { model: small, graph, report } = await quantized(model);
    expect(report.changed.map((change) => change.name).toSorted()).toEqual(["inner", "outer"]);
    expect(graph.initializers.has("outer_quantized")).toBe(true);
    expect(graph.initializers.has("outer")).toBe(false);
    const bodies = Scope.of(graph).children.map((child) => [...child.graph.initializers.keys()]);
    expect(bodies[0]).toContain("inner_quantized");
    expect(opTypes(graph)).not.toContain("Constant");
    for (const value of [true, false]) {
      const feeds = { x: floats([2, 6]), yes: new OrtTensor("bool", [value], []) };
      const [a, b] = [await run(model, feeds), await run(small, feeds)];
      expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
    }
  });

  test("a branch that reads what was gathered outside gets floats", async () => {
    const branch = (name: string, op: string) =>
      graphOf([makeNode(op, ["e"], [name])], {}, { [name]: [3, 8] });
    const nodes = [
      makeNode("Gather", ["w", "ids"], ["e"]),
      makeNode("If", ["yes"], ["y"], {
        attributes: [
          { name: "then_branch", type: "graph", value: branch("a", "Relu") },
          { name: "else_branch", type: "graph", value: branch("b", "Neg") },
        ],
      }),
    ];
    const model = modelOf(
      graphOf(nodes, { ids: [3], yes: [] }, { y: [3, 8] }, [weight("w", [9, 8])]),
    );
    const { model: small, graph } = await quantized(model);
    expect(graph.nodes.map((node) => node.opType)).toEqual(["Gather", "DequantizeLinear", "If"]);
    const feeds = { ids: ids(1, 8, 0), yes: new OrtTensor("bool", [false], []) };
    const [a, b] = [await run(model, feeds), await run(small, feeds)];
    expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
  });
});

describe("one weight, several readers", () => {
  const tied = (transposed: "MatMul" | "Gemm", gatherFirst: boolean) => {
    const gather = makeNode("Gather", ["w", "ids"], ["e"]);
    const head =
      transposed === "Gemm"
        ? [makeNode("Gemm", ["x", "w"], ["y"], { attributes: [makeInt("transB", 1)] })]
        : [
            makeNode("Transpose", ["w"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
            makeNode("MatMul", ["x", "t"], ["y"]),
          ];
    const nodes = gatherFirst ? [gather, ...head] : [...head, gather];
    const io = [
      { x: [2, 6], ids: [3] },
      { e: [3, 6], y: [2, 50] },
    ] as const;
    return modelOf(
      graphOf(nodes, { ...io[0] } as never, { ...io[1] } as never, [weight("w", [50, 6])]),
    );
  };
  test.each([
    ["MatMul", true],
    ["MatMul", false],
    ["Gemm", true],
    ["Gemm", false],
  ] as const)("an embedding tied to a %s (gather first: %j) is stored once", async (op, first) => {
    const model = tied(op, first);
    const { model: small, graph } = await quantized(model);
    const codes = [...graph.initializers.values()].filter((tensor) => tensor.dims.length === 2);
    expect(codes.map((tensor) => tensor.dims)).toEqual([[50, 6]]);
    expect(opTypes(graph)).toContain("MatMulInteger");
    const feeds = { x: floats([2, 6]), ids: ids(4, 49, 0) };
    const [a, b] = [await run(model, feeds), await run(small, feeds)];
    expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
    expect(cosine(a["e"], b["e"])).toBeGreaterThan(0.999);
  });

  test("a table that is gathered, transposed, multiplied and read in float has one Transpose of its codes", async () => {
    const nodes = [
      makeNode("Gather", ["w", "ids"], ["e"]),
      makeNode("Transpose", ["w"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
      makeNode("MatMul", ["x", "t"], ["y"]),
      makeNode("Neg", ["t"], ["z"]),
    ];
    const outputs = { e: [3, 6], y: [2, 9], z: [6, 9] };
    const model = modelOf(graphOf(nodes, { x: [2, 6], ids: [3] }, outputs, [weight("w", [9, 6])]));
    const { model: small, graph } = await quantized(model);
    expect(opTypes(graph).filter((type) => type === "Transpose")).toHaveLength(1);
    const feeds = { x: floats([2, 6]), ids: ids(8, 0, 3) };
    const [a, b] = [await run(model, feeds), await run(small, feeds)];
    for (const name of ["e", "y", "z"]) expect(cosine(a[name], b[name])).toBeGreaterThan(0.999);
  });

  test("per-channel codes do not serve the transposed product, whose channels are others", async () => {
    const nodes = [
      makeNode("MatMul", ["x", "w"], ["y"]),
      makeNode("Transpose", ["w"], ["t"], { attributes: [makeInts("perm", [1, 0])] }),
      makeNode("MatMul", ["x", "t"], ["z"]),
    ];
    const steep = Float32Array.from(noise(36), (x, i) => x * 10 ** (i % 6));
    const model = modelOf(
      graphOf(nodes, { x: [2, 6] }, { y: [2, 6], z: [2, 6] }, [weight("w", [6, 6], steep)]),
    );
    const { model: small } = await quantized(model, { per_channel: true });
    const [a, b] = [
      await run(model, { x: floats([2, 6]) }),
      await run(small, { x: floats([2, 6]) }),
    ];
    for (const name of ["y", "z"]) expect(cosine(a[name], b[name])).toBeGreaterThan(0.999);
  });

  test("what is added to a product is dequantized when it was gathered", async () => {
    for (const op of ["Gemm", "Conv"]) {
      const nodes = [
        makeNode("Gather", ["table", "ids"], ["bias"]),
        makeNode(op, ["x", "w", "bias"], ["y"]),
      ];
      const [table, kernel] =
        op === "Gemm"
          ? [
              [5, 4],
              [6, 4],
            ]
          : [[5], [4, 6, 1]];
      const shapes = op === "Gemm" ? { x: [2, 6], y: [2, 4] } : { x: [1, 6, 2], y: [1, 4, 2] };
      const index = op === "Gemm" ? ids(3, 1) : ids(3, 1, 0, 2);
      const model = modelOf(
        graphOf(nodes, { x: shapes.x, ids: [...index.dims] }, { y: shapes.y }, [
          weight("table", table ?? []),
          weight("w", kernel ?? []),
        ]),
      );
      const { model: small, graph } = await quantized(model);
      expect(opTypes(graph)).toContain("DequantizeLinear");
      const feeds = { x: floats(shapes.x), ids: index };
      const [a, b] = [await run(model, feeds), await run(small, feeds)];
      expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.99);
    }
  });

  test("two Gemms that share a transposed weight share its codes", async () => {
    const transB = [makeInt("transB", 1)];
    const nodes = [
      makeNode("Gemm", ["x", "w"], ["a"], { attributes: transB }),
      makeNode("Gemm", ["a", "w"], ["y"], { attributes: transB }),
    ];
    const model = modelOf(graphOf(nodes, { x: [2, 6] }, { y: [2, 6] }, [weight("w", [6, 6])]));
    const { model: small, graph } = await quantized(model);
    expect([...graph.initializers.keys()]).toEqual(["w_quantized", "w_scale", "w_zero_point"]);
    const [a, b] = [
      await run(model, { x: floats([2, 6]) }),
      await run(small, { x: floats([2, 6]) }),
    ];
    expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.99);
  });

  test("per-channel codes are dequantized along their axis, and below opset 13 the float copy stays", async () => {
    const nodes = [makeNode("MatMul", ["x", "w"], ["a"]), makeNode("Add", ["a", "w"], ["y"])];
    for (const opset of [12, 13]) {
      const model = modelOf(
        graphOf(nodes, { x: [6, 6] }, { y: [6, 6] }, [weight("w", [6, 6])]),
        opset,
      );
      const { model: small, graph } = await quantized(model, { per_channel: true });
      expect(graph.initializers.has("w")).toBe(opset === 12);
      const [a, b] = [
        await run(model, { x: floats([6, 6]) }),
        await run(small, { x: floats([6, 6]) }),
      ];
      expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
    }
  });
});

describe("what stays float, and why", () => {
  const reasons = (report: { kept: { name: string; reason: string }[] }) =>
    Object.fromEntries(report.kept.map(({ name, reason }) => [name, reason]));

  test("a single number", async () => {
    const graph = graphOf([makeNode("MatMul", ["x", "w"], ["y"])], { x: [2, 1] }, { y: [2, 1] }, [
      weight("w", [1, 1]),
    ]);
    const { report, graph: after } = await quantized(modelOf(graph));
    expect(reasons(report)).toEqual({ w: "4 bytes would become 6" });
    expect(opTypes(after)).toEqual(["MatMul"]);
  });

  test("a Gemm with alpha, a node that is excluded, an op without integer form", async () => {
    const nodes = [
      makeNode("Gemm", ["x", "w1"], ["a"], { attributes: [makeFloat("alpha", 0.5)] }),
      makeNode("Gemm", ["a", "w2"], ["b"], { name: "head" }),
      makeNode("PRelu", ["b", "w3"], ["y"]),
    ];
    const weights = [weight("w1", [6, 6]), weight("w2", [6, 6]), weight("w3", [6, 6])];
    const model = modelOf(graphOf(nodes, { x: [6, 6] }, { y: [6, 6] }, weights));
    const { report, graph } = await quantized(model, { nodes_to_exclude: ["head"] });
    expect(report.changed).toEqual([]);
    expect(reasons(report)).toEqual({
      w1: 'Gemm "a" has an alpha, beta or transA that MatMul does not',
      w2: 'Gemm "head" is not selected',
      w3: 'PRelu "y" has no dynamic form',
    });
    expect(graph).toEqual(model.graph);
  });

  test("float16: the dynamic operators are for float32", async () => {
    const half = makeTensor(
      "w",
      DataType.float16,
      [6, 4],
      new Uint8Array(new Float16Array(noise(24)).buffer),
    );
    const { report, graph } = await quantized(modelOf(product(half)));
    expect(reasons(report)["w"]).toMatch(/from float32 only/);
    expect(opTypes(graph)).toEqual(["MatMul"]);
  });

  test("but a float16 table is gathered as codes from opset 19 on", async () => {
    const half = makeTensor(
      "w",
      DataType.float16,
      [9, 8],
      new Uint8Array(new Float16Array(noise(72)).buffer),
    );
    const nodes = [
      makeNode("Gather", ["w", "ids"], ["e"]),
      makeNode("Cast", ["e"], ["y"], { attributes: [makeInt("to", 1)] }),
    ];
    for (const opset of [18, 19]) {
      const model = modelOf(graphOf(nodes, { ids: [3] }, { y: [3, 8] }, [half]), opset, 9);
      const { model: small, graph } = await quantized(model);
      expect(graph.initializers.has("w_quantized")).toBe(opset === 19);
      const [a, b] = [
        await run(model, { ids: ids(1, 2, 8) }),
        await run(small, { ids: ids(1, 2, 8) }),
      ];
      expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
    }
  });

  test("what the quantized operators lack", async () => {
    const custom = { domain: "com.microsoft" };
    const nodes = [
      makeNode("Attention", ["x", "w", "b", "", "", "bias"], ["a"], {
        ...custom,
        attributes: [makeInt("num_heads", 1)],
      }),
      makeNode("LSTM", ["s", "W", "R"], ["l"], {
        attributes: [makeInt("hidden_size", 4), makeInt("layout", 1)],
      }),
      makeNode("Conv", ["i", "k"], ["c"]),
    ];
    const weights = [
      weight("w", [4, 12]),
      weight("b", [12]),
      weight("W", [1, 16, 4]),
      weight("R", [1, 16, 4]),
    ];
    const graph = graphOf(
      nodes,
      { x: [], bias: [], s: [], i: [], k: [] },
      { a: [], l: [], c: [] },
      weights,
    );
    const { report, graph: after } = await quantized(modelOf(graph));
    expect(report.changed).toEqual([]);
    expect(reasons(report)).toMatchObject({
      w: 'QAttention lacks an input for "bias"',
      W: "DynamicQuantizeLSTM has no batch-first layout",
    });
    expect(opTypes(after)).toEqual(["Attention", "LSTM", "Conv"]);
  });
});

describe("values", () => {
  const kinds: Record<string, (i: number) => number> = {
    NaN: (i) => (i === 5 ? NaN : 1),
    Inf: (i) => (i === 7 ? Infinity : 1),
    "-Inf": (i) => (i === 7 ? -Infinity : 1),
    zero: () => 0,
    constant: () => 0.3,
    "negative constant": () => -3,
    denormal: (i) => (i % 3) * 1e-41,
    huge: (i) => (i % 2 ? 3e38 : -3e38),
    large: (i) => (i % 2 ? 1e37 : -1e36),
  };
  const build = (fill: (i: number) => number): Model => {
    const filled = (name: string, dims: number[]) =>
      weight(
        name,
        dims,
        Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => fill(i)),
      );
    const nodes = [
      makeNode("MatMul", ["x", "m"], ["a"]),
      makeNode("Gemm", ["x", "g"], ["b"], { attributes: [makeInt("transB", 1)] }),
      makeNode("Conv", ["i", "k"], ["c"]),
      makeNode("Gather", ["t", "ids"], ["d"]),
      makeNode("LSTM", ["s", "W", "R"], ["e"], { attributes: [makeInt("hidden_size", 2)] }),
    ];
    const weights = [
      filled("m", [6, 4]),
      filled("g", [4, 6]),
      filled("k", [2, 1, 3, 3]),
      filled("t", [5, 4]),
    ];
    weights.push(filled("W", [1, 8, 3]), weight("R", [1, 8, 2]));
    const inputs = { x: [2, 6], i: [1, 1, 5, 5], ids: [2], s: [3, 1, 3] };
    return modelOf(
      graphOf(
        nodes,
        inputs,
        { a: [2, 4], b: [2, 4], c: [1, 2, 3, 3], d: [2, 4], e: [3, 1, 1, 2] },
        weights,
      ),
    );
  };
  test.each(Object.keys(kinds))(
    "%s: every scale is finite or the weight stays float",
    async (kind) => {
      const fill = kinds[kind] ?? (() => 0);
      for (const options of [
        {},
        { per_channel: true },
        { weight_type: "quint8", reduce_range: true },
      ] as const) {
        const { model, report, graph } = await quantized(build(fill), options);
        const finite = Number.isFinite(fill(5) + fill(7)) && kind !== "huge";
        expect(report.changed.map(({ name }) => name).includes("m")).toBe(finite);
        if (!finite)
          expect(report.kept.find(({ name }) => name === "m")?.reason).toMatch(/NaN or Inf/);
        for (const tensor of graph.initializers.values()) {
          if (!tensor.name.endsWith("_scale")) continue;
          const bytes = new Uint8Array(tensor.data.byteLength);
          await tensor.data.read(0, bytes);
          for (const scale of new Float32Array(bytes.buffer)) {
            expect(scale > 0 && Number.isFinite(scale)).toBe(true);
          }
        }
        const feeds = {
          x: floats([2, 6]),
          i: floats([1, 1, 5, 5]),
          ids: ids(0, 4),
          s: floats([3, 1, 3]),
        };
        const results = await run(model, feeds);
        if (finite) {
          for (const values of Object.values(results))
            expect(values.every(Number.isFinite)).toBe(true);
        }
      }
    },
  );
});

describe("shapes", () => {
  const shapes: [x: number[], w: number[], y: number[], method: string][] = [
    [[2, 6], [6, 4], [2, 4], "int8 per channel (axis 1)"],
    [[5, 3, 2, 6], [6, 4], [5, 3, 2, 4], "int8 per channel (axis 1)"],
    [[6], [6, 4], [4], "int8 per channel (axis 1)"],
    [[3, 2, 6], [3, 6, 4], [3, 2, 4], "int8 per tensor"],
    [[2, 6], [6], [2], "int8 per tensor"],
  ];
  test.each(shapes)(
    "MatMul of %j and %j runs per channel where it can",
    async (x, w, y, method) => {
      const graph = graphOf([makeNode("MatMul", ["x", "w"], ["y"])], { x }, { y }, [
        weight("w", w),
      ]);
      const { model, report } = await quantized(modelOf(graph), { per_channel: true });
      expect(report.changed[0]?.method).toBe(method);
      const [a, b] = [
        await run(modelOf(graph), { x: floats(x) }),
        await run(model, { x: floats(x) }),
      ];
      expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.999);
    },
  );
});

describe("options and names", () => {
  test("below opset 11 a range error, and the model is as it was", async () => {
    const model = modelOf(product(weight("w", [6, 4])), 10);
    const before = await fingerprint(model.graph);
    await expect(quantizeDynamic(model, {}, arena)).rejects.toThrow(
      /needs opset 11, the model imports 10/,
    );
    expect(await fingerprint(model.graph)).toEqual(before);
  });

  test("a wrong weight type and unknown names are errors that say what is known", async () => {
    const model = modelOf(
      graphOf(
        [makeNode("MatMul", ["x", "w"], ["y"], { name: "dense" })],
        { x: [2, 6] },
        { y: [2, 4] },
        [weight("w", [6, 4])],
      ),
    );
    await expect(quantized(model, { weight_type: "int4" as never })).rejects.toThrow(
      /"qint8" or "quint8"/,
    );
    await expect(quantized(model, { nodes_to_exclude: ["dens"] })).rejects.toThrow(
      /nearest: "dense"/,
    );
    await expect(quantized(model, { op_types_to_quantize: ["Conv"] })).rejects.toThrow(
      UnknownNameError,
    );
  });

  test("MatMul as an op type stands for Gemm too", async () => {
    const graph = graphOf([makeNode("Gemm", ["x", "w"], ["y"])], { x: [2, 6] }, { y: [2, 4] }, [
      weight("w", [6, 4]),
    ]);
    for (const type of ["MatMul", "Gemm"]) {
      const { report } = await quantized(modelOf(graph), { op_types_to_quantize: [type] });
      expect(report.changed.map(({ name }) => name)).toEqual(["w"]);
    }
  });

  test("names that are taken are left alone", async () => {
    const nodes = [
      makeNode("Neg", ["x"], ["x_quantized"], { name: "w_scale" }),
      makeNode("MatMul", ["x_quantized", "w"], ["a"]),
      makeNode("MatMul", ["x", "w_quantized"], ["b"]),
      makeNode("Add", ["a", "b"], ["y"]),
    ];
    const weights = [weight("w", [6, 4]), weight("w_quantized", [6, 4])];
    const model = modelOf(graphOf(nodes, { x: [2, 6] }, { y: [2, 4] }, weights));
    const { model: small } = await quantized(model);
    const [a, b] = [
      await run(model, { x: floats([2, 6]) }),
      await run(small, { x: floats([2, 6]) }),
    ];
    expect(cosine(a["y"], b["y"])).toBeGreaterThan(0.99);
  });

  test("an old model's weight is no graph input any more once it is quantized", async () => {
    const graph = product(weight("w", [6, 4]));
    graph.inputs.push({ name: "w", type: { kind: "tensor", elementType: 1, shape: [6, 4] } });
    const { model, graph: after } = await quantized(modelOf(graph, 11, 3));
    expect(after.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(model.irVersion).toBe(4);
    expect(Object.keys(await run(model, { x: floats([2, 6]) }))).toEqual(["y"]);
  });

  test("the report's bytes are those of the tensors, its SQNR is there once they are written", async () => {
    const { model, graph, report } = await quantized(modelOf(product(weight("w", [6, 4]))), {
      per_channel: true,
    });
    const stored = [...graph.initializers.values()].reduce(
      (sum, { data }) => sum + data.byteLength,
      0,
    );
    expect(report.changed[0]).toMatchObject({
      name: "w",
      node: 'MatMul "y"',
      method: "int8 per channel (axis 1)",
      dims: [6, 4],
      bytesBefore: 96,
      bytesAfter: stored,
      sqnrDb: null,
    });
    await modelBytes(model);
    expect(report.changed[0]?.sqnrDb).toBeGreaterThan(35);
  });
});
