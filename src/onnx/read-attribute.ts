/** @file AttributeProto: one value, of the type that the attribute says it has. */
import { COST } from "./heap-budget.ts";
import type { Attribute, AttributeValue, Graph, SparseTensor, Tensor } from "./model.ts";
import { GraphReader } from "./read-graph.ts";
import { readSparseTensor } from "./read-sparse-tensor.ts";
import { readTensor } from "./read-tensor.ts";
import type { Reading } from "./reading.ts";
import { UnknownFields } from "./unknown-fields.ts";

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
  wire.spend(COST.attribute);
  const base: { name: string; docString?: string; refAttrName?: string; unknown?: Uint8Array } = {
    name: "",
  };
  const unknown = new UnknownFields(wire);
  let typeCode: number | undefined;
  let float: number | undefined;
  let int: bigint | undefined;
  let string: Uint8Array | undefined;
  let tensor: Tensor | undefined;
  let graph: GraphReader | undefined;
  let sparse: SparseTensor | undefined;
  let typeProto: Uint8Array | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: Uint8Array[] = [];
  const tensors: Tensor[] = [];
  const graphs: Graph[] = [];
  const sparses: SparseTensor[] = [];
  const typeProtos: Uint8Array[] = [];
  const twice = () => reading.invalid(`attribute "${base.name}" has two values`, start);
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
        if (tensor) throw twice();
        tensor = readTensor(reading, wire.length(end));
        break;
      case 6:
        graph ??= new GraphReader(reading, depth + 1);
        graph.read(wire.length(end));
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
        const body = new GraphReader(reading, depth + 1);
        body.read(wire.length(end));
        graphs.push(body.finish());
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
        if (sparse) throw twice();
        sparse = readSparseTensor(reading, wire.length(end));
        break;
      case 23:
        sparses.push(readSparseTensor(reading, wire.length(end)));
        break;
      default:
        unknown.keep(end);
    }
  }
  if (base.name === "") throw reading.invalid("an attribute has no name", start);
  Object.assign(base, unknown.property);
  const present: Partial<Record<AttributeValue["type"], unknown>> = {
    float,
    int,
    string,
    tensor,
    graph: graph?.finish(),
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
