/** @file GraphProto, NodeProto and AttributeProto, which contain one another. */
import type { Attribute, AttributeValue, Graph, Node, SparseTensor, Tensor } from "./model.ts";
import { readSparseTensor, readTensor } from "./read-tensor.ts";
import { readValueInfo } from "./read-value-info.ts";
import type { Reading } from "./reading.ts";

export function emptyGraph(): Graph {
  return {
    name: "",
    docString: "",
    nodes: [],
    initializers: new Map(),
    sparseInitializers: [],
    inputs: [],
    outputs: [],
    valueInfos: [],
    metadata: [],
  };
}

/**
 * Reads a graph's fields into `graph`. A message may come in several pieces, which protobuf merges,
 * so the model's graph is filled piece by piece.
 */
export function readGraphInto(reading: Reading, graph: Graph, end: number, depth: number): void {
  const { wire } = reading;
  if (depth > wire.limits.maxDepth) {
    throw reading.limit(`graphs are nested deeper than ${wire.limits.maxDepth}`, wire.position);
  }
  const unknown: Uint8Array[] = graph.unknown ? [graph.unknown] : [];
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        graph.nodes.push(readNode(reading, wire.length(end), depth));
        break;
      case 2:
        graph.name = wire.text(end);
        break;
      case 5:
        addInitializer(reading, graph, readTensor(reading, wire.length(end)));
        break;
      case 10:
        graph.docString = wire.text(end);
        break;
      case 11:
        graph.inputs.push(readValueInfo(reading, wire.length(end)));
        break;
      case 12:
        graph.outputs.push(readValueInfo(reading, wire.length(end)));
        break;
      case 13:
        graph.valueInfos.push(readValueInfo(reading, wire.length(end)));
        break;
      case 15:
        reading.countValue();
        graph.sparseInitializers.push(readSparseTensor(reading, wire.length(end)));
        break;
      case 16:
        graph.metadata.push(reading.stringEntry(end));
        break;
      default:
        unknown.push(wire.unknown(end));
    }
  }
  if (unknown.length > 0) graph.unknown = reading.join(unknown);
}

function addInitializer(reading: Reading, graph: Graph, tensor: Tensor): void {
  reading.countValue();
  if (tensor.name === "") {
    throw reading.invalid(
      `an initializer of graph "${graph.name}" has no name`,
      reading.wire.position,
    );
  }
  if (graph.initializers.has(tensor.name)) {
    throw reading.invalid(`initializer "${tensor.name}" is defined twice`, reading.wire.position);
  }
  graph.initializers.set(tensor.name, tensor);
}

export function readNode(reading: Reading, end: number, depth: number): Node {
  const { wire } = reading;
  reading.countNode();
  const start = wire.position;
  const unknown: Uint8Array[] = [];
  const node: Node = {
    opType: "",
    domain: "",
    name: "",
    inputs: [],
    outputs: [],
    attributes: [],
    docString: "",
    overload: "",
    metadata: [],
  };
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        node.inputs.push(wire.nameText(end));
        break;
      case 2:
        node.outputs.push(wire.nameText(end));
        break;
      case 3:
        node.name = wire.nameText(end);
        break;
      case 4:
        node.opType = reading.intern(wire.nameText(end));
        break;
      case 5:
        node.attributes.push(readAttribute(reading, wire.length(end), depth));
        break;
      case 6:
        node.docString = wire.text(end);
        break;
      case 7:
        node.domain = normalDomain(reading.intern(wire.nameText(end)));
        break;
      case 8:
        node.overload = wire.nameText(end);
        break;
      case 9:
        node.metadata.push(reading.stringEntry(end));
        break;
      default:
        unknown.push(wire.unknown(end));
    }
  }
  if (node.opType === "") throw reading.invalid(`node "${node.name}" has no op_type`, start);
  if (unknown.length > 0) node.unknown = reading.join(unknown);
  const seen = new Set<string>();
  for (const { name } of node.attributes) {
    if (seen.has(name)) {
      throw reading.invalid(
        `${node.opType} "${node.name}" has the attribute "${name}" twice`,
        start,
      );
    }
    seen.add(name);
  }
  return node;
}

/** `ai.onnx` is the long form of the default domain. */
export function normalDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

/** AttributeProto.AttributeType. */
const TYPES = [
  "none",
  "float",
  "int",
  "string",
  "tensor",
  "graph",
  "floats",
  "ints",
  "strings",
  "tensors",
  "graphs",
  "sparse_tensor",
  "sparse_tensors",
  "type_proto",
  "type_protos",
] as const satisfies readonly AttributeValue["type"][];

