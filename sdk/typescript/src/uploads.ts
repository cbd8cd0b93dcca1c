/** @file Models in parts: any size, several parts at once, resumable after a break. */
import type { Model, Upload } from "./generated/schema.d.ts";
import { binary, once, type Transport } from "./transport.ts";

/** One file of a model; a `File` from a page or `fs.openAsBlob(path)` is read part by part. */
export interface ModelFile {
  /** As the model spells it, for an external data file; absent for the model itself. */
  location?: string;
  data: Blob;
}

export interface UploadOptions {
  /** The model's name in the catalogue. */
  name?: string;
  /** The id of an upload that was cut off: parts that arrived are not sent again. Give the same files and `partBytes`. */
  resume?: string;
  /** Size of the parts but each file's last; at least 5 MiB (default 16 MiB). */
  partBytes?: number;
  /** Parts on their way at once (default 4). */
  concurrency?: number;
  /** Called as parts arrive. */
  onProgress?: (sentBytes: number, totalBytes: number) => void;
  /** Called once the upload has an id, which `resume` takes. */
  onStart?: (uploadId: string) => void;
  signal?: AbortSignal;
}

const PART_BYTES = 16 << 20;
const MIN_PART_BYTES = 5 << 20;
const CONCURRENCY = 4;

interface Part {
  location: string;
  number: number;
  data: Blob;
}

/**
 * Sends a model's files in parts and has the model made of them. After an error the upload stays for 24 hours.
 * @throws RangeError for parts below 5 MiB, or a resumed upload whose parts are other ones
 */
export async function uploadInParts(
  transport: Transport,
  files: readonly ModelFile[],
  options: UploadOptions = {},
): Promise<Model> {
  const { partBytes = PART_BYTES, concurrency = CONCURRENCY, onProgress } = options;
  if (partBytes < MIN_PART_BYTES) {
    throw new RangeError(`hone: partBytes is ${partBytes}, at least ${MIN_PART_BYTES} are needed`);
  }
  const signal = options.signal ?? null;
  const upload = await openUpload(transport, options);
  options.onStart?.(upload.id);
  const parts = files.flatMap((file) => partsOf(file, partBytes));
  const total = parts.reduce((sum, { data }) => sum + data.size, 0);
  const missing = parts.filter((part) => !hasArrived(upload, part));
  let sent = total - missing.reduce((sum, { data }) => sum + data.size, 0);
  onProgress?.(sent, total);
  const send = async () => {
    for (let part = missing.shift(); part; part = missing.shift()) {
      const { location, number, data } = part;
      await transport.PUT("/v1/uploads/{id}/parts/{number}", {
        params: { path: { id: upload.id, number }, query: location ? { location } : {} },
        ...binary(data),
        signal,
      });
      sent += data.size;
      onProgress?.(sent, total);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, send));
  const { data } = await transport.POST("/v1/uploads/{id}/complete", {
    params: { path: { id: upload.id }, header: once(`complete-${upload.id}`) },
    signal,
  });
  return data as Model;
}

async function openUpload(
  transport: Transport,
  { resume, name, signal = null as never }: UploadOptions,
): Promise<Upload> {
  const answer = resume
    ? await transport.GET("/v1/uploads/{id}", { params: { path: { id: resume } }, signal })
    : await transport.POST("/v1/uploads", {
        params: { header: once() },
        body: name === undefined ? {} : { name },
        signal,
      });
  return answer.data as Upload;
}

function partsOf({ location = "", data }: ModelFile, partBytes: number): Part[] {
  return Array.from({ length: Math.ceil(data.size / partBytes) }, (_, index) => ({
    location,
    number: index + 1,
    data: data.slice(index * partBytes, (index + 1) * partBytes),
  }));
}

function hasArrived({ id, files }: Upload, { location, number, data }: Part): boolean {
  const file = files.find((candidate) => candidate.location === location);
  const arrived = file?.parts.find((candidate) => candidate.number === number);
  if (arrived && arrived.bytes !== data.size) {
    throw new RangeError(
      `hone: part ${number} of ${id} has ${arrived.bytes} bytes there and ${data.size} here: give the same files and partBytes as before`,
    );
  }
  return arrived !== undefined;
}
