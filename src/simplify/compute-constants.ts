/** @file Running the constant part of a model in ONNX Runtime. */
import { makeTensor } from "../graph/build.ts";
import { isDataType } from "../onnx/data-type.ts";
import type { Model, Node, Tensor, ValueInfo } from "../onnx/model.ts";
import { emptyGraph } from "../onnx/read-graph.ts";
import { modelBytes } from "../onnx/write-model.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ValueTypes } from "./value-types.ts";
import type { Wiring } from "./wiring.ts";

interface Computation {
  model: Model;
  /** In topological order; everything they read is a constant or made by another of them. */
  nodes: readonly Node[];
  /** Names of the results that are asked for. */
  wanted: readonly string[];
  wiring: Wiring;
  types: ValueTypes;
  runtime: Runtime;
}

/**
 * The wanted results, by name. Where ONNX Runtime refuses the whole, each wanted value is computed by itself, and
 * those that it refuses are missing.
 */
export async function computeConstants(computation: Computation): Promise<Map<string, Tensor>> {
  const all = await attempt(computation);
  if (all) return all;
  const results = new Map<string, Tensor>();
  if (computation.wanted.length < 2) return results;
  for (const name of computation.wanted) {
    const one = await attempt({ ...computation, wanted: [name] });
    for (const [each, tensor] of one ?? []) results.set(each, tensor);
  }
  return results;
}

async function attempt(computation: Computation): Promise<Map<string, Tensor> | undefined> {
  try {
    return await compute(computation);
  } catch {
    // What ONNX Runtime cannot load or run here stays as it is, for the model's own session to say so.
    return undefined;
  }
}

async function compute(computation: Computation): Promise<Map<string, Tensor>> {
  const session = await computation.runtime.load(await modelBytes(constantModel(computation)));
  try {
    const results = new Map<string, Tensor>();
    for (const [name, { dataType, dims, bytes }] of Object.entries(await session.run({}))) {
      results.set(name, makeTensor(name, dataType, dims, bytes.slice()));
    }
    return results;
  } finally {
    await session.release();
  }
}

function constantModel({ model, nodes, wanted, wiring, types }: Computation): Model {
  const graph = emptyGraph();
  graph.name = "constants";
  const needed = new Set(wanted);
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    graph.nodes.push(node);
  }
  graph.nodes.reverse();
  for (const name of needed) {
    const tensor = wiring.constant(name);
    if (tensor) graph.initializers.set(name, { ...tensor, name });
  }
  graph.outputs = wanted.map((name): ValueInfo => {
    const type = types.elementType(name) ?? 0;
    if (!isDataType(type)) return { name, type: undefined };
    return { name, type: { kind: "tensor", elementType: type, shape: undefined } };
  });
  const { irVersion, opsetImports, producerName, producerVersion, domain, modelVersion } = model;
  return {
    irVersion,
    opsetImports,
    producerName,
    producerVersion,
    domain,
    modelVersion,
    docString: "",
    graph,
    metadata: [],
    functions: [],
  };
}
