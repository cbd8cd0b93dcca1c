/** @file A file that was read as far as its layout: which fields it has, and how to stream their rows. */
import type { ByteSink, ByteSource } from "../onnx/source.ts";
import {
  DATASET_LIMITS,
  datasetBytes,
  DatasetError,
  type DatasetField,
  fieldText,
  rowBytes,
} from "./dataset.ts";

/** Fields that are read together, in one pass over the file. */
export interface DatasetPass {
  /** Their places in `fields`. */
  fields: number[];
  /** Writes each field's rows, in order, to the sink of the same place; lends the bytes only. */
  write(sinks: readonly ByteSink[]): Promise<void>;
}

export interface DatasetPlan {
  fields: DatasetField[];
  rows: number;
  passes: DatasetPass[];
}

/**
 * The plan, if it keeps the limits.
 * @throws DatasetError naming the field and the bound
 */
export function checkedPlan(plan: DatasetPlan): DatasetPlan {
  const { fields, rows } = plan;
  const tooLarge = (message: string) => new DatasetError("dataset_too_large", `data: ${message}`);
  if (fields.length === 0) throw new DatasetError("invalid_dataset", "data: there are no fields");
  if (fields.length > DATASET_LIMITS.fields) {
    throw tooLarge(
      `there are ${fields.length} fields, at most ${DATASET_LIMITS.fields} are taken; group columns, e.g. fields=x:pixel_*`,
    );
  }
  if (rows === 0) throw new DatasetError("invalid_dataset", "data: there are no rows");
  if (rows > DATASET_LIMITS.rows) {
    throw tooLarge(`there are ${rows} rows, at most ${DATASET_LIMITS.rows} are taken`);
  }
  const names = new Set<string>();
  for (const field of fields) {
    checkField(field);
    if (names.has(field.name)) {
      throw new DatasetError("invalid_dataset", `data: two fields are named "${field.name}"`);
    }
    names.add(field.name);
  }
  const bytes = datasetBytes(plan);
  if (bytes > DATASET_LIMITS.bytes) {
    throw tooLarge(`the rows have ${bytes} bytes, at most ${DATASET_LIMITS.bytes} are taken`);
  }
  return plan;
}

function checkField(field: DatasetField): void {
  const invalid = (message: string) => new DatasetError("invalid_dataset", `data: ${message}`);
  const { name, shape } = field;
  if (name === "" || name.length > DATASET_LIMITS.nameLength) {
    throw invalid(
      `a field's name has ${name.length} characters, it needs 1 to ${DATASET_LIMITS.nameLength}`,
    );
  }
  if (shape.length > DATASET_LIMITS.rank) {
    throw invalid(
      `field ${fieldText(field)} has rank ${shape.length} per row, at most ${DATASET_LIMITS.rank} is taken`,
    );
  }
  const bytes = rowBytes(field);
  if (!Number.isSafeInteger(bytes) || bytes === 0) {
    throw invalid(`field ${fieldText(field)} has no elements in a row, or too many to count`);
  }
  if (bytes > DATASET_LIMITS.rowBytes) {
    throw new DatasetError(
      "dataset_too_large",
      `data: a row of ${fieldText(field)} has ${bytes} bytes, at most ${DATASET_LIMITS.rowBytes} are taken`,
    );
  }
}

/** An array whose first axis is rows, as a field. */
export function rowsOfArray(
  name: string,
  dtype: DatasetField["dtype"],
  dims: readonly number[],
): { field: DatasetField; rows: number } {
  const [rows, ...shape] = dims;
  if (rows === undefined) {
    throw new DatasetError(
      "invalid_dataset",
      `data: array "${name}" is a scalar; its first axis must be the rows`,
    );
  }
  return { field: { name, dtype, shape }, rows };
}

/** The number of rows that all arrays have. */
export function commonRows(arrays: readonly { field: DatasetField; rows: number }[]): number {
  const [first] = arrays;
  const other = arrays.find(({ rows }) => rows !== first?.rows);
  if (first && other) {
    throw new DatasetError(
      "invalid_dataset",
      `data: array "${first.field.name}" has ${first.rows} rows, "${other.field.name}" has ${other.rows}`,
    );
  }
  return first?.rows ?? 0;
}

/** What the sinks of one pass may hold; a field that is stored in parts takes three of them. */
const PASS_BYTES = 64 << 20;
const SINK_BYTES = 24 << 20;

/**
 * Fields whose sinks fit memory together, by place, for formats that have all fields of a row together.
 * @param bytes of all rows of each field
 */
export function groupsOfSinks(bytes: readonly number[]): number[][] {
  const groups: number[][] = [];
  let held = Infinity;
  for (const [index, each] of bytes.entries()) {
    const most = Math.min(each, SINK_BYTES);
    if (held + most > PASS_BYTES) {
      groups.push([]);
      held = 0;
    }
    groups.at(-1)?.push(index);
    held += most;
  }
  return groups;
}

const CHUNK_BYTES = 1 << 20;

/** The bytes from `start` to `end`, in chunks of at most `chunkBytes`; the buffer is reused. */
export async function* chunksOf(
  source: ByteSource,
  start: number,
  end: number,
  chunkBytes = CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(chunkBytes, end - start));
  for (let at = start; at < end;) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, end - at));
    await source.read(at, chunk);
    yield chunk;
    at += chunk.length;
  }
}

/** `length` bytes at `offset`, which must lie within the source. */
export async function bytesAt(
  source: ByteSource,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await source.read(offset, bytes);
  return bytes;
}
