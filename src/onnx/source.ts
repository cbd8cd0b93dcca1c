/** @file Where bytes come from and go to: random-access sources, sequential sinks. */

/** Bytes of known size that can be read by ranges: memory, a file, an R2 object. */
export interface ByteSource {
  readonly size: number;
  /** True where short reads here and there cost no more than as many bytes in order: memory, a file. */
  readonly jumpsFreely?: boolean;
  /** Fills `into` with the bytes from `offset` on. The caller keeps `offset + into.length` ≤ `size`. */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/**
 * Where a writer puts bytes, in order. `bytes` is only lent: it may be a view of scratch memory
 * that is overwritten once `write` has returned or its promise has resolved.
 */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void> | void;
}

/** A source over bytes in memory. */
export class MemorySource implements ByteSource {
  readonly bytes: Uint8Array;
  readonly jumpsFreely = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get size(): number {
    return this.bytes.length;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }
}

/** A sink into one buffer of a size that is known beforehand. */
export class MemorySink implements ByteSink {
  readonly bytes: Uint8Array;
  #position = 0;

  constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength);
  }

  write(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#position);
    this.#position += bytes.length;
  }
}
