/** @file TensorProto: dims and type against the data, wherever the data is. */
import { DataType, dataTypeName, elementCount, isDataType, rawByteLength } from "./data-type.ts";
import { ElementRuns, FIELD, type Range } from "./element-runs.ts";
import { COST } from "./heap-budget.ts";
import type { StringEntry, Tensor } from "./model.ts";
import type { Reading } from "./reading.ts";
import { MemorySource } from "./source.ts";
import { BytesData, NO_DATA, RangeData, type TensorData } from "./tensor-data.ts";
import { UnknownFields } from "./unknown-fields.ts";
import { bytesPerEntry, decodeVarints, VarintData } from "./varint-data.ts";

const FIELD_NAMES: Readonly<Record<number, string>> = {
  4: "float_data",
  5: "int32_data",
  6: "string_data",
  7: "int64_data",
  9: "raw_data",
  10: "double_data",
  11: "uint64_data",
};

/** Typed fields of fixed-width elements hold the raw form already: bytes per entry. */
const FIXED_WIDTH: Readonly<Record<number, number>> = { [FIELD.float]: 4, [FIELD.double]: 8 };

/** Longer varints are decoded as they are used, since each of their bytes may become eight. */
const DECODED_BYTES = 4096;

/** Data in memory below this size is copied out, so that the skeleton's buffers can go. */
const COPY_BYTES = 4096;

/** The typed field that the specification assigns to a data type. */
function typedField(type: DataType): number {
  switch (type) {
    case DataType.float32:
    case DataType.complex64:
      return FIELD.float;
    case DataType.float64:
    case DataType.complex128:
      return FIELD.double;
    case DataType.int64:
      return FIELD.int64;
    case DataType.uint32:
    case DataType.uint64:
      return FIELD.uint64;
    case DataType.string:
      return FIELD.string;
    default:
      return FIELD.int32;
  }
}

export function readTensor(reading: Reading, end: number): Tensor {
  const { wire } = reading;
  const start = wire.position;
  wire.spend(COST.tensor);
  const dims: bigint[] = [];
  const runs = new ElementRuns(wire);
  const strings: Uint8Array[] = [];
  const externalEntries: StringEntry[] = [];
  const unknown = new UnknownFields(wire);
  const metadata: StringEntry[] = [];
  let name = "";
  let typeCode = 0;
  let docString: string | undefined;
  let location = 0;
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        wire.int64s(end, dims);
        break;
      case 2:
        typeCode = wire.intField(end, "data_type");
        break;
      case 3:
        throw wire.error("unsupported", `tensor "${name}" is stored in segments`);
      case FIELD.float:
      case FIELD.int32:
      case FIELD.int64:
      case FIELD.double:
      case FIELD.uint64:
      case FIELD.raw:
        runs.add(end);
        break;
      case FIELD.string:
        strings.push(wire.bytes(end));
        break;
      case 8:
        name = wire.nameText(end);
        break;
      case 12:
        docString = wire.text(end);
        break;
      case 13:
        externalEntries.push(reading.stringEntry(end));
        break;
      case 14:
        location = wire.intField(end, "data_location");
        break;
      case 16:
        metadata.push(reading.stringEntry(end));
        break;
      default:
        unknown.keep(end);
    }
  }
  wire.position = end;
  const fail = (message: string) => reading.invalid(`${message} in tensor "${name}"`, start);
  if (!isDataType(typeCode)) throw fail(`data_type ${typeCode} does not exist`);
  const tensor: Tensor = {
    name,
    dataType: typeCode,
    dims: checkDims(reading, dims, name, start),
    data: NO_DATA,
  };
  if (docString !== undefined) tensor.docString = docString;
  if (metadata.length > 0) tensor.metadata = metadata;
  Object.assign(tensor, unknown.property);
  const filled = runs.fields;
  if (location === 1) {
    if (filled.length > 0 || strings.length > 0) throw fail("external data and data in the file");
    if (typeCode === DataType.string) throw fail("strings cannot be external data");
    reading.pendingExternal.push({ tensor, entries: externalEntries, offset: start });
    return tensor;
  }
  if (location !== 0) throw fail(`data_location ${location} does not exist`);
  if (filled.length + (strings.length > 0 ? 1 : 0) > 1) {
    throw fail(
      `data is given more than once, in ${filled.map((field) => FIELD_NAMES[field]).join(" and ")}`,
    );
  }
  if (typeCode === DataType.string) {
    const need = elementCount(tensor.dims);
    if (filled.length > 0) throw fail(`strings are kept in ${FIELD_NAMES[filled[0] ?? 0]}`);
    if (strings.length !== need)
      throw fail(`${strings.length} strings, dims [${tensor.dims}] need ${need}`);
    tensor.strings = strings;
    return tensor;
  }
  if (strings.length > 0) throw fail(`string_data for ${dataTypeName(typeCode)}`);
  tensor.data = elementData(reading, tensor, filled[0], runs, start);
  return tensor;
}

