/**
 * @file A tensor's bytes, lazily: raw little-endian form, of known length, read only when asked for.
 */
import { OnnxError } from "./errors.ts";
import type { ByteSink, ByteSource } from "./source.ts";
import { MemorySink } from "./source.ts";

/** Bytes moved at a time by plain copies. */
const COPY_CHUNK_BYTES = 1 << 20;

export interface TensorData {
  readonly byteLength: number;
  /** True when the bytes are in memory already, so that reading costs nothing. */
  readonly inMemory: boolean;
  /** Sends all bytes in order; the chunks are only lent (see `ByteSink`). */
  stream(sink: ByteSink): Promise<void>;
  /**
   * Fills `into` with the bytes from `offset` on.
   * @throws RangeError when the range passes `byteLength`
   */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** Data in memory. */
export class BytesData implements TensorData {
  readonly bytes: Uint8Array;
  readonly inMemory = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get byteLength(): number {
    return this.bytes.length;
  }

  async stream(sink: ByteSink): Promise<void> {
    await sink.write(this.bytes);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    checkRange(offset, into.length, this.byteLength);
    into.set(this.bytes.subarray(offset, offset + into.length));
  }
}

export const NO_DATA: TensorData = new BytesData(new Uint8Array(0));

/** A range of a source: raw_data, packed float_data or double_data, external data. */
export class RangeData implements TensorData {
  readonly source: ByteSource;
  readonly offset: number;
  readonly byteLength: number;
  readonly inMemory = false;

  /** @throws OnnxError when the range passes the source's end */
  constructor(source: ByteSource, offset: number, byteLength: number) {
    if (offset < 0 || byteLength < 0 || offset + byteLength > source.size) {
      throw new OnnxError(
        "truncated",
        `${byteLength} bytes of tensor data at ${offset} pass the end of ${source.size} bytes`,
        offset,
      );
    }
    this.source = source;
    this.offset = offset;
    this.byteLength = byteLength;
  }

  async stream(sink: ByteSink): Promise<void> {
    const chunk = new Uint8Array(Math.min(this.byteLength, COPY_CHUNK_BYTES));
    for (let done = 0; done < this.byteLength;) {
      const part = chunk.subarray(0, Math.min(chunk.length, this.byteLength - done));
      await this.source.read(this.offset + done, part);
      await sink.write(part);
      done += part.length;
    }
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    checkRange(offset, into.length, this.byteLength);
    await this.source.read(this.offset + offset, into);
  }
}

/**
 * Data that a pass computes when it is asked for: `produce` must send exactly `byteLength` bytes.
 * Random reads compute everything and keep it, so they are meant for small results (scales,
 * zero points) that a later pass transforms.
 */
export class ComputedData implements TensorData {
  readonly byteLength: number;
  readonly inMemory = false;
  readonly #produce: (sink: ByteSink) => Promise<void>;
  #kept: Uint8Array | undefined;

  constructor(byteLength: number, produce: (sink: ByteSink) => Promise<void>) {
    this.byteLength = byteLength;
    this.#produce = produce;
  }

  async stream(sink: ByteSink): Promise<void> {
    if (this.#kept) return await sink.write(this.#kept);
    await this.#produce(sink);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    checkRange(offset, into.length, this.byteLength);
    this.#kept ??= await readAll(this);
    into.set(this.#kept.subarray(offset, offset + into.length));
  }
}

/** All bytes of `data` in one array of its own (or the array itself when it is in memory). */
export async function readAll(data: TensorData): Promise<Uint8Array> {
  if (data instanceof BytesData) return data.bytes;
  const sink = new MemorySink(data.byteLength);
  await data.stream(sink);
  return sink.bytes;
}

function checkRange(offset: number, length: number, byteLength: number): void {
  if (offset < 0 || offset + length > byteLength) {
    throw new RangeError(
      `onnx: ${length} bytes at ${offset} pass a tensor's ${byteLength} bytes of data`,
    );
  }
}