export function readAttribute(reading: Reading, end: number, depth: number): Attribute {
  const { wire } = reading;
  const start = wire.position;
  const base: { name: string; docString?: string; refAttrName?: string; unknown?: Uint8Array } = {
    name: "",
  };
  const unknown: Uint8Array[] = [];
  let typeCode: number | undefined;
  let float: number | undefined;
  let int: bigint | undefined;
  let string: Uint8Array | undefined;
  let tensor: Tensor | undefined;
  let graph: Graph | undefined;
  let sparse: SparseTensor | undefined;
  let typeProto: Uint8Array | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: Uint8Array[] = [];
  const tensors: Tensor[] = [];
  const graphs: Graph[] = [];
  const sparses: SparseTensor[] = [];
  const typeProtos: Uint8Array[] = [];
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        base.name = reading.intern(wire.nameText(end));
        break;
      case 2:
        float = wire.float32Field(end);
        break;
      case 3:
        int = wire.int64Field(end);
        break;
      case 4:
        string = wire.bytes(end);
        break;
      case 5:
        tensor = readTensor(reading, wire.length(end));
        break;
      case 6:
        readGraphInto(reading, (graph ??= emptyGraph()), wire.length(end), depth + 1);
        break;
      case 7:
        wire.float32s(end, floats);
        break;
      case 8:
        wire.int64s(end, ints);
        break;
      case 9:
        strings.push(wire.bytes(end));
        break;
      case 10:
        tensors.push(readTensor(reading, wire.length(end)));
        break;
      case 11: {
        const body = emptyGraph();
        readGraphInto(reading, body, wire.length(end), depth + 1);
        graphs.push(body);
        break;
      }
      case 13:
        base.docString = wire.text(end);
        break;
      case 14:
        typeProto = wire.bytes(end);
        break;
      case 15:
        typeProtos.push(wire.bytes(end));
        break;
      case 20:
        typeCode = wire.intField(end, "attribute type");
        break;
      case 21:
        base.refAttrName = wire.nameText(end);
        break;
      case 22:
        sparse = readSparseTensor(reading, wire.length(end));
        break;
      case 23:
        sparses.push(readSparseTensor(reading, wire.length(end)));
        break;
      default:
        unknown.push(wire.unknown(end));
    }
  }
  if (base.name === "") throw reading.invalid("an attribute has no name", start);
  if (unknown.length > 0) base.unknown = reading.join(unknown);
  const present: Partial<Record<AttributeValue["type"], unknown>> = {
    float,
    int,
    string,
    tensor,
    graph,
    sparse_tensor: sparse,
    type_proto: typeProto,
    floats: filled(floats),
    ints: filled(ints),
    strings: filled(strings),
    tensors: filled(tensors),
    graphs: filled(graphs),
    sparse_tensors: filled(sparses),
    type_protos: filled(typeProtos),
  };
  const given = TYPES.filter((type) => present[type] !== undefined);
  // Files of IR version 1 have no type field: the field that is set tells it.
  const type = typeCode === undefined || typeCode === 0 ? (given[0] ?? "none") : TYPES[typeCode];
  if (type === undefined)
    throw reading.invalid(`attribute "${base.name}" has type ${typeCode}`, start);
  if (given.some((other) => other !== type)) {
    throw reading.invalid(
      `attribute "${base.name}" of type ${type} has a value of type ${given.find((other) => other !== type)}`,
      start,
    );
  }
  if (base.refAttrName !== undefined || type === "none") {
    return { ...base, type: "none", typeCode: typeCode ?? 0 };
  }
  const value = present[type] ?? DEFAULTS[type];
  if (value === undefined)
    throw reading.invalid(`attribute "${base.name}" of type ${type} has no value`, start);
  return { ...base, type, value } as Attribute;
}

function filled<T>(list: T[]): T[] | undefined {
  return list.length > 0 ? list : undefined;
}

/** What an absent field means: proto2's zero for scalars, no elements for lists. */
const DEFAULTS: Partial<Record<AttributeValue["type"], unknown>> = {
  float: 0,
  int: 0n,
  string: new Uint8Array(0),
  floats: [],
  ints: [],
  strings: [],
  tensors: [],
  graphs: [],
  sparse_tensors: [],
  type_protos: [],
};
