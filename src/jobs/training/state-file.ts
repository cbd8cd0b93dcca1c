/**
 * @file A rank's state as bytes: the length of a JSON header (uint32), the header, then the vectors' float32 values
 * back to back, little-endian.
 */
import type { StateEntry } from "../../train/replica.ts";

type EntryHeader = Omit<StateEntry, "values"> & { length: number };

const PREFIX_BYTES = 4;
/** A header has an entry per state vector: tens of them, so more is no header. */
const MAX_HEADER_BYTES = 1 << 20;

/** Bytes of the file. */
export function stateBytes(entries: readonly StateEntry[]): number {
  return head(entries).length + entries.reduce((sum, { values }) => sum + values.byteLength, 0);
}

function head(entries: readonly StateEntry[]): Uint8Array<ArrayBuffer> {
  const headers: EntryHeader[] = entries.map(({ values, name, kind, rank, start }) => ({
    name,
    kind,
    rank,
    start,
    length: values.length,
  }));
  const text = new TextEncoder().encode(JSON.stringify(headers));
  const bytes = new Uint8Array(PREFIX_BYTES + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, PREFIX_BYTES);
  return bytes;
}

/** The file in chunks of at most `chunkBytes`; views of the entries where they are not cut. */
export function* stateChunks(
  entries: readonly StateEntry[],
  chunkBytes: number,
): Generator<Uint8Array> {
  yield* pieces(head(entries), chunkBytes);
  for (const { values } of entries) {
    yield* pieces(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), chunkBytes);
  }
}

function* pieces(bytes: Uint8Array, chunkBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

/**
 * Reads a file back from chunks that were cut anywhere, one entry at a time.
 * @throws RangeError for what is no such file, or ends early
 */
export async function* readState(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<StateEntry> {
  const bytes = new Reader(chunks);
  const prefix = await bytes.take(PREFIX_BYTES);
  const length = new DataView(prefix.buffer).getUint32(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw new RangeError(
      `training: a state's header of ${length} bytes, ${MAX_HEADER_BYTES} at most`,
    );
  }
  const headers: EntryHeader[] = JSON.parse(new TextDecoder().decode(await bytes.take(length)));
  for (const { length: elements, ...entry } of headers) {
    const values = await bytes.take(elements * Float32Array.BYTES_PER_ELEMENT);
    yield { ...entry, values: new Float32Array(values.buffer) };
  }
}

/** Takes exact numbers of bytes out of a stream of chunks. */
class Reader {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #rest = new Uint8Array(0) as Uint8Array;

  constructor(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#chunks =
      Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  async take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) throw new RangeError(`training: a state ends ${length - at} bytes early`);
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, length - at);
      bytes.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes;
  }
}
