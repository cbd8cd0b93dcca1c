/** @file A cell of text as a number; the reader adds line and column to what these throw. */
import { fitting } from "../numbers.ts";

/**
 * A decimal number; `nan`, `inf`, `infinity` in any case.
 * @throws RangeError for text, hexadecimal and empty cells, and for numbers beyond float64
 */
export function parseNumber(cell: string): number {
  const digits = digitsOnly(cell);
  if (digits >= 0) return digits;
  const value = Number(cell);
  if (Number.isFinite(value) && !/[xXoObB]/.test(cell)) {
    if (value !== 0 || cell.trim() !== "") return value;
    throw new RangeError("the cell is empty; fill it or drop the row");
  }
  const word = /^\s*([+-]?)(nan|inf|infinity)\s*$/i.exec(cell);
  if (!word?.[2]) {
    const shown = cell.length > 40 ? `${cell.slice(0, 40)}…` : cell;
    throw new RangeError(`"${shown}" is not a number`);
  }
  if (word[2].toLowerCase() === "nan") return Number.NaN;
  return word[1] === "-" ? -Infinity : Infinity;
}

/** The number of a cell of 1 to 15 digits, as most cells of pixels and labels are; -1 for any other. */
function digitsOnly(cell: string): number {
  const { length } = cell;
  if (length === 0 || length > 15) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = cell.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Whether the cell spells a whole number that float64 holds: no fraction, no exponent. */
export function isWhole(cell: string, value: number): boolean {
  return digitsOnly(cell) >= 0 || (Number.isSafeInteger(value) && /^\s*[+-]?\d+\s*$/.test(cell));
}

/** `true`, `false`, 1 and 0. */
export function parseBool(cell: string): number {
  const word = cell.trim().toLowerCase();
  if (word === "true" || word === "1") return 1;
  if (word === "false" || word === "0") return 0;
  if (word === "") throw new RangeError("the cell is empty; fill it or drop the row");
  throw new RangeError(`"${cell.slice(0, 40)}" is not true, false, 1 or 0`);
}

/** A 64-bit integer has 20; a long text would take long to read. */
const MAX_DIGITS = 40;

/** An exact integer of 64 bits, also beyond 2^53. */
export function parseInteger64(cell: string, dtype: "int64" | "uint64"): bigint {
  const text = cell.trim();
  if (text.length > MAX_DIGITS)
    throw new RangeError(`a number of ${text.length} characters is outside ${dtype}`);
  const value = /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, "")) : wholeOf(cell);
  return fitting(value, dtype);
}

function wholeOf(cell: string): bigint {
  const value = parseNumber(cell);
  if (!Number.isSafeInteger(value)) throw new RangeError(`"${cell.trim()}" is not a whole number`);
  return BigInt(value);
}
