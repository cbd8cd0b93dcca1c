/** @file The values of one page of a flat column, without nulls, as an array of the column's own type. */
import type { Encoding, PageHeader } from "hyparquet";
import { type FieldArray, fieldElements } from "../numbers.ts";
import { unpackPage } from "./codecs.ts";
import type { ColumnChunk } from "./column.ts";
import { readDelta } from "./delta.ts";
import { ByteReader, readHybrid } from "./hybrid.ts";
import type { ParquetColumn } from "./schema.ts";

/** What the file has for a row, before it becomes the field's type: INT32 holds uint8, for one. */
export type PhysicalArray = FieldArray;

/** @throws RangeError for the row (in the page) that has no value, and for what does not hold */
export function pageValues(
  chunk: ColumnChunk,
  header: PageHeader,
  body: Uint8Array,
  dictionary: PhysicalArray | undefined,
): PhysicalArray {
  const { column } = chunk;
  const v1 = header.data_page_header;
  if (v1) {
    const reader = new ByteReader(unpack(chunk, body, header.uncompressed_page_size));
    if (column.optional) {
      const levels = reader.take(reader.uint32());
      refuseNulls(new ByteReader(levels), v1.num_values);
    }
    return valuesOf(reader, column, v1.encoding, v1.num_values, dictionary);
  }
  const v2 = header.data_page_header_v2;
  if (!v2) throw new RangeError("the page has no header of its kind");
  const levels = new ByteReader(body);
  levels.take(v2.repetition_levels_byte_length);
  const definitions = levels.take(v2.definition_levels_byte_length);
  if (column.optional) refuseNulls(new ByteReader(definitions), v2.num_values);
  const packed = body.subarray(levels.at);
  const bytes = header.uncompressed_page_size - levels.at;
  if (bytes < 0) throw new RangeError("the page's levels are longer than the page");
  const values = v2.is_compressed === false ? packed : unpack(chunk, packed, bytes);
  return valuesOf(new ByteReader(values), column, v2.encoding, v2.num_values, dictionary);
}

/** The values that a dictionary page has. */
export function dictionaryValues(
  chunk: ColumnChunk,
  header: PageHeader,
  body: Uint8Array,
): PhysicalArray {
  const { num_values: count = -1, encoding } = header.dictionary_page_header ?? {};
  if (encoding !== "PLAIN" && encoding !== "PLAIN_DICTIONARY") {
    throw new RangeError(`a dictionary in encoding ${encoding} is not read`);
  }
  const bytes = unpack(chunk, body, header.uncompressed_page_size);
  return plain(new ByteReader(bytes), chunk.column, count);
}

function unpack(chunk: ColumnChunk, body: Uint8Array, bytes: number): Uint8Array {
  return unpackPage(body, bytes, chunk.codec, chunk.decompressors);
}

/** Definition level 1: there is a value. */
function refuseNulls(reader: ByteReader, count: number): void {
  const missing = readHybrid(reader, 1, count).indexOf(0);
  if (missing >= 0) throw new NullValue(missing);
}

/** A row without a value: its place in the page. */
export class NullValue extends RangeError {
  override readonly name = "NullValue";
  readonly row: number;

  constructor(row: number) {
    super(`row ${row} of the page is null`);
    this.row = row;
  }
}

function valuesOf(
  reader: ByteReader,
  column: ParquetColumn,
  encoding: Encoding,
  count: number,
  dictionary: PhysicalArray | undefined,
): PhysicalArray {
  switch (encoding) {
    case "PLAIN":
      return plain(reader, column, count);
    case "PLAIN_DICTIONARY":
    case "RLE_DICTIONARY":
      return fromDictionary(reader, count, dictionary);
    case "RLE":
      if (column.physical !== "BOOLEAN") break;
      reader.uint32();
      return Uint8Array.from(readHybrid(reader, 1, count));
    case "DELTA_BINARY_PACKED": {
      const wide = column.physical === "INT64";
      if (!wide && column.physical !== "INT32") break;
      const out = wide ? new BigInt64Array(count) : new Int32Array(count);
      readDelta(reader, out);
      return out;
    }
    case "BYTE_STREAM_SPLIT":
      return plain(new ByteReader(merged(reader, widthOf(column), count)), column, count);
    default:
      break;
  }
  throw new RangeError(`encoding ${encoding} is not read for ${column.physical}`);
}

/** Little-endian values back to back; booleans are bits, low ones first. */
function plain(reader: ByteReader, column: ParquetColumn, count: number): PhysicalArray {
  if (!(count >= 0)) throw new RangeError(`the page has ${count} values`);
  if (column.physical === "BOOLEAN") {
    const bits = reader.take(Math.ceil(count / 8));
    return Uint8Array.from({ length: count }, (_, i) => ((bits[i >> 3] ?? 0) >> (i & 7)) & 1);
  }
  return fieldElements(PHYSICAL[column.physical], reader.take(count * widthOf(column)));
}

const PHYSICAL = {
  INT32: "int32",
  INT64: "int64",
  FLOAT: "float32",
  DOUBLE: "float64",
  FIXED_LEN_BYTE_ARRAY: "float16",
} as const;

function widthOf({ physical }: ParquetColumn): number {
  if (physical === "BOOLEAN") throw new RangeError("booleans have no bytes");
  return { INT32: 4, INT64: 8, FLOAT: 4, DOUBLE: 8, FIXED_LEN_BYTE_ARRAY: 2 }[physical];
}

function fromDictionary(
  reader: ByteReader,
  count: number,
  dictionary: PhysicalArray | undefined,
): PhysicalArray {
  if (!dictionary) throw new RangeError("the page needs a dictionary that is not there");
  const indices = readHybrid(reader, reader.byte(), count);
  const largest = indices.reduce((most, index) => Math.max(most, index), 0);
  if (count > 0 && largest >= dictionary.length) {
    throw new RangeError(
      `the page has index ${largest}, the dictionary ${dictionary.length} values`,
    );
  }
  const out = new (dictionary.constructor as new (length: number) => PhysicalArray)(count);
  for (let i = 0; i < count; i++) out[i] = dictionary[indices[i] ?? 0] ?? 0;
  return out;
}

/** BYTE_STREAM_SPLIT: all first bytes, then all second bytes, … */
function merged(reader: ByteReader, width: number, count: number): Uint8Array {
  const split = reader.take(count * width);
  const out = new Uint8Array(count * width);
  for (let byte = 0; byte < width; byte++) {
    for (let i = 0; i < count; i++) out[i * width + byte] = split[byte * count + i] ?? 0;
  }
  return out;
}
