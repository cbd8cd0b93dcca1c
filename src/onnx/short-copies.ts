/**
 * @file Copies of short runs of bytes and of what grows by short runs. A buffer of its own would cost each some 200
 * bytes, and files hold them by the hundred thousand.
 */

const BUFFER_BYTES = 64 << 10;
const SHORT_BYTES = 1024;
/** Element types are read in place, at multiples of their size. */
const ALIGNMENT = 8;

/** Copies of byte runs, the short ones side by side in shared buffers. */
export class ShortCopies {
  #buffer = new Uint8Array(0);
  #used = 0;

  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length > SHORT_BYTES) return new Uint8Array(bytes);
    if (this.#used + bytes.length > this.#buffer.length) {
      this.#buffer = new Uint8Array(BUFFER_BYTES);
      this.#used = 0;
    }
    const copy = this.#buffer.subarray(this.#used, this.#used + bytes.length);
    copy.set(bytes);
    this.#used += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
    return copy;
  }
}

/** Bytes that come in pieces. */
export class GrowingBytes {
  #buffer = new Uint8Array(64);
  #length = 0;

  push(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }

  /** A view of what came so far. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}
