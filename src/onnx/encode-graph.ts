/** @file Graphs, nodes, attributes, tensors and types as protobuf messages. */
import { DataType } from "./data-type.ts";
import { Encoder } from "./encoder.ts";
import { encodeFloats, encodeInts } from "./encode-list.ts";
import type {
  Attribute,
  Dimension,
  FunctionDefinition,
  Graph,
  Node,
  OpsetImport,
  SparseTensor,
  StringEntry,
  Tensor,
  TensorType,
  ValueInfo,
} from "./model.ts";
import { shapeKey } from "./read-value-info.ts";
import type { TensorData } from "./tensor-data.ts";

/** Where a tensor's data goes: into the file, or to an offset of the external data file. */
export type PlaceData = (data: TensorData) => { location: string; offset: number } | undefined;

export function encodeGraph(graph: Graph, place: PlaceData): Encoder {
  const out = new Encoder();
  for (const node of graph.nodes) out.message(1, encodeNode(node, place));
  out.text(2, graph.name);
  for (const tensor of graph.initializers.values()) out.message(5, encodeTensor(tensor, place));
  out.optionalText(10, graph.docString);
  for (const info of graph.inputs) out.message(11, encodeValueInfo(info));
  for (const info of graph.outputs) out.message(12, encodeValueInfo(info));
  for (const info of graph.valueInfos) out.message(13, encodeValueInfo(info));
  for (const sparse of graph.sparseInitializers) out.message(15, encodeSparseTensor(sparse, place));
  encodeEntries(out, 16, graph.metadata);
  out.raw(graph.unknown);
  return out;
}

export function encodeNode(node: Node, place: PlaceData): Encoder {
  const out = new Encoder();
  for (const input of node.inputs) out.text(1, input);
  for (const output of node.outputs) out.text(2, output);
  out.optionalText(3, node.name);
  out.text(4, node.opType);
  for (const attribute of node.attributes) out.message(5, encodeAttribute(attribute, place));
  out.optionalText(6, node.docString);
  out.optionalText(7, node.domain);
  out.optionalText(8, node.overload);
  encodeEntries(out, 9, node.metadata);
  out.raw(node.unknown);
  return out;
}

/** AttributeProto.AttributeType by the IR's name. */
const TYPE_CODES: Readonly<Record<Exclude<Attribute["type"], "none">, number>> = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse_tensor: 11,
  sparse_tensors: 12,
  type_proto: 13,
  type_protos: 14,
};

export function encodeAttribute(attribute: Attribute, place: PlaceData): Encoder {
  const out = new Encoder();
  out.text(1, attribute.name);
  switch (attribute.type) {
    case "float":
      out.float(2, attribute.value);
      break;
    case "int":
      out.int(3, attribute.value);
      break;
    case "string":
      out.bytes(4, attribute.value);
      break;
    case "tensor":
      out.message(5, encodeTensor(attribute.value, place));
      break;
    case "graph":
      out.message(6, encodeGraph(attribute.value, place));
      break;
    case "floats":
      encodeFloats(out, 7, attribute.value);
      break;
    case "ints":
      encodeInts(out, 8, attribute.value);
      break;
    case "strings":
      for (const value of attribute.value) out.bytes(9, value);
      break;
    case "tensors":
      for (const tensor of attribute.value) out.message(10, encodeTensor(tensor, place));
      break;
    case "graphs":
      for (const graph of attribute.value) out.message(11, encodeGraph(graph, place));
      break;
    case "type_proto":
      out.bytes(14, attribute.value);
      break;
    case "type_protos":
      for (const type of attribute.value) out.bytes(15, type);
      break;
    case "sparse_tensor":
      out.message(22, encodeSparseTensor(attribute.value, place));
      break;
    case "sparse_tensors":
      for (const sparse of attribute.value) out.message(23, encodeSparseTensor(sparse, place));
      break;
    case "none":
      break;
  }
  out.optionalText(13, attribute.docString);
  const typeCode = attribute.type === "none" ? attribute.typeCode : TYPE_CODES[attribute.type];
  if (typeCode !== 0) out.int(20, typeCode);
  out.optionalText(21, attribute.refAttrName);
  out.raw(attribute.unknown);
  return out;
}

