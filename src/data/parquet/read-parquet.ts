/**
 * @file Parquet as a dataset: flat columns of numbers, row group by row group, a block of rows at a time.
 *
 * The footer is parsed by hyparquet; pages are decoded here, straight to typed arrays and within bounds: what a
 * page claims of itself never sizes anything.
 */
import type { ByteSink, ByteSource } from "../../onnx/source.ts";
import { DatasetError, type DatasetField, type FieldType, rowBytes } from "../dataset.ts";
import {
  type FieldColumns,
  fieldsOfColumns,
  type FieldSpec,
  type TypeSpec,
} from "../field-spec.ts";
import { bytesOf, converted, type FieldArray, fieldArray, fieldElements } from "../numbers.ts";
import type { DatasetPlan } from "../plan.ts";
import type { Decompressors } from "./codecs.ts";
import { ColumnChunk } from "./column.ts";
import type { PhysicalArray } from "./page.ts";
import { invalidParquet, type ParquetColumn, type ParquetFile, readFooter } from "./schema.ts";

export interface ParquetOptions {
  fields?: readonly FieldSpec[] | undefined;
  types?: TypeSpec | undefined;
  decompressors: Decompressors;
}

/** Rows of one field that are put together at a time. */
const BLOCK_BYTES = 16 << 20;

/** @throws DatasetError naming the column and, for nulls, the row */
export async function readParquet(
  source: ByteSource,
  { fields: specs, types, decompressors }: ParquetOptions,
): Promise<DatasetPlan> {
  const file = await readFooter(source);
  const names = file.columns.map(({ name }) => name);
  const groups = fieldsOfColumns(names, specs, types);
  const parts = groups.map((group) => {
    const columns = group.columns.map((index) => usable(file, index));
    const { name, shape } = group;
    return { columns, field: { name, shape, dtype: typeOf(group, columns) } };
  });
  return {
    fields: parts.map(({ field }) => field),
    rows: file.rows,
    passes: parts.map(({ columns, field }, index) => ({
      fields: [index],
      write: async ([sink]) => {
        if (sink) await writeField(source, file, columns, field, decompressors, sink);
      },
    })),
  };
}

function usable({ columns }: ParquetFile, index: number): ParquetColumn {
  const { name, column } = columns[index] ?? { name: "", column: "is not there" };
  if (typeof column === "string") {
    throw invalidParquet(`column "${name}" ${column}; \`fields\` leaves columns out`);
  }
  return column;
}

function typeOf({ name, dtype }: FieldColumns, columns: readonly ParquetColumn[]): FieldType {
  const [first] = columns;
  if (dtype === "bfloat16")
    throw invalidParquet(`field "${name}": bfloat16 is not made from columns`);
  if (dtype) return dtype;
  const other = columns.find((column) => column.dtype !== first?.dtype);
  if (!first || other) {
    throw invalidParquet(
      `field "${name}" has columns of two types, "${first?.name}" ${first?.dtype} and "${other?.name}" ${other?.dtype}; say dtype=${name}:float32`,
    );
  }
  return first.dtype;
}

async function writeField(
  source: ByteSource,
  { metadata }: ParquetFile,
  columns: readonly ParquetColumn[],
  field: DatasetField,
  decompressors: Decompressors,
  sink: ByteSink,
): Promise<void> {
  const groupRows = metadata.row_groups.map((group) => Number(group.num_rows));
  const fittingRows = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes(field)));
  const blockRows = Math.min(fittingRows, Math.max(...groupRows));
  const whole = fieldArray(field.dtype, blockRows * columns.length);
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const open = (column: ParquetColumn) => ColumnChunk.open(source, column, group, decompressors);
    // A column of its own is opened once; of many, only one dictionary is held at a time.
    const [first] = columns;
    const single = columns.length === 1 && first ? await open(first) : undefined;
    for (let start = 0; start < rows; start += blockRows) {
      const end = Math.min(start + blockRows, rows);
      const block = whole.subarray(0, (end - start) * columns.length) as FieldArray;
      for (const [place, column] of columns.entries()) {
        const chunk = single ?? (await open(column));
        for await (const { firstRow, values } of chunk.values(start, end)) {
          const typed = asField(column, values, field.dtype);
          scatter(typed, block, (firstRow - start) * columns.length + place, columns.length);
        }
      }
      await sink.write(bytesOf(block));
    }
  }
}

/** Physical values as the field's type: exactly, or refused. */
function asField(column: ParquetColumn, values: PhysicalArray, dtype: FieldType): FieldArray {
  const own = logical(column, values);
  if (column.dtype === dtype) return own;
  try {
    return converted(own, column.dtype, dtype);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DatasetError("invalid_dataset", `parquet: column "${column.name}": ${error.message}`);
  }
}

/** INT32 holds the narrow integers and uint32, INT64 uint64: the low bytes are theirs. */
function logical({ physical, dtype }: ParquetColumn, values: PhysicalArray): FieldArray {
  if (physical === "INT64") {
    return dtype === "uint64" ? fieldElements("uint64", bytesOf(values)) : values;
  }
  if (physical !== "INT32" || dtype === "int32") return values;
  const out = fieldArray(dtype, values.length);
  (out as Uint8Array).set(values as Int32Array);
  return out;
}

function scatter(from: FieldArray, to: FieldArray, start: number, step: number): void {
  if (step === 1) return (to as Uint8Array).set(from as Uint8Array, start);
  for (let i = 0, at = start; i < from.length; i++, at += step) to[at] = from[i] ?? 0;
}
