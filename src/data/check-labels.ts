/** @file Whether labels are classes that the model has, so that a wrong one is named and not met in mid-training. */
import { type DatasetField, DatasetError, rowBytes } from "./dataset.ts";
import { fieldElements } from "./numbers.ts";
import type { RowSource } from "./rows.ts";

export interface LabelRange {
  /** Labels are 0 to `classes` − 1. */
  classes: number;
  /** And this one, which does not count. */
  ignoreIndex: number;
}

/** Labels of so many bytes are looked through before a job is accepted; longer ones where they are read. */
const MOST_BYTES = 8 << 20;
const READ_BYTES = 1 << 20;

/**
 * @param bytes rows of the field, from row `first` on
 * @param rows what the rows are counted in, for the message: the dataset's id
 * @throws DatasetError `dataset_mismatch` naming dataset, row, value and classes
 */
export function checkLabels(
  { name, dtype, shape }: DatasetField,
  bytes: Uint8Array,
  { classes, ignoreIndex }: LabelRange,
  { first, rows }: { first: number; rows: string },
): void {
  // Its bits are no numbers; it holds whole ones to 256 only, and nobody has labels in it.
  if (dtype === "bfloat16") return;
  const elements = fieldElements(dtype, bytes);
  for (const [at, element] of elements.entries()) {
    const value = Number(element);
    if ((Number.isInteger(value) && value >= 0 && value < classes) || value === ignoreIndex)
      continue;
    const row = first + Math.floor(at / shape.reduce((a, b) => a * b, 1));
    throw new DatasetError(
      "dataset_mismatch",
      `data: field "${name}" is ${value} in row ${row} of ${rows}: the model has ${classes} classes, so labels are 0 to ${classes - 1}, or ${ignoreIndex} where none counts`,
    );
  }
}

/**
 * Looks through the field, if it is no longer than 8 MiB.
 * @returns whether it was
 * @throws DatasetError as `checkLabels`
 */
export async function checkAllLabels(
  source: RowSource,
  name: string,
  range: LabelRange,
  rows: string,
): Promise<boolean> {
  const { fields, rows: count } = source.description;
  const field = fields.find((each) => each.name === name);
  const size = field ? rowBytes(field) : 0;
  if (!field || size * count > MOST_BYTES) return false;
  const piece = Math.max(1, Math.floor(READ_BYTES / Math.max(size, 1)));
  for (let first = 0; first < count; first += piece) {
    const bytes = await source.read(name, first, Math.min(first + piece, count));
    checkLabels(field, bytes, range, { first, rows });
  }
  return true;
}
