/** @file A copy of a model whose graph a pass may change; the lazy data is shared. */
import type { Attribute, Graph, Model, Node, ValueInfo } from "../onnx/model.ts";

export function cloneModel(model: Model): Model {
  return {
    ...model,
    opsetImports: model.opsetImports.map((entry) => ({ ...entry })),
    metadata: model.metadata.map((entry) => ({ ...entry })),
    functions: model.functions.map((definition) => ({
      ...definition,
      nodes: definition.nodes.map(cloneNode),
      opsetImports: definition.opsetImports.map((entry) => ({ ...entry })),
    })),
    graph: cloneGraph(model.graph),
  };
}

export function cloneGraph(graph: Graph): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map(cloneNode),
    initializers: new Map(
      [...graph.initializers].map(([name, tensor]) => [
        name,
        { ...tensor, dims: [...tensor.dims] },
      ]),
    ),
    sparseInitializers: [...graph.sparseInitializers],
    inputs: graph.inputs.map(cloneValueInfo),
    outputs: graph.outputs.map(cloneValueInfo),
    valueInfos: graph.valueInfos.map(cloneValueInfo),
    metadata: graph.metadata.map((entry) => ({ ...entry })),
  };
}

export function cloneNode(node: Node): Node {
  return {
    ...node,
    inputs: [...node.inputs],
    outputs: [...node.outputs],
    attributes: node.attributes.map(cloneAttribute),
  };
}

function cloneAttribute(attribute: Attribute): Attribute {
  switch (attribute.type) {
    case "graph":
      return { ...attribute, value: cloneGraph(attribute.value) };
    case "graphs":
      return { ...attribute, value: attribute.value.map(cloneGraph) };
    case "tensor":
      return { ...attribute, value: { ...attribute.value, dims: [...attribute.value.dims] } };
    default:
      return { ...attribute };
  }
}

function cloneValueInfo(info: ValueInfo): ValueInfo {
  if (info.type?.kind !== "tensor") return { ...info };
  const shape = info.type.shape && [...info.type.shape];
  return { ...info, type: { ...info.type, shape } };
}
