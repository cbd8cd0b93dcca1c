/** @file Bytes in order into a response's stream; small writes are gathered. */
import type { ByteSink } from "../onnx/source.ts";

const GATHERED_BYTES = 256 << 10;
/** A reader that takes nothing for so long is gone, or holds up all who wait for their turn. */
const STALL_MS = 60_000;

export class StreamSink implements ByteSink {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #gathered = new Uint8Array(GATHERED_BYTES);
  #length = 0;

  constructor(stream: WritableStream<Uint8Array>) {
    this.#writer = stream.getWriter();
  }

  /** Resolves when the bytes are taken, so that a slow reader slows the writer down. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#length + bytes.length > GATHERED_BYTES) await this.#flush();
    if (bytes.length > GATHERED_BYTES) return await this.#send(bytes);
    this.#gathered.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  async close(): Promise<void> {
    await this.#flush();
    await this.#writer.close();
  }

  async abort(reason: unknown): Promise<void> {
    await this.#writer.abort(reason).catch(() => undefined);
  }

  async #flush(): Promise<void> {
    if (this.#length > 0) await this.#send(this.#gathered.subarray(0, this.#length));
    this.#length = 0;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const stalled = Promise.withResolvers<never>();
    const timer = setTimeout(() => stalled.reject(new Error("the reader stalled")), STALL_MS);
    try {
      await Promise.race([this.#writer.write(bytes), stalled.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
