/** @file Files as sources and sinks, in Node. */
import {
  closeSync,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join, sep } from "node:path";
import { OnnxError } from "../onnx/errors.ts";
import type { OpenExternal } from "../onnx/external-data.ts";
import type { ByteSink, ByteSource } from "../onnx/source.ts";

export class FileSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly jumpsFreely = true;
  readonly #descriptor: number;

  /** @throws Error for what cannot be opened and for what is no file: reading a pipe would wait for ever */
  constructor(path: string) {
    this.path = path;
    if (!statSync(path).isFile()) throw new Error(`"${path}" is no file`);
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

/**
 * Bytes go out in whole blocks at multiples of this offset: the page cache takes those in large folios, a third
 * faster than the same bytes at odd offsets.
 */
const BLOCK_BYTES = 256 << 10;

export class FileSink implements ByteSink {
  readonly #descriptor: number;
  /** The bytes since the last block's end. */
  readonly #rest = new Uint8Array(BLOCK_BYTES);
  #filled = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, "w");
  }

  write(bytes: Uint8Array): void {
    let from = 0;
    if (this.#filled > 0) {
      from = Math.min(bytes.length, BLOCK_BYTES - this.#filled);
      this.#keep(bytes.subarray(0, from));
      if (this.#filled < BLOCK_BYTES) return;
      this.#flush();
    }
    const whole = bytes.length - ((bytes.length - from) % BLOCK_BYTES);
    this.#writeAll(bytes.subarray(from, whole));
    this.#keep(bytes.subarray(whole));
  }

  close(): void {
    try {
      this.#flush();
    } finally {
      closeSync(this.#descriptor);
    }
  }

  #keep(bytes: Uint8Array): void {
    this.#rest.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #flush(): void {
    this.#writeAll(this.#rest.subarray(0, this.#filled));
    this.#filled = 0;
  }

  #writeAll(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done);
    }
  }
}

/**
 * Opens external data beside a model file. Links are followed as long as they stay in the model's folder, or, where the
 * model is a link itself, in the folder that it leads to (as in Hugging Face's cache).
 */
export function externalBeside(modelPath: string): OpenExternal {
  const folder = dirname(modelPath);
  return async (location) => {
    try {
      const real = realpathSync(join(folder, location));
      const homes = [realpathSync(folder), dirname(realpathSync(modelPath))];
      if (!homes.some((home) => real.startsWith(home.endsWith(sep) ? home : home + sep))) {
        throw new OnnxError("external_data", `"${location}" leads out of the model's folder`);
      }
      return new FileSource(real);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  };
}
