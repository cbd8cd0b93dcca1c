/** @file Files as sources and sinks, in Node. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OpenExternal } from "../onnx/external-data.ts";
import type { ByteSink, ByteSource } from "../onnx/source.ts";

export class FileSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly #descriptor: number;

  constructor(path: string) {
    this.path = path;
    this.#descriptor = openSync(path, "r");
    this.size = fstatSync(this.#descriptor).size;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length;) {
      const read = readSync(this.#descriptor, into, done, into.length - done, offset + done);
      if (read === 0) throw new RangeError(`file: "${this.path}" ended at ${offset + done}`);
      done += read;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Small writes are gathered up to this size. */
const BUFFER_BYTES = 256 << 10;

export class FileSink implements ByteSink {
  readonly #descriptor: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #filled = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, "w");
  }

  write(bytes: Uint8Array): void {
    if (bytes.length >= BUFFER_BYTES / 4) {
      this.#flush();
      this.#writeAll(bytes);
      return;
    }
    if (this.#filled + bytes.length > BUFFER_BYTES) this.#flush();
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  close(): void {
    this.#flush();
    closeSync(this.#descriptor);
  }

  #flush(): void {
    this.#writeAll(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }

  #writeAll(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done);
    }
  }
}

/** Opens external data beside a model file. */
export function externalBeside(modelPath: string): OpenExternal {
  const folder = dirname(modelPath);
  return async (location) => {
    try {
      return new FileSource(join(folder, location));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  };
}
