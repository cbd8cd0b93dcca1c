/**
 * @file Which columns of a table make up a field: `image[1x28x28]:pixel_*,label` and `image:uint8,label:int64`.
 *
 * `NAME:PATTERN` puts the columns that PATTERN (`*` any characters) names into one field, in the file's order; NAME
 * alone takes the column of that name. Several entries of one NAME follow each other. A column named exactly is a
 * scalar per row, a pattern with `*` a vector, and `[AxB]` after the name gives the shape.
 */
import { elementCount } from "../onnx/data-type.ts";
import { DATASET_LIMITS, DatasetError, FIELD_TYPES, type FieldType } from "./dataset.ts";

export interface FieldSpec {
  name: string;
  shape: number[] | undefined;
  pattern: string;
}

export interface TypeSpec {
  /** For every field that `byField` does not name. */
  all: FieldType | undefined;
  byField: ReadonlyMap<string, FieldType>;
}

/** A field made of columns. */
export interface FieldColumns {
  name: string;
  /** Of one row. */
  shape: number[];
  /** Places of its columns in the table, row-major. */
  columns: number[];
  dtype: FieldType | undefined;
}

const invalid = (message: string) => new DatasetError("invalid_dataset", `fields: ${message}`);
const MAX_COLUMNS = 100_000;

/** @throws DatasetError for an entry that does not read as one */
export function parseFields(text: string): FieldSpec[] {
  return entries(text).map((entry) => {
    const match = /^([^:[\]]+)(?:\[(\d+(?:x\d+)*)\])?(?::(.+))?$/.exec(entry);
    if (!match?.[1]) {
      throw invalid(`"${entry}" does not read as NAME, NAME:PATTERN or NAME[AxB]:PATTERN`);
    }
    const [, name, sizes, pattern = name] = match;
    return { name, pattern, shape: sizes === undefined ? undefined : sizes.split("x").map(Number) };
  });
}

/** `float32` for all fields, or `NAME:TYPE` for each. */
export function parseTypes(text: string): TypeSpec {
  const byField = new Map<string, FieldType>();
  let all: FieldType | undefined;
  for (const entry of entries(text)) {
    const colon = entry.lastIndexOf(":");
    const type = FIELD_TYPES.find((each) => each === entry.slice(colon + 1));
    if (!type) throw invalid(`"${entry}" does not end in one of ${FIELD_TYPES.join(", ")}`);
    if (colon < 0) all = type;
    else byField.set(entry.slice(0, colon), type);
  }
  return { all, byField };
}

function entries(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.includes("")) throw invalid(`"${text}" has an empty entry`);
  return parts;
}

/**
 * The fields that `specs` make of a table's columns; without specs each column is a field.
 * @throws DatasetError naming the entry that fits no column, or the field whose shape does not fit
 */
export function fieldsOfColumns(
  columns: readonly string[],
  specs: readonly FieldSpec[] | undefined,
  types: TypeSpec | undefined,
): FieldColumns[] {
  const fields = new Map<string, FieldColumns & { scalar: boolean; asked: number[] | undefined }>();
  const chosen = specs ?? columns.map((name) => ({ name, pattern: name, shape: undefined }));
  if (!specs && columns.length > DATASET_LIMITS.fields) {
    throw new DatasetError(
      "dataset_too_large",
      `fields: the table has ${columns.length} columns, as many fields; at most ${DATASET_LIMITS.fields} are taken, so group columns, e.g. fields=x:pixel_*,label`,
    );
  }
  let count = 0;
  for (const { name, pattern, shape } of chosen) {
    const matched = matching(columns, pattern);
    count += matched.length;
    if (count > MAX_COLUMNS) throw invalid(`more than ${MAX_COLUMNS} columns are chosen`);
    const field = fields.get(name);
    if (!field) {
      const scalar = !pattern.includes("*");
      fields.set(name, {
        name,
        shape: [],
        columns: matched,
        dtype: undefined,
        scalar,
        asked: shape,
      });
      continue;
    }
    field.columns.push(...matched);
    field.scalar = false;
    field.asked ??= shape;
  }
  for (const name of types?.byField.keys() ?? []) {
    if (!fields.has(name)) throw invalid(`dtype names "${name}", which is no field`);
  }
  return Array.from(fields.values(), ({ scalar, asked, ...field }) => ({
    ...field,
    shape: shapeOf(field, scalar, asked),
    dtype: types?.byField.get(field.name) ?? types?.all,
  }));
}

function matching(columns: readonly string[], pattern: string): number[] {
  const parts = pattern.split("*");
  const matched = columns.flatMap((name, index) => (fits(name, parts) ? [index] : []));
  if (matched.length === 0) {
    const some = columns.slice(0, 8).map((name) => `"${name}"`);
    throw invalid(
      `no column is named "${pattern}"; there are ${some.join(", ")}${columns.length > 8 ? ", …" : ""}`,
    );
  }
  return matched;
}

/** Whether a name has the parts in order, the first at its beginning and the last at its end. */
function fits(name: string, parts: readonly string[]): boolean {
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

function shapeOf(
  { name, columns }: Pick<FieldColumns, "name" | "columns">,
  scalar: boolean,
  asked: number[] | undefined,
): number[] {
  if (!asked) return scalar ? [] : [columns.length];
  if (elementCount(asked) !== columns.length) {
    throw invalid(
      `"${name}" is to be [${asked.join(", ")}], ${elementCount(asked)} elements, but has ${columns.length} columns`,
    );
  }
  return asked;
}
