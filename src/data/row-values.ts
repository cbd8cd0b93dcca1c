/** @file Rows as JSON: nested lists of numbers. */
import type { DatasetField } from "./dataset.ts";
import { fieldElements } from "./numbers.ts";

/** What JSON has no number for is text: `NaN`, `Infinity`, `-Infinity`, and integers beyond 2^53. */
export type JsonValue = number | boolean | string | JsonValue[];

/** The rows that lie in `bytes`, each as the field's shape says. */
export function rowValues(field: DatasetField, bytes: Uint8Array): JsonValue[] {
  const { dtype, shape } = field;
  const elements = fieldElements(dtype, bytes);
  let at = 0;
  const next = (): JsonValue => {
    const value = elements[at++] ?? 0;
    if (dtype === "bool") return value !== 0;
    if (dtype === "bfloat16") return jsonNumber(fromBfloat16(Number(value)));
    return jsonNumber(value);
  };
  const nested = (axis: number): JsonValue =>
    axis === shape.length
      ? next()
      : Array.from({ length: shape[axis] ?? 0 }, () => nested(axis + 1));
  const rows: JsonValue[] = [];
  while (at < elements.length) rows.push(nested(0));
  return rows;
}

function jsonNumber(value: number | bigint): number | string {
  if (typeof value === "bigint") {
    const rounded = Number(value);
    return Number.isSafeInteger(rounded) ? rounded : String(value);
  }
  return Number.isFinite(value) ? value : String(value);
}

/** bfloat16 is the upper half of float32. */
export function fromBfloat16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits * 65_536).buffer)[0] ?? 0;
}
