/** @file A file of any known format as a dataset's plan; the bytes say which format it is. */
import type { ByteSource } from "../onnx/source.ts";
import { type CsvOptions, readCsv } from "./csv/read-csv.ts";
import { DatasetError } from "./dataset.ts";
import { readNpyFile, readNpz } from "./npz/read-npz.ts";
import type { Decompressors } from "./parquet/codecs.ts";
import { readParquet } from "./parquet/read-parquet.ts";
import { bytesAt, checkedPlan, type DatasetPlan } from "./plan.ts";
import { readSafetensors } from "./read-safetensors.ts";

export type DatasetFormat = "npz" | "npy" | "safetensors" | "csv" | "parquet";

export interface ReadOptions extends CsvOptions {
  decompressors: Decompressors;
}

/** Read to tell formats apart. */
const HEAD_BYTES = 4096;
/** The field of a .npy file, which has no names. */
const ONLY_FIELD = "data";

/**
 * @throws DatasetError when the file is of no known format, does not read, or passes a limit, and when options are
 * given that its format does not have
 */
export async function readDataset(
  source: ByteSource,
  options: ReadOptions,
): Promise<DatasetPlan & { format: DatasetFormat }> {
  const format = await detectFormat(source);
  refuseOptions(format, options);
  return { format, ...checkedPlan(await read(format, source, options)) };
}

async function read(
  format: DatasetFormat,
  source: ByteSource,
  options: ReadOptions,
): Promise<DatasetPlan> {
  switch (format) {
    case "npz":
      return await readNpz(source);
    case "npy":
      return await readNpyFile(source, options.fields?.[0]?.name ?? ONLY_FIELD);
    case "safetensors":
      return await readSafetensors(source);
    case "parquet":
      return await readParquet(source, options);
    case "csv":
      return await readCsv(source, options);
  }
}

/** @throws DatasetError `not_a_dataset` */
export async function detectFormat(source: ByteSource): Promise<DatasetFormat> {
  const head = await bytesAt(source, 0, Math.min(source.size, HEAD_BYTES));
  const begins = (text: string) =>
    head.length >= text.length &&
    Array.from(text, (c) => c.charCodeAt(0)).every((c, i) => head[i] === c);
  if (begins("\x93NUMPY")) return "npy";
  if (begins("PK\x03\x04") || begins("PK\x05\x06")) return "npz";
  if (begins("PAR1")) return "parquet";
  // The header's length (below 2^32) and its first brace.
  if (head[8] === 0x7b && head.subarray(4, 8).every((byte) => byte === 0)) return "safetensors";
  if (isText(head)) return "csv";
  const hint = head[0] === 0x1f && head[1] === 0x8b ? " (gzip: unpack it first)" : "";
  const shown = Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0"));
  throw new DatasetError(
    "not_a_dataset",
    `data: the file begins with ${shown.join(" ")}${hint}; npz, npy, safetensors, parquet and UTF-8 csv are read`,
  );
}

function isText(head: Uint8Array): boolean {
  if (head.length === 0 || head.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return false;
  try {
    // As a stream: the last character may be cut.
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function refuseOptions(format: DatasetFormat, options: ReadOptions): void {
  const { header, delimiter, fields, types } = options;
  const refuse = (name: string, where: string) => {
    throw new DatasetError(
      "invalid_dataset",
      `data: ${name} is for ${where}, the file is ${format}`,
    );
  };
  if (format !== "csv" && header !== undefined) refuse("header", "csv");
  if (format !== "csv" && delimiter !== undefined) refuse("delimiter", "csv");
  if (format === "csv" || format === "parquet") return;
  if (types) refuse("dtype", "csv and parquet");
  const [field] = fields ?? [];
  const names = fields?.length === 1 && field?.name === field?.pattern && !field?.shape;
  if (fields && !(format === "npy" && names)) {
    refuse("fields", "csv and parquet (and one name for npy)");
  }
}
