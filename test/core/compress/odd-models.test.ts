import { describe, expect, it } from "vitest";
import { compress } from "../../../src/compress/compress.ts";
import { CompressRefusal } from "../../../src/compress/types.ts";
import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model, Node, Tensor } from "../../../src/onnx/model.ts";
import { emptyGraph } from "../../../src/onnx/read-graph.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import { weights } from "./models.ts";

const info = (name: string) => ({
  name,
  type: { kind: "tensor", elementType: DataType.float32, shape: undefined } as const,
});

function model(nodes: Node[], tensors: Tensor[], opset = 17): Model {
  const graph = emptyGraph();
  graph.name = "g";
  graph.nodes = nodes;
  graph.initializers = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  graph.inputs = [info("x")];
  graph.outputs = [info("y")];
  return {
    irVersion: 8,
    opsetImports: ["", "own", "__proto__"].map((domain) => ({
      domain,
      version: domain === "" ? opset : 1,
    })),
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph,
    metadata: [],
    functions: [],
  };
}

const METHODS: readonly [operation: "quantize" | "prune", method: string, more?: object][] = [
  ["quantize", "auto"],
  ["quantize", "dynamic"],
  ["quantize", "weight_only"],
  ["quantize", "weight_only", { bits: 4 }],
  ["quantize", "float16"],
  ["prune", "l1_unstructured", { amount: 0.5 }],
];

/** The reports of all methods that take the model. @throws what is no refusal */
async function compressAll(odd: Model) {
  const bytes = await modelBytes(odd);
  const kernels = await kernelModule();
  const reports = [];
  for (const [operation, method, more] of METHODS) {
    try {
      const { report, files } = await compress(
        { source: new MemorySource(bytes) },
        { operation, options: { method, verify: false, ...more } },
        { kernels, arenaBytes: 12 << 20 },
      );
      for (const file of files) await file.write({ write: () => undefined });
      reports.push(report);
    } catch (error) {
      expect(error).toBeInstanceOf(CompressRefusal);
    }
  }
  return reports;
}

const product = (w: string) => makeNode("MatMul", ["x", w], ["y"]);

describe("every method takes an odd model or says why it does not", () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    it(`operators, domains, attributes and weights named ${name}`, async () => {
      const odd = makeNode(name, ["x"], ["t"], { domain: "__proto__" });
      odd.attributes.push({ name, type: "int", value: 1n });
      const nodes = [odd, makeNode("MatMul", ["t", name], ["y"], { name })];
      expect(await compressAll(model(nodes, [weights(name, 64, 64)]))).not.toEqual([]);
    });
  }

  it("a weight without elements, whatever its other dims", async () => {
    const none = makeTensor("n", DataType.float32, [2 ** 33, 2 ** 31, 0], new Uint8Array(0));
    const nodes = [makeNode("MatMul", ["x", "n"], ["t"]), product("w")];
    const reports = await compressAll(model(nodes, [none, weights("w", 64, 64)]));
    expect(reports.map(({ changed }) => changed.map(({ name }) => name))).toContainEqual(["w"]);
  });

  it("a weight of more channels than the scratch memory takes stays float", async () => {
    const wide = makeTensor("v", DataType.float32, [2, 3_000_000], new Uint8Array(24e6).fill(62));
    const nodes = [makeNode("MatMul", ["x", "v"], ["t"]), product("w")];
    const reports = await compressAll(model(nodes, [wide, weights("w", 64, 64)]));
    const kept = reports.flatMap((report) => report.kept.filter(({ name }) => name === "v"));
    expect(kept.map(({ reason }) => reason)).toContain(
      "it has more channels than the scratch memory takes",
    );
  });

  it("an int8 weight of a MatMul is not pruned", async () => {
    const codes = makeTensor("q", DataType.int8, [64, 64], new Uint8Array(4096));
    const nodes = [makeNode("MatMul", ["x", "q"], ["t"]), product("w")];
    const reports = await compressAll(model(nodes, [codes, weights("w", 64, 64)]));
    expect(reports.find(({ operation }) => operation === "prune")?.kept).toEqual([
      { name: "q", reason: "int8 weights are not pruned" },
    ]);
  });

  it("Split of opset 1 with sizes that are no whole numbers", async () => {
    const nodes = [makeNode("Split", ["x", "s"], ["t"]), product("w")];
    const sizes = makeFloat32("s", [0.5, 1.5], [2]);
    await compressAll(model(nodes, [sizes, weights("w", 64, 64)], 1));
  });
});

it("a wrong value info of a weight does not spoil the result", async () => {
  const odd = model([product("w")], [weights("w", 64, 64)]);
  odd.graph.inputs = [{ name: "x", type: { kind: "tensor", elementType: 1, shape: [1, 64] } }];
  odd.graph.valueInfos = [{ name: "w", type: { kind: "tensor", elementType: 1, shape: [3] } }];
  const { report } = await compress(
    { source: new MemorySource(await modelBytes(odd)) },
    { operation: "quantize", options: { method: "weight_only" } },
    { kernels: await kernelModule(), runtime: await nodeRuntime() },
  );
  expect(report.verification).toMatchObject({ loaded: true, ran: true });
});
