/** @file A task's sources and targets by their signed addresses. */
import type { BlobSource, BlobTarget } from "./protocol.ts";
import { TaskFault } from "./task-kit.ts";

/** @throws Error for a source that is not whole, or not what its SHA-256 says */
export async function readBlob(
  { url, bytes, sha256 }: BlobSource,
  range: { start: number; end: number } | undefined,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const headers = range ? { Range: `bytes=${range.start}-${range.end - 1}` } : {};
  const response = await fetch(url, { headers, signal });
  if (!response.ok) throw new Error(`a source answered ${response.status}`);
  const read = new Uint8Array(await response.arrayBuffer());
  const expected = range ? range.end - range.start : bytes;
  if (read.length !== expected) {
    throw new Error(`a source gave ${read.length} bytes, ${expected} were asked for`);
  }
  if (!range && (await sha256Hex(read)) !== sha256) {
    throw new Error("a source's bytes do not have their SHA-256");
  }
  return read;
}

/** @throws TaskFault for more bytes than may be put */
export async function writeBlob(
  { url, max_bytes }: BlobTarget,
  bytes: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<void> {
  if (bytes.length > max_bytes) {
    throw new TaskFault(`a result has ${bytes.length} bytes, ${max_bytes} may be put`);
  }
  const response = await fetch(url, { method: "PUT", body: bytes, signal });
  if (!response.ok) throw new Error(`a target answered ${response.status}`);
}

async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
