/** @file A body of unknown size: kept in memory while it is small, in R2 once it is not. */
import type { ByteSource } from "../onnx/source.ts";
import { MemorySource } from "../onnx/source.ts";
import { sha256Hex } from "./id.ts";
import { R2Sink } from "./r2-sink.ts";
import { R2Source } from "./r2-source.ts";
import type { TemporaryObject, TemporaryObjects } from "./temporary-objects.ts";

/** A one-shot conversion holds its input, its result and ONNX Runtime's heap beside it. */
export const MEMORY_BYTES = 16 << 20;

export interface Spooled {
  source: ByteSource;
  bytes: number;
  sha256: string;
  /** Where it lies in R2; `undefined` while in memory. */
  object: TemporaryObject | undefined;
}

/** A byte sink that turns from memory to R2 when it grows. */
export class Spool {
  readonly #objects: TemporaryObjects;
  /** Grows by doubling; of the exact size at once where that is known. */
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  readonly #memoryBytes: number;
  /** Known to outgrow memory: nothing is kept there first. */
  readonly #isLarge: boolean;
  #large: { sink: R2Sink; object: TemporaryObject } | undefined;

  /**
   * @param options.expectedBytes allocated at once, if it fits memory
   * @param options.memoryBytes how much stays in memory (default `MEMORY_BYTES`)
   */
  constructor(
    objects: TemporaryObjects,
    {
      expectedBytes = 0,
      memoryBytes = MEMORY_BYTES,
    }: { expectedBytes?: number; memoryBytes?: number } = {},
  ) {
    this.#objects = objects;
    this.#memoryBytes = memoryBytes;
    this.#isLarge = expectedBytes > memoryBytes;
    this.#buffer = new Uint8Array(expectedBytes <= memoryBytes ? expectedBytes : 0);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#large) return await this.#large.sink.write(bytes);
    const length = this.#length + bytes.length;
    if (length > this.#memoryBytes || this.#isLarge) {
      const object = await this.#objects.create();
      const sink = new R2Sink(this.#objects.bucket, object, { idle: this.#objects.idleParts });
      this.#large = { sink, object };
      await this.#large.sink.write(this.#buffer.subarray(0, this.#length));
      this.#buffer = new Uint8Array(0);
      return await this.#large.sink.write(bytes);
    }
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(
        Math.min(Math.max(length, this.#buffer.length * 2), this.#memoryBytes),
      );
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }

  async finish(): Promise<Spooled> {
    if (!this.#large) {
      const bytes = this.#buffer.subarray(0, this.#length);
      const source = new MemorySource(bytes);
      return { source, bytes: bytes.length, sha256: await sha256Hex(bytes), object: undefined };
    }
    const { sink, object } = this.#large;
    const stored = await sink.finish();
    const source = new R2Source(this.#objects.bucket, object.key, stored.bytes);
    return { source, object, ...stored };
  }

  async abort(): Promise<void> {
    await this.#large?.sink.abort();
  }
}
