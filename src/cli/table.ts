/** @file Plain text tables: columns padded, numbers to the right. */
import { printable } from "./printable.ts";

export function table(header: readonly string[], texts: readonly (readonly string[])[]): string {
  const rows = texts.map((cells) => cells.map((cell) => printable(cell).replaceAll("\n", "\\n")));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        isNumber(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [
    line(header),
    widths.map((width) => "─".repeat(width)).join("  "),
    ...rows.map(line),
  ].join("\n");
}

const isNumber = (cell: string) => /^[-+]?[\d.,]+( ?(B|KB|MB|GB|×|%|ms|s|dB))?$/.test(cell);

/** Decimal units, three digits: `10.8 MB`. */
export function bytes(count: number): string {
  const units = ["B", "KB", "MB", "GB"];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}
