/** @file A Parquet file's footer: its columns, what type of field each can be, its row groups; checked, not trusted. */
import { type FileMetaData, parquetMetadata, type SchemaElement } from "hyparquet";
import type { ByteSource } from "../../onnx/source.ts";
import { DATASET_LIMITS, DatasetError, type FieldType } from "../dataset.ts";
import { bytesAt } from "../plan.ts";
import { checkThrift } from "./check-thrift.ts";

const MAX_FOOTER_BYTES = 8 << 20;
const MAGIC = 0x31524150;

export const invalidParquet = (message: string) =>
  new DatasetError("invalid_dataset", `parquet: ${message}`);

/** A top-level column. */
export interface ParquetColumn {
  name: string;
  /** Its place among the leaves, which is its place in each row group. */
  leaf: number;
  optional: boolean;
  physical: "BOOLEAN" | "INT32" | "INT64" | "FLOAT" | "DOUBLE" | "FIXED_LEN_BYTE_ARRAY";
  dtype: FieldType;
}

export interface ParquetFile {
  metadata: FileMetaData;
  /** By place; a string says why a column cannot be a field. */
  columns: { name: string; column: ParquetColumn | string }[];
  rows: number;
}

/** @throws DatasetError when the footer is missing, broken or over its limits */
export async function readFooter(source: ByteSource): Promise<ParquetFile> {
  if (source.size < 12)
    throw invalidParquet(`the file has ${source.size} bytes, at least 12 are needed`);
  const tail = new DataView((await bytesAt(source, source.size - 8, 8)).buffer);
  if (tail.getUint32(4, true) !== MAGIC) {
    throw invalidParquet("the file does not end in PAR1: it is truncated, or encrypted");
  }
  const length = tail.getUint32(0, true);
  if (length > MAX_FOOTER_BYTES || length + 12 > source.size) {
    throw invalidParquet(
      `a footer of ${length} bytes passes the limit of ${MAX_FOOTER_BYTES} or the file's ${source.size}`,
    );
  }
  const footer = await bytesAt(source, source.size - length - 8, length + 8);
  let metadata: FileMetaData;
  try {
    checkThrift(footer.subarray(0, length), 0);
    metadata = parquetMetadata(footer.buffer, { geoparquet: false });
  } catch (error) {
    throw invalidParquet(`the footer does not read: ${messageOf(error)}`);
  }
  const columns = columnsOf(metadata);
  const rows = checkRowGroups(metadata, columns.leaves, source.size);
  return { metadata, columns: columns.columns, rows };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function columnsOf({ schema }: FileMetaData): { columns: ParquetFile["columns"]; leaves: number } {
  const columns: ParquetFile["columns"] = [];
  const [root] = schema;
  let at = 1;
  let leaves = 0;
  /** Steps over one element and what is below it; says whether there is anything. */
  const skip = (): boolean => {
    const element = schema[at++];
    if (!element) throw invalidParquet("the schema ends early");
    const children = element.num_children ?? 0;
    if (children < 0) throw invalidParquet(`"${element.name}" has ${children} children`);
    for (let i = 0; i < children; i++) skip();
    if (children === 0) leaves++;
    return children > 0;
  };
  for (let i = 0; i < (root?.num_children ?? 0); i++) {
    const element = schema[at];
    if (element && typeof element.name !== "string") throw invalidParquet("a column has no name");
    const leaf = leaves;
    const nested = skip();
    if (element) columns.push({ name: element.name, column: columnOf(element, leaf, nested) });
  }
  if (columns.length === 0 || at !== schema.length)
    throw invalidParquet("the schema has no columns");
  return { columns, leaves };
}

function columnOf(element: SchemaElement, leaf: number, nested: boolean): ParquetColumn | string {
  if (nested || element.repetition_type === "REPEATED") {
    return "is nested (a list, map or struct); make it columns of numbers, or send .npz";
  }
  const dtype = fieldTypeOf(element);
  const { name, type, repetition_type: repetition } = element;
  if (!dtype || !type) return `holds ${typeText(element)}; save numbers, e.g. class indices`;
  const physical = type as ParquetColumn["physical"];
  return { name, leaf, physical, dtype, optional: repetition !== "REQUIRED" };
}

/** Source: apache/parquet-format, LogicalTypes.md. */
function fieldTypeOf(element: SchemaElement): FieldType | undefined {
  const { type, converted_type: converted, logical_type: logical } = element;
  const kind = logical?.type;
  if (type === "FIXED_LEN_BYTE_ARRAY") {
    return kind === "FLOAT16" && element.type_length === 2 ? "float16" : undefined;
  }
  if (type === "INT32" || type === "INT64") {
    const integer =
      logical?.type === "INTEGER"
        ? `${logical.isSigned ? "" : "u"}int${logical.bitWidth}`
        : (converted ?? type).toLowerCase().replace("_", "");
    if (kind !== undefined && kind !== "INTEGER") return undefined;
    const types = [
      "uint8",
      "int8",
      "uint16",
      "int16",
      "uint32",
      "int32",
      "uint64",
      "int64",
    ] as const;
    return types.find((each) => each === integer);
  }
  if (kind !== undefined || converted !== undefined) return undefined;
  return type === "BOOLEAN"
    ? "bool"
    : type === "FLOAT"
      ? "float32"
      : type === "DOUBLE"
        ? "float64"
        : undefined;
}

function typeText({
  type,
  converted_type: converted,
  logical_type: logical,
}: SchemaElement): string {
  const kind = logical?.type ?? converted ?? type ?? "an unknown type";
  return kind === "STRING" || kind === "UTF8" || kind === "BYTE_ARRAY" ? "text or bytes" : kind;
}

function checkRowGroups(metadata: FileMetaData, leaves: number, fileBytes: number): number {
  let rows = 0;
  for (const [index, group] of metadata.row_groups.entries()) {
    const groupRows = Number(group.num_rows);
    if (!(groupRows >= 0 && groupRows <= DATASET_LIMITS.rows)) {
      throw invalidParquet(`row group ${index} has ${groupRows} rows`);
    }
    if (group.columns.length !== leaves) {
      throw invalidParquet(
        `row group ${index} has ${group.columns.length} columns, the schema ${leaves}`,
      );
    }
    for (const { meta_data: meta, file_path: path } of group.columns) {
      if (!meta || path) throw invalidParquet(`row group ${index} lies in another file`);
      const { start, end } = chunkRange(meta);
      if (!(start >= 4 && start <= end && end <= fileBytes)) {
        throw invalidParquet(
          `column "${meta.path_in_schema.join(".")}" lies at ${start} to ${end}, the file has ${fileBytes} bytes`,
        );
      }
    }
    rows += groupRows;
  }
  if (rows !== Number(metadata.num_rows)) {
    throw invalidParquet(`the row groups have ${rows} rows, the footer says ${metadata.num_rows}`);
  }
  return rows;
}

type ColumnMeta = NonNullable<FileMetaData["row_groups"][number]["columns"][number]["meta_data"]>;

/** The bytes of a column in a row group: its dictionary, if any, comes first. */
export function chunkRange(meta: ColumnMeta): { start: number; end: number } {
  const data = Number(meta.data_page_offset);
  const dictionary = Number(meta.dictionary_page_offset ?? 0);
  // Some writers say 0 where there is no dictionary.
  const start = dictionary > 0 ? Math.min(dictionary, data) : data;
  return { start, end: start + Number(meta.total_compressed_size) };
}
