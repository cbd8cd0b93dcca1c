/** @file A stored object as a range source: small reads while a model is scanned, read-ahead while its weights stream. */
import type { ByteSource } from "../onnx/source.ts";
import { breathe } from "./breathe.ts";

/** One request to R2 while reads are sequential. */
const READ_AHEAD_BYTES = 4 << 20;
/** One request while they jump: a scan reads a few hundred bytes between weights. */
const JUMP_BYTES = 64 << 10;

interface Window {
  start: number;
  bytes: Uint8Array;
}

/** The object that a source reads is gone or shorter than it was: never the caller's fault. */
export class StoredObjectError extends Error {
  override readonly name = "StoredObjectError";
}

export class R2Source implements ByteSource {
  readonly size: number;
  readonly #bucket: R2Bucket;
  readonly #key: string;
  #window: Window = { start: 0, bytes: new Uint8Array(0) };
  #ahead: { start: number; window: Promise<Window> } | undefined;
  /** Where the last read ended: a read from here on is sequential. */
  #end = 0;

  constructor(bucket: R2Bucket, key: string, size: number) {
    this.#bucket = bucket;
    this.#key = key;
    this.size = size;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const sequential = offset === this.#end;
    this.#end = offset + into.length;
    for (let done = 0; done < into.length;) {
      const window = await this.#windowAt(
        offset + done,
        into.length - done,
        sequential || done > 0,
      );
      const from = offset + done - window.start;
      const part = window.bytes.subarray(from, from + into.length - done);
      into.set(part, done);
      done += part.length;
    }
  }

  async #windowAt(position: number, wanted: number, sequential: boolean): Promise<Window> {
    const { start, bytes } = this.#window;
    if (position >= start && position < start + bytes.length) return this.#window;
    const length = sequential
      ? READ_AHEAD_BYTES
      : Math.max(JUMP_BYTES, Math.min(wanted, READ_AHEAD_BYTES));
    const ahead = this.#ahead?.start === position ? this.#ahead.window : undefined;
    this.#ahead = undefined;
    const window = await (ahead ?? this.#fetch(position, length));
    if (sequential) await breathe();
    this.#window = window;
    const next = position + window.bytes.length;
    if (sequential && next < this.size) {
      const fetched = this.#fetch(next, READ_AHEAD_BYTES);
      // Whoever reads on awaits it; if nobody does, its failure concerns nobody.
      fetched.catch(() => undefined);
      this.#ahead = { start: next, window: fetched };
    }
    return window;
  }

  async #fetch(start: number, wanted: number): Promise<Window> {
    const length = Math.min(wanted, this.size - start);
    const object = await this.#bucket.get(this.#key, { range: { offset: start, length } });
    if (!object) throw new StoredObjectError(`the object ${this.#key} is gone`);
    const bytes = new Uint8Array(await object.arrayBuffer());
    if (bytes.length !== length) {
      throw new StoredObjectError(
        `${this.#key} gave ${bytes.length} of ${length} bytes at ${start}`,
      );
    }
    return { start, bytes };
  }
}
