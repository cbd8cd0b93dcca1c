/**
 * @file A file's bytes with holes: all that was read of it, addressed by file offsets.
 *
 * The scan (`scan.ts`) reads everything but the large weights through `fill`; the parser then walks
 * what is there without waiting. Bytes are kept as extents in rising order of offset.
 */
import { OnnxError } from "./errors.ts";
import { type ByteSource, MemorySource } from "./source.ts";

/** First read of an extent; doubled while the scan reads on without a gap, so a small skeleton costs little and a long one few reads. */
const FIRST_READ_BYTES = 16 << 10;
const MAX_READ_BYTES = 256 << 10;

export interface Extent {
  /** File offset of `bytes[0]`. */
  offset: number;
  /** A view from the start of its buffer, which may be longer. */
  bytes: Uint8Array<ArrayBuffer>;
}

export class SparseBytes {
  readonly source: ByteSource;
  readonly #maxBytes: number;
  readonly #extents: Extent[] = [];
  #kept = 0;
  #nextRead = FIRST_READ_BYTES;

  constructor(source: ByteSource, maxBytes: number) {
    this.source = source;
    this.#maxBytes = maxBytes;
    if (source instanceof MemorySource)
      this.#extents.push({ offset: 0, bytes: source.bytes as Uint8Array<ArrayBuffer> });
  }

  /** True when all bytes are at hand, so that no scan is needed. */
  get complete(): boolean {
    return this.source instanceof MemorySource;
  }

  /** The extent that holds the byte at `offset`, or `undefined` in a hole. */
  find(offset: number): Extent | undefined {
    let low = 0;
    let high = this.#extents.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const extent = this.#extents[middle] as Extent;
      if (offset < extent.offset) high = middle - 1;
      else if (offset >= extent.offset + extent.bytes.length) low = middle + 1;
      else return extent;
    }
    return undefined;
  }

  /** The last extent, when it holds the bytes already. */
  filled(offset: number, length: number): Extent | undefined {
    const extent = this.#extents.at(-1);
    const holds =
      extent !== undefined &&
      offset >= extent.offset &&
      offset + length <= extent.offset + extent.bytes.length;
    return holds ? extent : undefined;
  }

  /**
   * Reads on until the bytes `[offset, offset + length)` are at hand, and returns the extent's end.
   * Offsets only rise from call to call.
   * @throws OnnxError `truncated` past the end of the file, `limit_exceeded` past the skeleton's limit
   */
  async fill(offset: number, length: number): Promise<Extent> {
    const end = offset + length;
    if (end > this.source.size) {
      throw new OnnxError(
        "truncated",
        `the file ends after ${this.source.size} bytes, ${length} more are needed from ${offset}`,
        offset,
      );
    }
    let extent = this.#extents.at(-1);
    if (!extent || offset > extent.offset + extent.bytes.length) {
      extent = { offset, bytes: new Uint8Array(0) };
      this.#extents.push(extent);
      this.#nextRead = FIRST_READ_BYTES;
    }
    const have = extent.offset + extent.bytes.length;
    if (end <= have) return extent;
    const want = Math.min(Math.max(end - have, this.#nextRead), this.source.size - have);
    this.#nextRead = Math.min(this.#nextRead * 2, MAX_READ_BYTES);
    this.#kept += want;
    if (this.#kept > this.#maxBytes) {
      throw new OnnxError(
        "limit_exceeded",
        `the model without its large weights is more than ${this.#maxBytes} bytes`,
        have,
      );
    }
    await this.#grow(extent, want);
    return extent;
  }

  async #grow(extent: Extent, want: number): Promise<void> {
    const length = extent.bytes.length;
    let buffer = new Uint8Array(extent.bytes.buffer);
    if (length + want > buffer.length) {
      buffer = new Uint8Array(Math.max(length + want, Math.ceil(length * 1.5)));
      buffer.set(extent.bytes);
    }
    await this.source.read(extent.offset + length, buffer.subarray(length, length + want));
    extent.bytes = buffer.subarray(0, length + want);
  }

  /** Forgets what was read of `[start, end)`; the next `fill` starts at `end` or later. */
  cut(start: number, end: number): void {
    const extent = this.#extents.at(-1);
    if (!extent || start >= extent.offset + extent.bytes.length) return;
    const { offset, bytes } = extent;
    extent.bytes = bytes.slice(0, start - offset);
    this.#kept -= Math.min(end, offset + bytes.length) - start;
    if (end < offset + bytes.length) {
      this.#extents.push({ offset: end, bytes: bytes.slice(end - offset) });
    }
  }
}
