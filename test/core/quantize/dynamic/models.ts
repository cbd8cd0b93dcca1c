/** @file Models made by hand, and running them. */
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { makeTensor } from "../../../../src/graph/build.ts";
import { DataType, elementCount } from "../../../../src/onnx/data-type.ts";
import type {
  Dimension,
  Graph,
  Model,
  Node,
  Tensor,
  ValueInfo,
} from "../../../../src/onnx/model.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";

export type Shapes = Record<string, Dimension[]>;

export function graphOf(
  nodes: Node[],
  inputs: Shapes,
  outputs: Shapes,
  weights: Tensor[] = [],
): Graph {
  return {
    name: "g",
    docString: "",
    nodes,
    initializers: new Map(weights.map((tensor) => [tensor.name, tensor])),
    sparseInitializers: [],
    inputs: infos(inputs),
    outputs: infos(outputs),
    valueInfos: [],
    metadata: [],
  };
}

/** Names that begin with "ids" are int64, with "yes" bool, all others float32. */
function infos(shapes: Shapes): ValueInfo[] {
  return Object.entries(shapes).map(([name, shape]) => {
    const elementType = name.startsWith("ids") ? 7 : name.startsWith("yes") ? 9 : 1;
    return { name, type: { kind: "tensor", elementType, shape } };
  });
}

export function modelOf(graph: Graph, opset = 17, irVersion = 8): Model {
  return {
    irVersion,
    opsetImports: [{ domain: "", version: opset }],
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

/** Repeatable values in -1 … 1. */
export function noise(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

export function weight(
  name: string,
  dims: number[],
  values = noise(elementCount(dims), name.length),
): Tensor {
  return makeTensor(name, DataType.float32, dims, new Uint8Array(values.buffer));
}

export async function run(
  model: Model,
  feeds: Record<string, OrtTensor>,
): Promise<Record<string, Float32Array>> {
  const session = await InferenceSession.create(await modelBytes(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const results = await session.run(feeds);
  const found = session.outputNames.map((name) => [name, results[name]?.data as Float32Array]);
  await session.release();
  return Object.fromEntries(found);
}

export const floats = (dims: number[], seed = 3) =>
  new OrtTensor("float32", noise(elementCount(dims), seed), dims);

export const ids = (...values: number[]) =>
  new OrtTensor("int64", BigInt64Array.from(values.map(BigInt)), [values.length]);

export function cosine(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (!a || !b || a.length !== b.length) return NaN;
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    ab += x * (b[i] ?? 0);
    aa += x * x;
    bb += (b[i] ?? 0) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
