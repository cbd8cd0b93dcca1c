/** @file The bytes of a file that were read, at file offsets: one by one, or as views. */
import { OnnxError } from "./errors.ts";
import type { SparseBytes } from "./sparse-bytes.ts";

export const NO_BYTES = new Uint8Array(0);

export class ByteWindow {
  readonly #bytes: SparseBytes;
  /** The extent that was used last. */
  #window: Uint8Array = NO_BYTES;
  #start = 0;

  constructor(bytes: SparseBytes) {
    this.#bytes = bytes;
  }

  get source() {
    return this.#bytes.source;
  }

  /** @throws OnnxError `unsupported` when the scan left the byte out */
  at(position: number): number {
    if (position < this.#start || position >= this.#start + this.#window.length) {
      this.#seek(position, 1);
    }
    return this.#window[position - this.#start] as number;
  }

  /** @throws OnnxError `unsupported` when the scan left some of the bytes out */
  view(position: number, count: number): Uint8Array {
    if (count === 0) return NO_BYTES;
    if (position < this.#start || position + count > this.#start + this.#window.length) {
      this.#seek(position, count);
    }
    return this.#window.subarray(position - this.#start, position - this.#start + count);
  }

  /** True when the bytes `[start, stop)` were read by the scan. */
  holds(start: number, stop: number): boolean {
    const extent = this.#bytes.find(start);
    return extent !== undefined && stop <= extent.offset + extent.bytes.length;
  }

  #seek(position: number, count: number): void {
    const extent = this.#bytes.find(position);
    if (!extent || position + count > extent.offset + extent.bytes.length) {
      throw new OnnxError(
        "unsupported",
        `${count} bytes lie in a weight's data, where a field was expected`,
        position,
      );
    }
    this.#window = extent.bytes;
    this.#start = extent.offset;
  }
}