function elementData(
  reading: Reading,
  tensor: Tensor,
  field: number | undefined,
  runs: ElementRuns,
  start: number,
): TensorData {
  const { name, dataType, dims } = tensor;
  const need = rawByteLength(dataType, elementCount(dims));
  const fail = (have: string) =>
    reading.invalid(
      `${have} of "${name}", dims [${dims}] of ${dataTypeName(dataType)} need ${need} bytes`,
      start,
    );
  if (field === undefined) {
    if (need > 0) throw fail("no data");
    return NO_DATA;
  }
  const range = runs.range(field);
  if (field !== FIELD.raw && field !== typedField(dataType)) {
    throw reading.invalid(
      `"${name}" of ${dataTypeName(dataType)} keeps its data in ${FIELD_NAMES[field]}, not ${FIELD_NAMES[typedField(dataType)]}`,
      start,
    );
  }
  const width = field === FIELD.raw ? 1 : FIXED_WIDTH[field];
  if (width !== undefined) {
    const length = runs.byteLength(field);
    if (length !== need) throw fail(`${FIELD_NAMES[field]} has ${length} bytes`);
    return range ? rangeOrCopy(reading, range) : new BytesData(runs.joined(field));
  }
  const entryBytes = bytesPerEntry(dataType);
  const length = runs.byteLength(field);
  if (length > DECODED_BYTES || (range && !reading.wire.inMemory(range.start, range.stop))) {
    const source = range ? reading.source : new MemorySource(runs.joined(field));
    const data = new VarintData(source, range?.start ?? 0, length, need, entryBytes);
    reading.pendingVarints.push({ data, entries: need / entryBytes, name, offset: start });
    tensor.varints = { field, packed: data.packed, of: data };
    return data;
  }
  const packed = runs.joined(field);
  const decoded = decodeVarints(packed, entryBytes);
  if (decoded.length !== need) {
    throw fail(`${FIELD_NAMES[field]} has ${decoded.length / entryBytes} entries`);
  }
  reading.wire.spend(COST.bytes + need);
  const data = new BytesData(reading.wire.copy(decoded));
  tensor.varints = { field, packed: new BytesData(packed), of: data };
  return data;
}

function rangeOrCopy({ wire, source }: Reading, { start, stop }: Range): TensorData {
  if (stop - start > COPY_BYTES || !wire.inMemory(start, stop)) {
    return new RangeData(source, start, stop - start);
  }
  wire.spend(COST.bytes + stop - start);
  return new BytesData(wire.copy(wire.viewOf(start, stop)));
}

export function checkDims(
  reading: Reading,
  dims: readonly bigint[],
  name: string,
  start: number,
): number[] {
  if (dims.length > reading.wire.limits.maxRank) {
    throw reading.limit(
      `"${name}" has ${dims.length} dimensions, more than ${reading.wire.limits.maxRank}`,
      start,
    );
  }
  let product = 1n;
  for (const dim of dims) {
    if (dim < 0n) throw reading.invalid(`"${name}" has a negative dimension: [${dims}]`, start);
    product *= dim;
  }
  if (product > 1n << 50n || dims.some((dim) => dim > BigInt(Number.MAX_SAFE_INTEGER))) {
    throw reading.invalid(
      `"${name}" has dims [${dims}]: more elements than any memory holds`,
      start,
    );
  }
  return dims.map(Number);
}
