/**
 * @file Whether an object goes out through gzip: where the client takes it and a sample says that it pays. Of models that
 * is those with dense zeros (pruned ones); codes and floats do not shrink.
 */
import { StoredObjectError } from "../store/r2-source.ts";
import type { AppContext } from "./context.ts";
import type { StoredObject } from "./send-object.ts";

/** Less is sent at once anyway. */
const MIN_BYTES = 16 << 10;
/** A core compresses 25 to 39 MB/s: at most 2.7 s of CPU for one download, in which others of the isolate wait for turns. */
const MAX_BYTES = 64 << 20;
const SAMPLES = 4;
const SAMPLE_BYTES = 64 << 10;
/** Compressed by bytes, of the sample; above, the time that it takes is not worth it. */
const PAYS_BELOW = 0.75;
const MAX_KNOWN = 1000;

/** Of contents by their hash, so that the next download reads no sample. */
const known = new Map<string, boolean>();

/** A range is one of the bytes themselves, and so is what If-Match names: both are answered without gzip. */
export async function goesGzipped(c: AppContext, object: StoredObject): Promise<boolean> {
  const { headers, cf } = c.req.raw;
  if (headers.has("Range") || headers.has("If-Match")) return false;
  if (object.bytes < MIN_BYTES || object.bytes > MAX_BYTES) return false;
  // The platform writes an Accept-Encoding of its own, and tells the client's apart.
  const accepted = (cf as { clientAcceptEncoding?: string } | undefined)?.clientAcceptEncoding;
  if (!acceptsGzip(accepted ?? headers.get("Accept-Encoding") ?? "")) return false;
  const before = known.get(object.sha256);
  if (before !== undefined) return before;
  const pays = (await sampledRatio(c.env.BLOBS, object)) < PAYS_BELOW;
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(object.sha256, pays);
  return pays;
}

/** RFC 9110 §12.5.3. */
export function acceptsGzip(header: string): boolean {
  const weights = new Map<string, number>();
  for (const entry of header.toLowerCase().split(",")) {
    const [coding = "", weight = "q=1"] = entry.split(";").map((part) => part.trim());
    weights.set(coding, Number(/^q=([\d.]+)$/.exec(weight)?.[1] ?? 0));
  }
  return (weights.get("gzip") ?? weights.get("*") ?? 0) > 0;
}

async function sampledRatio(blobs: R2Bucket, { key, bytes }: StoredObject): Promise<number> {
  const isSmall = bytes <= SAMPLES * SAMPLE_BYTES;
  const apart = Math.floor((bytes - SAMPLE_BYTES) / (SAMPLES - 1));
  const ranges = isSmall
    ? [{ offset: 0, length: bytes }]
    : Array.from({ length: SAMPLES }, (_, n) => ({ offset: n * apart, length: SAMPLE_BYTES }));
  const sizes = await Promise.all(ranges.map((range) => compressedBytes(blobs, key, range)));
  const sampled = ranges.reduce((sum, { length }) => sum + length, 0);
  return sizes.reduce((sum, size) => sum + size, 0) / sampled;
}

async function compressedBytes(blobs: R2Bucket, key: string, range: R2Range): Promise<number> {
  const object = await blobs.get(key, { range });
  if (!object) throw new StoredObjectError(`the object ${key} is gone`);
  let size = 0;
  for await (const chunk of gzipped(object.body)) size += chunk.length;
  return size;
}

export function gzipped(body: ReadableStream): ReadableStream<Uint8Array> {
  return body.pipeThrough(new CompressionStream("gzip"));
}
