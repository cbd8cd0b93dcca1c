/** @file A model on its way in: read, checked, and described. */
import type { ModelInput } from "../compress/types.ts";
import { opsetVersion } from "../graph/build.ts";
import { checkModel } from "../graph/check.ts";
import { checkSparse } from "../graph/check-sparse.ts";
import { Scope } from "../graph/scope.ts";
import { dataTypeName, elementCount } from "../onnx/data-type.ts";
import type { Graph, Model, ValueInfo } from "../onnx/model.ts";
import { readModel } from "../onnx/read-model.ts";
import { OPERATORS } from "../compress/operator-table.ts";
import type { ModelDescription, ValueDescription } from "../store/models.ts";

export interface InspectedModel {
  model: Model;
  description: ModelDescription;
  /** External data files that the model names. */
  locations: Set<string>;
}

/** @throws OnnxError for what is not a model, or not a valid one */
export async function inspectModel(input: ModelInput): Promise<InspectedModel> {
  const locations = new Set<string>();
  const model = await readModel(input.source, {
    external: async (location) => {
      locations.add(location);
      return await input.external?.(location);
    },
  });
  checkModel(model, OPERATORS);
  await checkSparse(model);
  return { model, description: describe(model), locations };
}

function describe(model: Model): ModelDescription {
  const { graph } = model;
  const opsets = model.opsetImports.map(({ domain, version }) => [domain || "ai.onnx", version]);
  const graphs = [...Scope.of(graph).walk()].map((scope) => scope.graph);
  const isWeight = ({ name }: ValueInfo) => graph.initializers.has(name);
  return {
    ir_version: model.irVersion,
    opset: opsetVersion(model) ?? null,
    opsets: Object.fromEntries(opsets),
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(" "),
    nodes: graphs.reduce((sum, { nodes }) => sum + nodes.length, 0),
    parameters: graphs.reduce((sum, each) => sum + parametersOf(each), 0),
    inputs: graph.inputs.filter((info) => !isWeight(info)).map(describeValue),
    outputs: graph.outputs.map(describeValue),
  };
}

/** Elements of initializers and of Constant nodes. */
function parametersOf(graph: Graph): number {
  let count = 0;
  for (const tensor of graph.initializers.values()) count += elementCount(tensor.dims);
  for (const { dims } of graph.sparseInitializers) count += elementCount(dims);
  for (const node of graph.nodes) {
    if (node.opType !== "Constant") continue;
    for (const attribute of node.attributes) {
      if (attribute.type === "tensor") count += elementCount(attribute.value.dims);
    }
  }
  return count;
}

export function describeValue(info: ValueInfo): ValueDescription {
  const { name, type } = info;
  if (type?.kind !== "tensor")
    return { name, type: type ? "not a tensor" : "unknown", shape: null };
  const shape = type.shape?.map((dimension) => dimension ?? null) ?? null;
  return { name, type: dataTypeName(type.elementType), shape };
}
