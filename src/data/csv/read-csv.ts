/**
 * @file CSV as a dataset. The file is read twice at least: first to count the rows, hold every cell against its
 * field and find the types that were not given, then to write; so a bad cell is found before anything is stored.
 *
 * Types that were not given: whole numbers become the narrowest of uint8, int16, int32, int64, all else float32.
 */
import type { ByteSink, ByteSource } from "../../onnx/source.ts";
import { DatasetError, type DatasetField, rowBytes } from "../dataset.ts";
import {
  type FieldColumns,
  fieldsOfColumns,
  type FieldSpec,
  type TypeSpec,
} from "../field-spec.ts";
import { bytesOf, fieldArray, fitting, isFloat, narrowestInteger } from "../numbers.ts";
import { type DatasetPass, type DatasetPlan, groupsOfSinks } from "../plan.ts";
import { isWhole, parseBool, parseInteger64, parseNumber } from "./cells.ts";
import { type CsvRows, csvRows, detectDialect } from "./csv-rows.ts";

export interface CsvOptions {
  /** Whether the first line has the columns' names. Default: it has, unless all its cells are numbers. */
  header?: boolean | undefined;
  /** One character. Default: what the first line has most of `,` `;` tab `|`. */
  delimiter?: string | undefined;
  fields?: readonly FieldSpec[] | undefined;
  types?: TypeSpec | undefined;
}

const invalid = (message: string) => new DatasetError("invalid_dataset", `csv: ${message}`);

interface Table {
  source: ByteSource;
  dialect: { delimiter: string; newline: "\n" | "\r" };
  columns: string[];
  header: boolean;
}

/** @throws DatasetError with line and column */
export async function readCsv(source: ByteSource, options: CsvOptions = {}): Promise<DatasetPlan> {
  const table = await openTable(source, options);
  const columns = fieldsOfColumns(table.columns, options.fields, options.types);
  const unwritable = columns.find(({ dtype }) => dtype === "bfloat16");
  if (unwritable) throw invalid(`field "${unwritable.name}": bfloat16 is not made from text`);
  const { rows, dtypes } = await scan(table, columns);
  const fields = columns.map(({ name, shape }, index): DatasetField => {
    return { name, shape, dtype: dtypes[index] ?? "float32" };
  });
  return { fields, rows, passes: passesOf(table, columns, fields, rows) };
}

async function openTable(source: ByteSource, options: CsvOptions): Promise<Table> {
  const detected = await detectDialect(source);
  const dialect = { ...detected, delimiter: options.delimiter ?? detected.delimiter };
  for await (const { rows } of csvRows(source, dialect)) {
    const first = rows.find((row) => !isBlank(row));
    if (!first) continue;
    const header = options.header ?? !first.every(isNumber);
    const columns = first.map((cell, index) => (header && cell.trim()) || `column_${index + 1}`);
    const twice = columns.find((name, index) => columns.indexOf(name) !== index);
    if (twice !== undefined && new Set(columns).size !== columns.length) {
      throw invalid(`two columns are named "${twice}"`);
    }
    return { source, dialect, columns, header };
  }
  throw invalid("there are no rows");
}

function isNumber(cell: string): boolean {
  try {
    parseNumber(cell);
    return true;
  } catch {
    return false;
  }
}

function isBlank(row: readonly string[]): boolean {
  return row.length === 1 && row[0]?.trim() === "";
}

/** The data rows in pieces: no header, no blank lines, none ragged. */
async function* dataRows({ source, dialect, columns, header }: Table): AsyncGenerator<CsvRows> {
  let skip = header;
  let blank: number | undefined;
  for await (const { rows, lineOf } of csvRows(source, dialect)) {
    const kept: string[][] = [];
    const places: number[] = [];
    for (const [index, row] of rows.entries()) {
      if (isBlank(row)) {
        if (columns.length === 1) blank ??= lineOf(index);
        continue;
      }
      if (skip) {
        skip = false;
        continue;
      }
      // In a table of one column a blank line would be a row that is lost.
      if (blank !== undefined)
        throw invalid(`line ${blank}: the cell is empty; fill it or drop the row`);
      if (row.length !== columns.length) {
        throw invalid(
          `line ${lineOf(index)} has ${row.length} cells, the first line ${columns.length}`,
        );
      }
      kept.push(row);
      places.push(index);
    }
    if (kept.length > 0) yield { rows: kept, lineOf: (index) => lineOf(places[index] ?? 0) };
  }
}