export function encodeTensor(tensor: Tensor, place: PlaceData): Encoder {
  const out = new Encoder();
  for (const dim of tensor.dims) out.int(1, dim);
  out.int(2, tensor.dataType);
  out.optionalText(8, tensor.name);
  out.optionalText(12, tensor.docString);
  encodeEntries(out, 16, tensor.metadata);
  out.raw(tensor.unknown);
  if (tensor.dataType === DataType.string) {
    for (const text of tensor.strings ?? []) out.bytes(6, text);
    return out;
  }
  const external = place(tensor.data);
  if (!external) {
    encodeData(out, tensor);
    return out;
  }
  encodeEntries(out, 13, [
    { key: "location", value: external.location },
    { key: "offset", value: String(external.offset) },
    { key: "length", value: String(tensor.data.byteLength) },
  ]);
  out.int(14, 1);
  return out;
}

/** raw_data, or the varints that the file had, which are shorter for small integers, where no pass replaced them. */
function encodeData(out: Encoder, tensor: Tensor): void {
  const { data, varints } = tensor;
  if (varints && varints.of === data) out.data(varints.field, varints.packed);
  else out.data(9, data);
}

function encodeSparseTensor(sparse: SparseTensor, place: PlaceData): Encoder {
  const out = new Encoder();
  out.message(1, encodeTensor(sparse.values, place));
  out.message(2, encodeTensor(sparse.indices, place));
  for (const dim of sparse.dims) out.int(3, dim);
  out.raw(sparse.unknown);
  return out;
}

export function encodeValueInfo(info: ValueInfo): Encoder {
  const out = new Encoder();
  out.text(1, info.name);
  if (info.type?.kind === "opaque") out.bytes(2, info.type.bytes);
  else if (info.type) encodeTensorType(out, info.type);
  out.optionalText(3, info.docString);
  encodeEntries(out, 4, info.metadata);
  out.raw(info.unknown);
  return out;
}

/** Writes TypeProto as field 2: the original bytes while no pass has changed what they say. */
function encodeTensorType(out: Encoder, type: TensorType): void {
  const { original } = type;
  if (
    original &&
    original.elementType === type.elementType &&
    original.shape === shapeKey(type.shape)
  ) {
    out.bytes(2, original.bytes);
    return;
  }
  const tensor = new Encoder();
  tensor.int(1, type.elementType);
  if (type.shape) {
    const shape = new Encoder();
    for (const dimension of type.shape) shape.message(1, encodeDimension(dimension));
    tensor.message(2, shape);
  }
  const proto = new Encoder();
  proto.message(1, tensor);
  out.message(2, proto);
}

function encodeDimension(dimension: Dimension): Encoder {
  const out = new Encoder();
  if (typeof dimension === "number") out.int(1, dimension);
  else if (dimension) out.text(2, dimension);
  return out;
}

export function encodeFunction(definition: FunctionDefinition, place: PlaceData): Encoder {
  const out = new Encoder();
  out.text(1, definition.name);
  for (const input of definition.inputs) out.text(4, input);
  for (const output of definition.outputs) out.text(5, output);
  for (const name of definition.attributeNames) out.text(6, name);
  for (const node of definition.nodes) out.message(7, encodeNode(node, place));
  out.optionalText(8, definition.docString);
  for (const entry of definition.opsetImports) out.message(9, encodeOpsetImport(entry));
  out.text(10, definition.domain);
  for (const attribute of definition.attributeDefaults)
    out.message(11, encodeAttribute(attribute, place));
  for (const info of definition.valueInfos) out.message(12, encodeValueInfo(info));
  out.optionalText(13, definition.overload);
  encodeEntries(out, 14, definition.metadata);
  out.raw(definition.unknown);
  return out;
}

export function encodeOpsetImport(entry: OpsetImport): Encoder {
  const out = new Encoder();
  out.optionalText(1, entry.domain);
  out.int(2, entry.version);
  return out;
}

export function encodeEntries(
  out: Encoder,
  field: number,
  entries: readonly StringEntry[] | undefined,
): void {
  for (const { key, value } of entries ?? []) {
    const entry = new Encoder();
    entry.text(1, key);
    entry.text(2, value);
    out.message(field, entry);
  }
}
