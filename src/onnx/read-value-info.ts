/** @file ValueInfoProto and TypeProto. */
import { COST } from "./heap-budget.ts";
import type { Dimension, OpaqueType, TensorType, ValueInfo } from "./model.ts";
import type { Reading } from "./reading.ts";
import { UnknownFields } from "./unknown-fields.ts";

export function readValueInfo(reading: Reading, end: number): ValueInfo {
  const { wire } = reading;
  reading.countValue();
  wire.spend(COST.valueInfo);
  const info: ValueInfo = { name: "", type: undefined };
  const unknown = new UnknownFields(wire);
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        info.name = wire.nameText(end);
        break;
      case 2:
        info.type = readType(reading, wire.length(end));
        break;
      case 3:
        info.docString = wire.text(end);
        break;
      case 4:
        (info.metadata ??= []).push(reading.stringEntry(end));
        break;
      default:
        unknown.keep(end);
    }
  }
  return Object.assign(info, unknown.property);
}

/** Fingerprint of a shape, to tell whether a pass changed it. */
export function shapeKey(shape: Dimension[] | undefined): string {
  return JSON.stringify(shape?.map((dim) => dim ?? null) ?? null);
}

function readType(reading: Reading, end: number): TensorType | OpaqueType {
  const { wire } = reading;
  const start = wire.position;
  let tensor: TensorType | undefined;
  let others = 0;
  while (wire.next(end)) {
    if (wire.field === 1) tensor = readTensorType(reading, wire.length(end));
    else {
      others++;
      wire.skip(end);
    }
  }
  const bytes = () => {
    wire.spend(COST.bytes + end - start);
    return wire.copy(wire.viewOf(start, end));
  };
  if (!tensor) return { kind: "opaque", bytes: bytes() };
  if (others > 0 || tensor.original) {
    tensor.original = {
      bytes: bytes(),
      elementType: tensor.elementType,
      shape: shapeKey(tensor.shape),
    };
  }
  return tensor;
}

/** `original` is set, empty, when there are fields that the object does not hold. */
function readTensorType(reading: Reading, end: number): TensorType {
  const { wire } = reading;
  const type: TensorType = { kind: "tensor", elementType: 0, shape: undefined };
  let extra = false;
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        type.elementType = wire.intField(end, "elem_type");
        break;
      case 2: {
        const shape = readShape(reading, wire.length(end));
        type.shape = shape.dims;
        extra ||= shape.extra;
        break;
      }
      default:
        extra = true;
        wire.skip(end);
    }
  }
  if (extra) type.original = { bytes: new Uint8Array(0), elementType: 0, shape: "" };
  return type;
}

function readShape(reading: Reading, end: number): { dims: Dimension[]; extra: boolean } {
  const { wire } = reading;
  const { maxRank } = wire.limits;
  const dims: Dimension[] = [];
  let extra = false;
  while (wire.next(end)) {
    if (wire.field === 1) {
      if (dims.length === maxRank) {
        throw wire.error("limit_exceeded", `a shape has more than ${maxRank} dimensions`);
      }
      const dim = readDimension(reading, wire.length(end));
      dims.push(dim.value);
      extra ||= dim.extra;
    } else {
      extra = true;
      wire.skip(end);
    }
  }
  return { dims, extra };
}

/** A negative size, which some exporters write for "unknown", reads as unknown. */
function readDimension(reading: Reading, end: number): { value: Dimension; extra: boolean } {
  const { wire } = reading;
  let value: Dimension;
  let extra = false;
  while (wire.next(end)) {
    switch (wire.field) {
      case 1: {
        const size = wire.int64Field(end);
        if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
          throw wire.error("invalid_model", `a dimension of ${size} is more than any memory holds`);
        }
        value = size < 0n ? undefined : Number(size);
        extra ||= size < 0n;
        break;
      }
      case 2:
        value = wire.text(end) || undefined;
        break;
      default:
        extra = true;
        wire.skip(end);
    }
  }
  return { value, extra };
}