/** The first pass: counts, checks, and finds types. */
async function scan(
  table: Table,
  fields: readonly FieldColumns[],
): Promise<{ rows: number; dtypes: DatasetField["dtype"][] }> {
  const ranges = fields.map(() => ({ min: Infinity, max: -Infinity, whole: true }));
  let rows = 0;
  for await (const piece of dataRows(table)) {
    rows += piece.rows.length;
    for (const [index, field] of fields.entries()) {
      const range = ranges[index];
      if (!range) continue;
      if (field.dtype !== undefined) {
        encode(table, piece, field, field.dtype);
        continue;
      }
      forCells(table, piece, field, (cell) => {
        const value = parseNumber(cell);
        if (range.whole && !isWhole(cell, value)) range.whole = false;
        if (value < range.min) range.min = value;
        if (value > range.max) range.max = value;
      });
    }
  }
  const dtypes = fields.map(({ dtype, name }, index) => {
    const { min, max, whole } = ranges[index] ?? { min: 0, max: 0, whole: false };
    if (dtype) return dtype;
    if (whole) return narrowestInteger(min, max);
    const largest = Math.max(Math.abs(min), Math.abs(max));
    if (Number.isFinite(largest) && !Number.isFinite(Math.fround(largest))) {
      throw invalid(
        `field "${name}" has a value of ${largest}, beyond float32; say dtype=${name}:float64`,
      );
    }
    return "float32";
  });
  return { rows, dtypes };
}

function passesOf(
  table: Table,
  columns: readonly FieldColumns[],
  fields: readonly DatasetField[],
  rows: number,
): DatasetPass[] {
  return groupsOfSinks(fields.map((field) => rowBytes(field) * rows)).map((group) => ({
    fields: group,
    write: async (sinks: readonly ByteSink[]) => {
      for await (const piece of dataRows(table)) {
        for (const [place, index] of group.entries()) {
          const [column, field] = [columns[index], fields[index]];
          if (column && field) await sinks[place]?.write(encode(table, piece, column, field.dtype));
        }
      }
    },
  }));
}

/** The bytes of a field's rows. */
function encode(
  table: Table,
  piece: CsvRows,
  field: FieldColumns,
  dtype: DatasetField["dtype"],
): Uint8Array {
  const out = fieldArray(dtype, piece.rows.length * field.columns.length);
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    const wide = dtype === "uint64" ? "uint64" : "int64";
    forCells(table, piece, field, (cell, at) => {
      out[at] = parseInteger64(cell, wide);
    });
  } else if (dtype === "bool") {
    forCells(table, piece, field, (cell, at) => {
      out[at] = parseBool(cell);
    });
  } else {
    forCells(table, piece, field, (cell, at) => {
      out[at] = fitting(parseNumber(cell), dtype);
    });
  }
  return bytesOf(out);
}

/** Calls `use` for each cell of the field, row-major; adds line and column to what it throws. */
function forCells(
  { columns }: Table,
  { rows, lineOf }: CsvRows,
  field: FieldColumns,
  use: (cell: string, at: number) => void,
): void {
  let at = 0;
  for (const [index, row] of rows.entries()) {
    for (const column of field.columns) {
      try {
        use(row[column] ?? "", at++);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        throw invalid(
          `line ${lineOf(index)}, column ${column + 1} ("${columns[column] ?? ""}"): ${error.message}${hint(field)}`,
        );
      }
    }
  }
}

function hint({ dtype }: FieldColumns): string {
  return dtype === undefined || isFloat(dtype) ? "; `fields` leaves columns out" : "";
}
