/** @file A stored object as a range source: small reads while a model is scanned, read-ahead while its weights stream. */
import type { ByteSource } from "../onnx/source.ts";
import { breathe } from "./breathe.ts";

/** One request to R2 while reads are sequential. */
const READ_AHEAD_BYTES = 4 << 20;
/** One request while they jump: a scan reads a few hundred bytes between weights. */
const JUMP_BYTES = 64 << 10;

interface Window {
  start: number;
  bytes: Uint8Array<ArrayBuffer>;
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
  /** Reads take turns, because they share the window. */
  #last: Promise<void> = Promise.resolve();
  /** Buffers of read-ahead windows that are done with: new ones would pile up until they are collected. */
  readonly #idle: ArrayBuffer[] = [];

  constructor(bucket: R2Bucket, key: string, size: number) {
    this.#bucket = bucket;
    this.#key = key;
    this.size = size;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const turn = this.#last.then(async () => await this.#read(offset, into));
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  async #read(offset: number, into: Uint8Array): Promise<void> {
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
    this.#recycle(this.#window);
    this.#window = { start: 0, bytes: new Uint8Array(0) };
    this.#window =
      (await this.#takeAhead(position)) ??
      (await this.#fetch(position, lengthOf(wanted, sequential)));
    if (!sequential) return this.#window;
    await breathe();
    const next = position + this.#window.bytes.length;
    if (next < this.size) {
      const window = this.#fetch(next, READ_AHEAD_BYTES);
      // Whoever reads on awaits it; if nobody does, its failure concerns nobody.
      window.catch(() => undefined);
      this.#ahead = { start: next, window };
    }
    return this.#window;
  }

  /** The window that was fetched ahead, if it begins here; one that begins elsewhere is dropped. */
  async #takeAhead(position: number): Promise<Window | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead?.start === position) return await ahead.window;
    void ahead?.window.then(
      (window) => this.#recycle(window),
      () => undefined,
    );
    return undefined;
  }

  async #fetch(start: number, wanted: number): Promise<Window> {
    const length = Math.min(wanted, this.size - start);
    const object = await this.#bucket.get(this.#key, { range: { offset: start, length } });
    if (!object) throw new StoredObjectError(`the object ${this.#key} is gone`);
    const reader = object.body.getReader({ mode: "byob" });
    const buffer = this.#buffer(length);
    const { value } = await reader.readAtLeast(length, new Uint8Array(buffer, 0, length));
    if (value?.length !== length) {
      throw new StoredObjectError(
        `${this.#key} gave ${value?.length ?? 0} of ${length} bytes at ${start}`,
      );
    }
    // To the end, so that the stream is closed and not canceled.
    await reader.read(new Uint8Array(1));
    return { start, bytes: value };
  }

  #buffer(length: number): ArrayBuffer {
    if (length <= JUMP_BYTES) return new ArrayBuffer(length);
    return this.#idle.pop() ?? new ArrayBuffer(READ_AHEAD_BYTES);
  }

  #recycle({ bytes }: Window): void {
    if (bytes.buffer.byteLength === READ_AHEAD_BYTES && this.#idle.length < 2)
      this.#idle.push(bytes.buffer);
  }
}

function lengthOf(wanted: number, sequential: boolean): number {
  return sequential ? READ_AHEAD_BYTES : Math.max(JUMP_BYTES, Math.min(wanted, READ_AHEAD_BYTES));
}
