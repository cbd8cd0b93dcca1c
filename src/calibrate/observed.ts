/** @file Which values of a model are observed, and the model that hands them out. */
import { cloneModel } from "../graph/clone.ts";
import { inferTypes } from "../graph/infer.ts";
import { Scope } from "../graph/scope.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import { selectStaticNodes, type StaticOptions } from "../quantize/static/options.ts";

export interface Observed {
  /** Inputs of the graph: what is fed says their range. */
  inputs: string[];
  /** Values that nodes make, in the graph's order. */
  values: string[];
}

/**
 * All float32 values that nodes of the selected op types read and make, excluded nodes' too.
 * @throws UnknownNameError when an option names what the model does not have
 */
export async function observedValues(model: Model, options: StaticOptions): Promise<Observed> {
  const { observed } = selectStaticNodes(model, options);
  const { graph } = model;
  const scope = Scope.of(graph);
  const types = await inferTypes(model);
  const fed = new Set(graph.inputs.map(({ name }) => name));
  const found = { inputs: new Set<string>(), values: new Set<string>() };
  for (const node of graph.nodes) {
    if (!observed(node)) continue;
    for (const name of [...node.inputs, ...node.outputs]) {
      if (name === "" || graph.initializers.has(name)) continue;
      if (types.elementType(scope, name) !== DataType.float32) continue;
      found[fed.has(name) ? "inputs" : "values"].add(name);
    }
  }
  return { inputs: [...found.inputs], values: [...found.values] };
}

/** The model with these values as outputs too. */
export function withOutputs(model: Model, names: readonly string[]): Model {
  const copy = cloneModel(model);
  const { outputs } = copy.graph;
  const there = new Set(outputs.map(({ name }) => name));
  for (const name of names) {
    if (there.has(name)) continue;
    const type = { kind: "tensor", elementType: DataType.float32, shape: undefined } as const;
    outputs.push({ name, type });
  }
  return copy;
}
