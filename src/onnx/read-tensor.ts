/** @file TensorProto and SparseTensorProto: dims and type against the data, wherever the data is. */
import { DataType, dataTypeName, elementCount, isDataType, rawByteLength } from "./data-type.ts";
import type { SparseTensor, StringEntry, Tensor } from "./model.ts";
import type { Reading } from "./reading.ts";
import { BytesData, NO_DATA, RangeData, type TensorData } from "./tensor-data.ts";
import { bytesPerEntry, decodeVarints, VarintData } from "./varint-data.ts";
import type { Wire } from "./wire.ts";

/** TensorProto's field numbers of element data. */
const FIELD = { float: 4, int32: 5, string: 6, int64: 7, raw: 9, double: 10, uint64: 11 } as const;
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

/** Data in memory below this size is copied out, so that the skeleton's buffers can go. */
const COPY_BYTES = 4096;

/** A run of element data in one field: packed at a file range, or single entries already read. */
type Run = { start: number; stop: number } | { bytes: Uint8Array };

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
  const dims: bigint[] = [];
  const runs = new Map<number, Run[]>();
  const strings: Uint8Array[] = [];
  const externalEntries: StringEntry[] = [];
  const unknown: Uint8Array[] = [];
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
        addRun(runs, wire, end);
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
        unknown.push(wire.unknown(end));
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
  if (unknown.length > 0) tensor.unknown = reading.join(unknown);
  const filled = [...runs.keys()];
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

/** Records where a data field's elements are; unpacked entries are read at once. */
function addRun(runs: Map<number, Run[]>, wire: Wire, end: number): void {
  const field = wire.field;
  const list = runs.get(field) ?? [];
  if (wire.wireType === 2) {
    const stop = wire.length(end);
    // proto: the last raw_data counts; repeated fields go on.
    if (field === FIELD.raw) list.length = 0;
    if (stop > wire.position || field === FIELD.raw) list.push({ start: wire.position, stop });
    wire.position = stop;
  } else {
    wire.expect(
      field === FIELD.float ? 5 : field === FIELD.double ? 1 : field === FIELD.raw ? 2 : 0,
    );
    const from = wire.position;
    wire.skip(end);
    const stop = wire.position;
    wire.position = from;
    list.push({ bytes: wire.take(stop - from, stop).slice() });
  }
  if (list.length > 0) runs.set(field, list);
  // An empty raw_data says nothing where a typed field holds the data, and all of it where there are no elements.
  const raw = runs.get(FIELD.raw);
  if (raw && raw.length === 1 && runs.size > 1 && isEmpty(raw[0] as Run)) runs.delete(FIELD.raw);
}

function isEmpty(run: Run): boolean {
  return "bytes" in run ? run.bytes.length === 0 : run.start === run.stop;
}

function elementData(
  reading: Reading,
  tensor: Tensor,
  field: number | undefined,
  runs: Map<number, Run[]>,
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
  const list = runs.get(field) ?? [];
  const only = list.length === 1 ? list[0] : undefined;
  if (field !== FIELD.raw && field !== typedField(dataType)) {
    throw reading.invalid(
      `"${name}" of ${dataTypeName(dataType)} keeps its data in ${FIELD_NAMES[field]}, not ${FIELD_NAMES[typedField(dataType)]}`,
      start,
    );
  }
  const width = field === FIELD.raw ? 1 : FIXED_WIDTH[field];
  if (width !== undefined) {
    const length = list.reduce((sum, run) => sum + runLength(run), 0);
    if (length !== need) throw fail(`${FIELD_NAMES[field]} has ${length} bytes`);
    if (only && "start" in only) return rangeOrCopy(reading, only.start, only.stop);
    return new BytesData(reading.joinRuns(list));
  }
  const entryBytes = bytesPerEntry(dataType);
  if (only && "start" in only && !reading.inMemory(only.start, only.stop)) {
    const data = new VarintData(
      reading.source,
      only.start,
      only.stop - only.start,
      need,
      entryBytes,
    );
    reading.pendingVarints.push({ data, entries: need / entryBytes, name, offset: start });
    tensor.varints = { field, packed: data.packed, of: data };
    return data;
  }
  const packed = reading.joinRuns(list);
  const decoded = decodeVarints(packed, entryBytes);
  if (decoded.length !== need) {
    throw fail(`${FIELD_NAMES[field]} has ${decoded.length / entryBytes} entries`);
  }
  const data = new BytesData(decoded.slice());
  tensor.varints = { field, packed: new BytesData(packed), of: data };
  return data;
}

function runLength(run: Run): number {
  return "bytes" in run ? run.bytes.length : run.stop - run.start;
}

function rangeOrCopy(reading: Reading, start: number, stop: number): TensorData {
  if (stop - start <= COPY_BYTES && reading.inMemory(start, stop)) {
    return new BytesData(reading.copy(start, stop));
  }
  return new RangeData(reading.source, start, stop - start);
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

export function readSparseTensor(reading: Reading, end: number): SparseTensor {
  const { wire } = reading;
  const start = wire.position;
  const dims: bigint[] = [];
  const unknown: Uint8Array[] = [];
  let values: Tensor | undefined;
  let indices: Tensor | undefined;
  while (wire.next(end)) {
    if (wire.field === 1) values = readTensor(reading, wire.length(end));
    else if (wire.field === 2) indices = readTensor(reading, wire.length(end));
    else if (wire.field === 3) wire.int64s(end, dims);
    else unknown.push(wire.unknown(end));
  }
  if (!values || !indices)
    throw reading.invalid("a sparse tensor has no values or no indices", start);
  if (indices.dataType !== DataType.int64) {
    throw reading.invalid(
      `the indices of "${values.name}" are ${dataTypeName(indices.dataType)}, not int64`,
      start,
    );
  }
  const nonZeros = elementCount(values.dims);
  const perEntry = indices.dims.length === 2 ? dims.length : 1;
  if (elementCount(indices.dims) !== nonZeros * perEntry) {
    throw reading.invalid(
      `"${values.name}" has ${nonZeros} values, indices [${indices.dims}]`,
      start,
    );
  }
  const sparse: SparseTensor = {
    values,
    indices,
    dims: checkDims(reading, dims, values.name, start),
  };
  if (unknown.length > 0) sparse.unknown = reading.join(unknown);
  return sparse;
}
