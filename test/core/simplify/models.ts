/** @file Small graphs for the tests of simplification, and running them before and after. */
import { cloneModel } from "../../../src/graph/clone.ts";
import { checkModel } from "../../../src/graph/check.ts";
import type { PassReport } from "../../../src/graph/report.ts";
import { OPERATORS } from "../../../src/compress/operator-table.ts";
import { elementCount } from "../../../src/onnx/data-type.ts";
import type { Dimension, Graph, Model, Node, Tensor, ValueInfo } from "../../../src/onnx/model.ts";
import { emptyGraph } from "../../../src/onnx/read-graph.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { HostTensor, Runtime } from "../../../src/runtime/runtime.ts";
import type { SimplifyOptions } from "../../../src/simplify/options.ts";
import { simplifyModel } from "../../../src/simplify/simplify.ts";

let shared: Promise<Runtime> | undefined;
export const runtime = (): Promise<Runtime> => (shared ??= nodeRuntime());

export const info = (name: string, shape?: Dimension[], elementType = 1): ValueInfo => ({
  name,
  type: { kind: "tensor", elementType, shape },
});

export interface Parts {
  inputs?: ValueInfo[];
  outputs?: ValueInfo[];
  initializers?: Tensor[];
  valueInfos?: ValueInfo[];
  opset?: number;
  irVersion?: number;
}

export function graphOf(nodes: Node[], parts: Parts): Graph {
  const graph = emptyGraph();
  graph.name = "g";
  graph.nodes = nodes;
  graph.initializers = new Map((parts.initializers ?? []).map((tensor) => [tensor.name, tensor]));
  graph.inputs = parts.inputs ?? [info("x", [2, 3])];
  graph.outputs = parts.outputs ?? [info("y")];
  graph.valueInfos = parts.valueInfos ?? [];
  return graph;
}

/** x: float32 [2, 3] and y, unless `parts` says otherwise. */
export function model(nodes: Node[], parts: Parts = {}): Model {
  return {
    irVersion: parts.irVersion ?? 8,
    opsetImports: [{ domain: "", version: parts.opset ?? 17 }],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph: graphOf(nodes, parts),
    metadata: [],
    functions: [],
  };
}

export interface Simplified {
  model: Model;
  report: PassReport;
  /** Op types of the main graph, in order. */
  ops: string[];
}

/** Simplifies a copy, and checks that what comes out is a valid graph. */
export async function simplified(
  original: Model,
  options: SimplifyOptions = {},
): Promise<Simplified> {
  const copy = cloneModel(original);
  const report = await simplifyModel(copy, options, await runtime());
  checkModel(copy, OPERATORS);
  return { model: copy, report, ops: copy.graph.nodes.map(({ opType }) => opType) };
}

/** Values that differ from element to element. */
export function values(shape: number[], seed = 1): HostTensor {
  const floats = Float32Array.from(
    { length: elementCount(shape) },
    (_, i) => Math.sin(1.7 * (i + 1) * seed) * 2,
  );
  return { dataType: 1, dims: shape, bytes: new Uint8Array(floats.buffer) };
}

export async function run(
  subject: Model,
  feeds: Record<string, HostTensor>,
): Promise<Record<string, HostTensor>> {
  const session = await (await runtime()).load(await modelBytes(subject));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The largest difference of any output, relative to the largest value; −1 where types, shapes or other bytes differ. */
export async function difference(
  a: Model,
  b: Model,
  feeds: Record<string, HostTensor>,
): Promise<number> {
  const [left, right] = [await run(a, feeds), await run(b, feeds)];
  let most = 0;
  for (const [name, x] of Object.entries(left)) {
    const y = right[name];
    if (y?.dataType !== x.dataType || `${y.dims}` !== `${x.dims}`) return -1;
    if (x.dataType !== 1) {
      if (x.bytes.some((byte, i) => byte !== y.bytes[i])) return -1;
      continue;
    }
    const [p, q] = [x, y].map(({ bytes }) => new Float32Array(bytes.slice().buffer));
    const scale = Math.max(1e-6, ...(p ?? []).map(Math.abs));
    p?.forEach((value, i) => {
      const other = q?.[i] ?? Number.NaN;
      if (!Object.is(value, other)) most = Math.max(most, Math.abs(value - other) / scale);
    });
  }
  return Number.isNaN(most) ? -1 : most;
}
