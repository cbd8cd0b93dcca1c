/**
 * @file Tensor data that a file keeps as packed varints (int32_data, int64_data, uint64_data), in raw form.
 */
import { bitsPerElement, type DataType } from "./data-type.ts";
import { OnnxError } from "./errors.ts";
import type { ByteSink, ByteSource } from "./source.ts";
import { RangeData, readAll, type TensorData } from "./tensor-data.ts";

const CHUNK_BYTES = 64 << 10;
const MAX_VARINT_BYTES = 10;

/** Bytes that one varint stands for: its element, or for types under 8 bits the byte they are packed in. */
export function bytesPerEntry(type: DataType): number {
  return Math.max(1, bitsPerElement(type) / 8);
}

/** Varints as little-endian integers of `width` bytes, two's complement, cut to the width. */
export function decodeVarints(bytes: Uint8Array, width: number): Uint8Array {
  const out = new VarintDecoder(width);
  return out.decode(bytes, true);
}

/** Decodes varints chunk by chunk; a number may straddle chunks. */
class VarintDecoder {
  readonly #width: number;
  #low = 0;
  #high = 0;
  #shift = 0;

  constructor(width: number) {
    this.#width = width;
  }

  /** @throws OnnxError when a number is cut off at the last chunk's end or too long */
  decode(bytes: Uint8Array, last: boolean): Uint8Array {
    const width = this.#width;
    const out = new Uint8Array(bytes.length * width);
    let at = 0;
    for (const byte of bytes) {
      const bits = byte & 127;
      // 64 bits as two 32-bit halves: shifts below 32 go to the low one, the seam at 28 to both.
      if (this.#shift < 32) {
        this.#low |= bits << this.#shift;
        if (this.#shift === 28) this.#high |= bits >> 4;
      } else if (this.#shift < 64) this.#high |= bits << (this.#shift - 32);
      else throw tooLong();
      this.#shift += 7;
      if (byte >= 128) continue;
      for (let i = 0; i < width; i++) {
        out[at++] = i < 4 ? this.#low >> (8 * i) : this.#high >> (8 * (i - 4));
      }
      this.#low = 0;
      this.#high = 0;
      this.#shift = 0;
    }
    if (last && this.#shift !== 0) throw cutOff();
    return out.subarray(0, at);
  }
}

const tooLong = () =>
  new OnnxError("malformed", `a number in tensor data is longer than ${MAX_VARINT_BYTES} bytes`);
const cutOff = () => new OnnxError("truncated", "tensor data ends within a number");

/** Packed varints that stay in their source until they are asked for. */
export class VarintData implements TensorData {
  readonly byteLength: number;
  readonly inMemory = false;
  readonly #source: ByteSource;
  readonly #offset: number;
  readonly #length: number;
  readonly #width: number;
  #kept: Uint8Array | undefined;

  /**
   * @param byteLength of the raw form, as the dims demand
   * @param width bytes per entry in the raw form
   */
  constructor(
    source: ByteSource,
    offset: number,
    length: number,
    byteLength: number,
    width: number,
  ) {
    this.#source = source;
    this.#offset = offset;
    this.#length = length;
    this.byteLength = byteLength;
    this.#width = width;
  }

  /** The varints as they are in the file. */
  get packed(): TensorData {
    return new RangeData(this.#source, this.#offset, this.#length);
  }

  /**
   * Reads all of it once.
   * @returns how many entries there are
   * @throws OnnxError for a number that is too long or cut off
   */
  async countEntries(): Promise<number> {
    let count = 0;
    let digits = 0;
    await this.#chunks((chunk) => {
      for (const byte of chunk) {
        if (++digits > MAX_VARINT_BYTES) throw tooLong();
        if (byte >= 128) continue;
        count++;
        digits = 0;
      }
    });
    if (digits > 0) throw cutOff();
    return count;
  }

  async stream(sink: ByteSink): Promise<void> {
    const decoder = new VarintDecoder(this.#width);
    await this.#chunks(async (chunk, last) => await sink.write(decoder.decode(chunk, last)));
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    this.#kept ??= await readAll(this);
    into.set(this.#kept.subarray(offset, offset + into.length));
  }

  async #chunks(use: (chunk: Uint8Array, last: boolean) => Promise<void> | void): Promise<void> {
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, this.#length));
    for (let done = 0; done < this.#length;) {
      const chunk = buffer.subarray(0, Math.min(buffer.length, this.#length - done));
      await this.#source.read(this.#offset + done, chunk);
      done += chunk.length;
      await use(chunk, done === this.#length);
    }
  }
}
