/** @file Datasets read whole, for tests: every field's bytes, and sources that watch how they are read. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Decompressors } from "../../../src/data/parquet/codecs.ts";
import { readDataset, type ReadOptions } from "../../../src/data/read-dataset.ts";
import { rowBytes, type DatasetField } from "../../../src/data/dataset.ts";
import { type ByteSource, MemorySource } from "../../../src/onnx/source.ts";

export const GOLDENS = new URL("../../goldens/data/", import.meta.url).pathname;

export function golden(file: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(`${GOLDENS}${file}`));
}

const bounded = (bytes: number) => ({ maxOutputLength: bytes + 65_536 });
export const decompressors: Decompressors = {
  gzip: (packed, bytes) => gunzipSync(packed, bounded(bytes)),
  brotli: (packed, bytes) => brotliDecompressSync(packed, bounded(bytes)),
  zstd: (packed, bytes) => zstdDecompressSync(packed, bounded(bytes)),
};

export interface ReadField extends DatasetField {
  bytes: Uint8Array<ArrayBuffer>;
}

export interface ReadResult {
  format: string;
  rows: number;
  fields: ReadField[];
}

/** Reads all of a file; a field with more or fewer bytes than its rows need is an error. */
export async function readAll(
  file: Uint8Array | ByteSource | string,
  options: Partial<ReadOptions> = {},
): Promise<ReadResult> {
  const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file;
  const source = bytes instanceof Uint8Array ? new MemorySource(bytes) : bytes;
  const plan = await readDataset(source, { decompressors, ...options });
  const fields: ReadField[] = plan.fields.map((field) => ({
    ...field,
    bytes: new Uint8Array(rowBytes(field) * plan.rows),
  }));
  for (const pass of plan.passes) {
    const written = pass.fields.map(() => 0);
    await pass.write(
      pass.fields.map((index, place) => ({
        write: (chunk) => {
          fields[index]?.bytes.set(chunk, written[place]);
          written[place] = (written[place] ?? 0) + chunk.length;
        },
      })),
    );
    for (const [place, index] of pass.fields.entries()) {
      const need = fields[index]?.bytes.length;
      if (written[place] !== need)
        throw new Error(`field ${index}: ${written[place]} of ${need} bytes`);
    }
  }
  return { format: plan.format, rows: plan.rows, fields };
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The text of a refusal. */
export async function refusal(
  file: Uint8Array | ByteSource | string,
  options: Partial<ReadOptions> = {},
): Promise<string> {
  try {
    await readAll(file, options);
  } catch (error) {
    const { name, code, message } = error as { name: string; code: string; message: string };
    return name === "DatasetError" ? `${code}: ${message}` : `${name}! ${message}`;
  }
  return "taken";
}
