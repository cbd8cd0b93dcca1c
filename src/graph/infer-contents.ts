/** @file The contents of small constants: shapes, axes and scales, not weights. */
import { DataType, elementCount } from "../onnx/data-type.ts";
import type { Graph, Model, Node, Tensor } from "../onnx/model.ts";
import { RangeData } from "../onnx/tensor-data.ts";
import { subgraphs } from "./attributes.ts";
import { tensorNumbers } from "./constants.ts";
import { MAX_FOLLOWED } from "./infer-rule.ts";

/** Most elements of a float constant that are read: scales of Resize, not weights. */
const MAX_FLOATS = 16;

/** The contents of small constants, read once so that the rules need not wait. */
export async function readContents(model: Model): Promise<Map<Tensor, number[]>> {
  const contents = new Map<Tensor, number[]>();
  const tensors = [...smallTensors(model.graph.nodes, [model.graph])];
  for (const definition of model.functions) tensors.push(...smallTensors(definition.nodes, []));
  for (const tensor of tensors) {
    const numbers = await tensorNumbers(tensor).catch(() => undefined);
    if (numbers) contents.set(tensor, numbers);
  }
  return contents;
}

function* smallTensors(nodes: readonly Node[], graphs: readonly Graph[]): Generator<Tensor> {
  for (const graph of graphs) {
    for (const tensor of graph.initializers.values()) if (isSmall(tensor)) yield tensor;
  }
  for (const node of nodes) {
    if (node.opType === "Constant") {
      for (const attribute of node.attributes) {
        if (attribute.type === "tensor" && isSmall(attribute.value)) yield attribute.value;
      }
    }
    for (const body of subgraphs(node)) yield* smallTensors(body.nodes, [body]);
  }
}

function isSmall(tensor: Tensor): boolean {
  const { dataType } = tensor;
  const isFloat =
    dataType === DataType.float32 || dataType === DataType.float64 || dataType === DataType.float16;
  const count = elementCount(tensor.dims);
  const isStored = tensor.data.inMemory || tensor.data instanceof RangeData;
  return isStored && tensor.dims.length <= 1 && count <= (isFloat ? MAX_FLOATS : MAX_FOLLOWED);
}
