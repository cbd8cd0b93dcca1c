/** @file A node's attribute as JSON, for people who look at a graph: weights and subgraphs as their sizes. */
import { dataTypeName } from "../onnx/data-type.ts";
import type { Attribute, Graph, SparseTensor, Tensor } from "../onnx/model.ts";

/** Elements of a list, and characters of a text, that are shown. */
const MAX_SHOWN = 100;

export interface AttributeView {
  name: string;
  /** As in the file: `int`, `floats`, `tensor`, `graph`, … */
  type: string;
  /** Integers beyond 2^53 and numbers that are not finite as text; cut after 100 elements or characters. */
  value: unknown;
}

export function viewAttribute(attribute: Attribute): AttributeView {
  const { name, type, refAttrName } = attribute;
  return { name, type, value: refAttrName ? { attribute: refAttrName } : valueOf(attribute) };
}

function valueOf(attribute: Attribute): unknown {
  switch (attribute.type) {
    case "float":
      return number(attribute.value);
    case "int":
      return integer(attribute.value);
    case "string":
      return text(attribute.value);
    case "floats":
      return attribute.value.slice(0, MAX_SHOWN).map(number);
    case "ints":
      return attribute.value.slice(0, MAX_SHOWN).map(integer);
    case "strings":
      return attribute.value.slice(0, MAX_SHOWN).map(text);
    case "tensor":
      return tensor(attribute.value);
    case "tensors":
      return attribute.value.slice(0, MAX_SHOWN).map(tensor);
    case "graph":
      return graph(attribute.value);
    case "graphs":
      return attribute.value.slice(0, MAX_SHOWN).map(graph);
    case "sparse_tensor":
      return sparse(attribute.value);
    default:
      return null;
  }
}

const number = (value: number) => (Number.isFinite(value) ? value : String(value));
const integer = (value: bigint) =>
  Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
const text = (value: Uint8Array) =>
  new TextDecoder().decode(value.subarray(0, 4 * MAX_SHOWN)).slice(0, MAX_SHOWN);
const tensor = ({ dataType, dims, data }: Tensor) => ({
  data_type: dataTypeName(dataType),
  dims,
  bytes: data.byteLength,
});
const sparse = ({ dims, values }: SparseTensor) => ({
  data_type: dataTypeName(values.dataType),
  dims,
  bytes: values.data.byteLength,
});
const graph = ({ name, nodes }: Graph) => ({ graph: name, nodes: nodes.length });
