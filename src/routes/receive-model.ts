/** @file A model as it comes in: raw bytes, or a form with its external data files and samples. */
import { ApiError } from "../problem/api-error.ts";
import { sha256Hex } from "../store/id.ts";
import { MEMORY_BYTES, Spool, type Spooled } from "../store/spool.ts";
import type { TemporaryObjects } from "../store/temporary-objects.ts";
import { bodyChunks, declaredBytes } from "./body.ts";
import type { AppContext } from "./context.ts";
import { boundaryOf, readMultipart } from "./multipart.ts";

const MAX_SAMPLES_BYTES = 8 << 20;

export interface ReceivedModel {
  /** The form's file name, if it had one. */
  filename: string | undefined;
  model: Spooled;
  /** By the location that the model spells. */
  external: Map<string, Spooled>;
  /** An .npz of inputs, where the route takes one. */
  samples: Uint8Array | undefined;
}

/**
 * Receives the body. A content type other than multipart or JSON says nothing: curl's --data-binary
 * calls everything a form.
 * @param options.samples whether a part `samples` is taken
 * @throws ApiError 400, 413, 415
 */
export async function receiveModel(
  c: AppContext,
  objects: TemporaryObjects,
  options: { samples: boolean },
): Promise<ReceivedModel> {
  refuseEncoding(c);
  const contentType = c.req.header("Content-Type") ?? "";
  const boundary = boundaryOf(contentType);
  if (boundary !== undefined) return await receiveForm(c, objects, boundary, options.samples);
  if (/^application\/json\b/i.test(contentType)) {
    throw new ApiError(
      "unsupported_media_type",
      "the body is JSON; this path takes a model's bytes",
    );
  }
  const model = await spoolChunks(bodyChunks(c), objects, declaredBytes(c));
  return { filename: undefined, model, external: new Map(), samples: undefined };
}

/** @throws ApiError `empty_body` */
export async function spoolChunks(
  chunks: AsyncIterable<Uint8Array>,
  objects: TemporaryObjects,
  expectedBytes = 0,
): Promise<Spooled> {
  const spool = new Spool(objects, { expectedBytes });
  try {
    for await (const chunk of chunks) await spool.write(chunk);
    const body = await spool.finish();
    if (body.bytes === 0) throw new ApiError("empty_body", "there are no bytes");
    return body;
  } catch (error) {
    await spool.abort();
    throw error;
  }
}

async function receiveForm(
  c: AppContext,
  objects: TemporaryObjects,
  boundary: string,
  takesSamples: boolean,
): Promise<ReceivedModel> {
  const files = new Map<string, Spooled>();
  let filename: string | undefined;
  let current: { name: string; spool: Spool } | undefined;
  const finish = async () => {
    if (current) files.set(current.name, await current.spool.finish());
    current = undefined;
  };
  try {
    await readMultipart(bodyChunks(c), boundary, async (header) => {
      await finish();
      const { name } = header;
      if (files.has(name)) {
        throw new ApiError("invalid_multipart", `the form has two parts named "${name}"`);
      }
      if (name === "model") filename = header.filename;
      const spool = new Spool(objects, {
        memoryBytes: MEMORY_BYTES - bytesInMemory(files.values()),
      });
      current = { name, spool };
      return (bytes) => spool.write(bytes);
    });
    await finish();
  } catch (error) {
    await current?.spool.abort();
    throw error;
  }
  const model = files.get("model");
  if (!model) throw new ApiError("invalid_multipart", 'the form has no part named "model"');
  if (model.bytes === 0) throw new ApiError("empty_body", 'the part "model" is empty');
  files.delete("model");
  const samples = takesSamples ? await samplesOf(files.get("samples")) : undefined;
  if (takesSamples) files.delete("samples");
  return { filename, model, external: files, samples };
}

/** The parts of one form share the memory that one body may take. */
function bytesInMemory(files: Iterable<Spooled>): number {
  let bytes = 0;
  for (const file of files) if (!file.object) bytes += file.bytes;
  return bytes;
}

async function samplesOf(file: Spooled | undefined): Promise<Uint8Array | undefined> {
  if (!file) return undefined;
  if (file.bytes > MAX_SAMPLES_BYTES) {
    throw new ApiError(
      "body_too_large",
      `the samples have ${file.bytes} bytes, at most ${MAX_SAMPLES_BYTES} are taken`,
    );
  }
  const bytes = new Uint8Array(file.bytes);
  await file.source.read(0, bytes);
  return bytes;
}

/** Identifies what was sent, for Idempotency-Key. */
export async function fingerprintOf(received: ReceivedModel): Promise<string> {
  const parts = [received.model.sha256];
  for (const [location, file] of received.external) parts.push(location, file.sha256);
  return await sha256Hex(JSON.stringify(parts));
}

/** @throws ApiError `unsupported_media_type` for a body that is compressed on the way */
export function refuseEncoding(c: AppContext): void {
  const encoding = c.req.header("Content-Encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new ApiError(
      "unsupported_media_type",
      `Content-Encoding: ${encoding} is not taken; send the bytes as they are`,
    );
  }
}
