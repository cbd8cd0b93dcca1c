/** @file Bytes in order into one R2 object: a single put when small, a multipart upload of equal parts when not; hashed on the way. */
import type { ByteSink } from "../onnx/source.ts";
import { breathe } from "./breathe.ts";
import { hex } from "./id.ts";
import type { TemporaryObject } from "./temporary-objects.ts";

/** R2 wants parts of at least 5 MiB, all equal but the last; 10,000 of them are 80 GB. */
const PART_BYTES = 8 << 20;
const MAX_IN_FLIGHT = 2;

export interface StoredBytes {
  sha256: string;
  bytes: number;
}

export class R2Sink implements ByteSink {
  readonly #bucket: R2Bucket;
  readonly #object: TemporaryObject;
  readonly #digest = new crypto.DigestStream("SHA-256");
  readonly #digestWriter = this.#digest.getWriter();
  #part: Uint8Array<ArrayBuffer>;
  #filled = 0;
  #bytes = 0;
  #upload: R2MultipartUpload | undefined;
  readonly #parts: Promise<R2UploadedPart>[] = [];
  readonly #idle: Uint8Array<ArrayBuffer>[];

  /**
   * @param object where the bytes go; known to the catalogue before the first byte is stored
   * @param options.mostBytes no more will come: a small object takes no more memory than it has bytes
   * @param options.idle part buffers that sinks hand on, one after the other: new ones pile up until they are collected
   */
  constructor(
    bucket: R2Bucket,
    object: TemporaryObject,
    {
      mostBytes = PART_BYTES,
      idle = [],
    }: { mostBytes?: number; idle?: Uint8Array<ArrayBuffer>[] } = {},
  ) {
    this.#bucket = bucket;
    this.#object = object;
    this.#idle = idle;
    this.#part =
      mostBytes < PART_BYTES
        ? new Uint8Array(mostBytes)
        : (idle.pop() ?? new Uint8Array(PART_BYTES));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      if (this.#filled === PART_BYTES) await this.#sendPart();
      const piece = bytes.subarray(done, done + PART_BYTES - this.#filled);
      this.#part.set(piece, this.#filled);
      this.#filled += piece.length;
      done += piece.length;
    }
    this.#bytes += bytes.length;
  }

  /** Completes the object. */
  async finish(): Promise<StoredBytes> {
    const rest = this.#part.subarray(0, this.#filled);
    await this.#digestWriter.write(rest);
    await this.#digestWriter.close();
    if (this.#upload) {
      if (rest.length > 0) this.#parts.push(this.#upload.uploadPart(this.#parts.length + 1, rest));
      await this.#upload.complete(await Promise.all(this.#parts));
    } else {
      await this.#bucket.put(this.#object.key, rest);
    }
    if (this.#part.length === PART_BYTES) this.#idle.push(this.#part);
    return { sha256: hex(await this.#digest.digest), bytes: this.#bytes };
  }

  /** Ends an upload that will not be finished. What was stored is the owner's `release` to delete. */
  async abort(): Promise<void> {
    await Promise.allSettled(this.#parts);
    await this.#digestWriter.abort().catch(() => undefined);
    this.#digest.digest.catch(() => undefined);
  }

  async #sendPart(): Promise<void> {
    await breathe();
    if (!this.#upload) {
      const upload = await this.#bucket.createMultipartUpload(this.#object.key);
      await this.#object.setMultipartId(upload.uploadId);
      this.#upload = upload;
    }
    const part = this.#part;
    await this.#digestWriter.write(part);
    const sent = this.#upload.uploadPart(this.#parts.length + 1, part).finally(() => {
      this.#idle.push(part);
    });
    // Seen when the next part waits for it, or by finish.
    sent.catch(() => undefined);
    this.#parts.push(sent);
    if (this.#parts.length >= MAX_IN_FLIGHT) await this.#parts[this.#parts.length - MAX_IN_FLIGHT];
    this.#part = this.#idle.pop() ?? new Uint8Array(PART_BYTES);
    this.#filled = 0;
  }
}
