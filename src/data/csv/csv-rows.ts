/** @file The rows of a CSV file (RFC 4180), a bounded piece of text at a time. */
import Papa from "papaparse";
import type { ByteSource } from "../../onnx/source.ts";
import { DatasetError } from "../dataset.ts";
import { bytesAt, chunksOf } from "../plan.ts";

const PIECE_BYTES = 256 << 10;
/** Characters of one row. */
const MAX_ROW_CHARACTERS = 8 << 20;
const DELIMITERS = [",", ";", "\t", "|"];

export interface CsvRows {
  /** Cells as they stand, quotes undone; blank lines are `[""]`. */
  rows: string[][];
  /** The line of the file on which a row of `rows` begins, from 1. */
  lineOf: (index: number) => number;
}

const invalid = (message: string) => new DatasetError("invalid_dataset", `csv: ${message}`);

/** The delimiter and line end that the first line suggests. */
export async function detectDialect(
  source: ByteSource,
): Promise<{ delimiter: string; newline: "\n" | "\r" }> {
  const head = await bytesAt(source, 0, Math.min(source.size, PIECE_BYTES));
  const text = new TextDecoder().decode(head);
  const newline = !text.includes("\n") && text.includes("\r") ? "\r" : "\n";
  const [first = ""] = text.split(newline, 1);
  const plain = first.replaceAll(/"[^"]*"/g, "");
  const counts = DELIMITERS.map((delimiter) => plain.split(delimiter).length - 1);
  const most = Math.max(...counts);
  return { newline, delimiter: DELIMITERS[most === 0 ? 0 : counts.indexOf(most)] ?? "," };
}

/**
 * All rows in order, in pieces.
 * @throws DatasetError with the line, for text that is not UTF-8, broken quotes, and rows without end
 */
export async function* csvRows(
  source: ByteSource,
  dialect: { delimiter: string; newline: "\n" | "\r" },
): AsyncGenerator<CsvRows> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let line = 1;
  let text = "";
  let left = source.size;
  for await (const bytes of chunksOf(source, 0, source.size, PIECE_BYTES)) {
    left -= bytes.length;
    text += decode(decoder, bytes, left > 0, line);
    const { rows, cursor } = parse(text, dialect, left === 0, line);
    const before = { text, line };
    if (rows.length > 0) {
      yield {
        rows,
        lineOf: (index) =>
          before.line + lineBreaks(before.text, startOf(before.text, dialect, index), dialect),
      };
    }
    line += lineBreaks(text, cursor, dialect);
    text = text.slice(cursor);
    if (text.length > MAX_ROW_CHARACTERS) {
      throw invalid(`line ${line}: the row has more than ${MAX_ROW_CHARACTERS} characters`);
    }
  }
}

function decode(decoder: TextDecoder, bytes: Uint8Array, more: boolean, line: number): string {
  try {
    return decoder.decode(bytes, { stream: more });
  } catch {
    throw invalid(`the text is not UTF-8, at or after line ${line}`);
  }
}

interface PapaResult {
  data: string[][];
  errors: { code: string; row?: number }[];
  meta: { cursor: number };
}

function parse(
  text: string,
  dialect: { delimiter: string; newline: "\n" | "\r" },
  last: boolean,
  line: number,
): { rows: string[][]; cursor: number } {
  const { data, errors, meta } = new Papa.Parser(dialect).parse(text, 0, !last) as PapaResult;
  const [error] = errors;
  if (error) {
    const at = line + lineBreaks(text, startOf(text, dialect, error.row ?? 0), dialect);
    const what =
      error.code === "MissingQuotes" ? "a quoted cell is not closed" : "a quote is misplaced";
    throw invalid(`line ${at}: ${what}`);
  }
  return { rows: data, cursor: last ? text.length : meta.cursor };
}

/** Where a row begins in the text: only asked once there is an error to report. */
function startOf(
  text: string,
  dialect: { delimiter: string; newline: "\n" | "\r" },
  index: number,
): number {
  if (index === 0) return 0;
  const parser = new Papa.Parser({ ...dialect, preview: index, fastMode: false });
  return (parser.parse(text, 0, false) as PapaResult).meta.cursor;
}

function lineBreaks(text: string, end: number, { newline }: { newline: string }): number {
  let count = 0;
  for (let at = text.indexOf(newline); at >= 0 && at < end; at = text.indexOf(newline, at + 1))
    count++;
  return count;
}
