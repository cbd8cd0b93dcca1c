import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compress } from "../../../src/compress/compress.ts";
import type { CompressRequest } from "../../../src/compress/types.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import type { Model, Tensor } from "../../../src/onnx/model.ts";
import { emptyGraph } from "../../../src/onnx/read-graph.ts";
import { MemorySink, MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes, planModel } from "../../../src/onnx/write-model.ts";
import { FileSink } from "../../../src/node/file-source.ts";
import { compressFile } from "../../../src/node/file-to-file.ts";

const folder = mkdtempSync(join(tmpdir(), "hone-"));
afterAll(() => rmSync(folder, { recursive: true }));

const COLUMNS = 96;
/** 14 MiB. */
const LARGE_ROWS = 40_000;

/** A period of its own for every weight, repeated. */
function weight(name: string, rows: number, seed: number, last?: number): Tensor {
  const period = Float32Array.from({ length: 9973 }, (_, i) => Math.sin((i + 1) * (seed + 0.37)));
  const values = new Float32Array(rows * COLUMNS);
  for (let at = 0; at < values.length; at += period.length) {
    values.set(period.subarray(0, values.length - at), at);
  }
  if (last !== undefined) values[values.length - 1] = last;
  return makeTensor(name, 1, [rows, COLUMNS], new Uint8Array(values.buffer));
}

/** Gathers a row, two products, and one that is too large for the scratch memory. */
function network(last?: number): Model {
  const graph = emptyGraph();
  graph.name = "g";
  for (const tensor of [
    weight("table", 64, 1),
    weight("a", COLUMNS, 2),
    weight("b", COLUMNS, 3, last),
    weight("large", LARGE_ROWS, 4),
  ]) {
    graph.initializers.set(tensor.name, tensor);
  }
  graph.nodes = [
    makeNode("Gather", ["table", "id"], ["x"], { name: "gather" }),
    makeNode("MatMul", ["x", "a"], ["y"], { name: "first" }),
    makeNode("MatMul", ["y", "b"], ["z"], { name: "second" }),
    makeNode("MatMul", ["v", "large"], ["u"], { name: "third" }),
  ];
  const info = (name: string, elementType: number, shape: (string | number)[]) => ({
    name,
    type: { kind: "tensor" as const, elementType, shape },
  });
  graph.inputs = [info("id", 7, ["n"]), info("v", 1, [1, LARGE_ROWS])];
  graph.outputs = [info("z", 1, ["n", COLUMNS]), info("u", 1, [1, COLUMNS])];
  return {
    irVersion: 9,
    opsetImports: [{ domain: "", version: 17 }],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    metadata: [],
    functions: [],
    graph,
  };
}

const REQUESTS: readonly [string, CompressRequest][] = [
  ["dynamic", { operation: "quantize", options: { method: "dynamic" } }],
  [
    "dynamic uint8",
    {
      operation: "quantize",
      options: { method: "dynamic", weight_type: "quint8", per_channel: true },
    },
  ],
  ["8 bits per channel", { operation: "quantize", options: { method: "weight_only" } }],
  ["4-bit blocks", { operation: "quantize", options: { method: "weight_only", bits: 4 } }],
  [
    "4-bit QDQ blocks",
    { operation: "quantize", options: { method: "weight_only", bits: 4, quant_format: "QDQ" } },
  ],
  ["nf4", { operation: "quantize", options: { method: "weight_only", algorithm: "bnb4" } }],
  ["float16", { operation: "quantize", options: { method: "float16" } }],
  [
    "global pruning",
    { operation: "prune", options: { method: "global_unstructured", amount: 0.5 } },
  ],
];

/** What comes out of a compression that looks at all weights before it plans. */
async function plannedFirst(model: Model, { operation, options }: CompressRequest) {
  const { report, files } = await compress(
    { source: new MemorySource(await modelBytes(model)) },
    { operation, options: { ...options, verify: false } } as CompressRequest,
    { kernels: await kernelModule() },
  );
  const [file] = files;
  const sink = new MemorySink(file?.byteLength ?? 0);
  await file?.write(sink);
  return { report, bytes: sink.bytes };
}

async function fromFile(model: Model, { operation, options }: CompressRequest) {
  const [input, output] = [join(folder, "in.onnx"), join(folder, "out.onnx")];
  const sink = new FileSink(input);
  await planModel(model).write(sink);
  sink.close();
  const report = await compressFile(input, output, {
    operation,
    options: { ...options, verify: false },
  } as CompressRequest);
  return { report, bytes: readFileSync(output) };
}

test.each(REQUESTS)(
  "%s: the same file and report as when weights are looked at first",
  async (_, request) => {
    const expected = await plannedFirst(network(), request);
    const found = await fromFile(network(), request);
    expect(Buffer.compare(found.bytes, expected.bytes)).toBe(0);
    expect(found.report).toEqual(expected.report);
  },
);

test.each(REQUESTS)(
  "%s: a weight with NaN or Inf is found out while it is written, and stays",
  async (_, request) => {
    for (const last of [NaN, -Infinity]) {
      const expected = await plannedFirst(network(last), request);
      const found = await fromFile(network(last), request);
      expect(Buffer.compare(found.bytes, expected.bytes)).toBe(0);
      expect(found.report).toEqual(expected.report);
    }
  },
);
