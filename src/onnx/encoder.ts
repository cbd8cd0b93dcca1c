/**
 * @file Building protobuf messages whose lengths are known while their large data is not yet read.
 *
 * An encoder is a list of pieces: bytes, and tensor data that will stream in their place.
 */
import type { ByteSink } from "./source.ts";
import { BytesData, type TensorData } from "./tensor-data.ts";

/** Bytes up to this size are copied in between the others; longer ones stay a piece of their own, where they are. */
const COPY_BYTES = 16 << 10;
const FIRST_BUFFER_BYTES = 64;
/** A buffer that holds this much grows no more: the next one begins. */
const FULL_BUFFER_BYTES = 64 << 10;
/** Text up to this length is encoded here, which is faster than TextEncoder for the short names of a model. */
const SHORT_TEXT = 64;
const utf8 = new TextEncoder();

function isShortAscii(text: string): boolean {
  if (text.length > SHORT_TEXT) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 128) return false;
  return true;
}

export class Encoder {
  readonly #pieces: (Uint8Array | TensorData)[] = [];
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  /** What is in `#buffer` and in no piece yet: `[start, filled)`. */
  #start = 0;
  #filled = 0;
  /** Bytes in `#pieces`. */
  #before = 0;

  /** Bytes of the message so far. */
  get byteLength(): number {
    return this.#before + this.#filled - this.#start;
  }

  /** Field of type int32, int64, enum. Zero is written too. */
  int(field: number, value: number | bigint): void {
    this.#tag(field, 0);
    this.#varint(value);
  }

  float(field: number, value: number): void {
    this.#tag(field, 5);
    const at = this.#reserve(4);
    new DataView(this.#buffer.buffer).setFloat32(at, value, true);
  }

  text(field: number, value: string): void {
    if (!isShortAscii(value)) return this.bytes(field, utf8.encode(value));
    this.#tag(field, 2);
    this.#varint(value.length);
    const at = this.#reserve(value.length);
    for (let i = 0; i < value.length; i++) this.#buffer[at + i] = value.charCodeAt(i);
  }

  /** A text field that is left out when it is empty. */
  optionalText(field: number, value: string | undefined): void {
    if (value) this.text(field, value);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, 2);
    this.#varint(value.length);
    this.raw(value);
  }

  /** Takes over the message's pieces: nothing may be added to it afterwards. */
  message(field: number, message: Encoder): void {
    this.#tag(field, 2);
    this.#varint(message.byteLength);
    for (const piece of message.#pieces) {
      if (piece instanceof Uint8Array) this.raw(piece);
      else this.lazy(piece);
    }
    this.raw(message.#open);
  }

  /** A length-delimited field whose bytes are streamed when the message is written. */
  data(field: number, data: TensorData): void {
    this.#tag(field, 2);
    this.#varint(data.byteLength);
    if (data instanceof BytesData && data.byteLength <= COPY_BYTES) this.raw(data.bytes);
    else this.lazy(data);
  }

  /** Whole fields, tags included, that are streamed when the message is written. */
  lazy(fields: TensorData): void {
    if (fields.byteLength === 0) return;
    this.#close();
    this.#pieces.push(fields);
    this.#before += fields.byteLength;
  }

  /** Bytes as they are: fields kept from a file, tags included. They may not change until the message is written. */
  raw(bytes: Uint8Array | undefined): void {
    if (!bytes || bytes.length === 0) return;
    if (bytes.length > COPY_BYTES) {
      this.#close();
      this.#pieces.push(bytes);
      this.#before += bytes.length;
      return;
    }
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Sends the message; data is asked for in order. */
  async write(sink: ByteSink): Promise<void> {
    for (const piece of this.#pieces) {
      if (piece instanceof Uint8Array) await sink.write(piece);
      else await streamExactly(piece, sink);
    }
    if (this.#filled > this.#start) await sink.write(this.#open);
  }

  get #open(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#filled);
  }

  /** Makes what is open a piece; what follows goes behind it into the same buffer. */
  #close(): void {
    if (this.#filled === this.#start) return;
    this.#pieces.push(this.#open);
    this.#before += this.#filled - this.#start;
    this.#start = this.#filled;
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #varint(value: number | bigint): void {
    if (typeof value === "bigint" || value < 0) return this.#varint64(BigInt(value));
    let rest = value;
    while (rest >= 128) {
      this.#byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  #varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest >= 128n) {
      this.#byte(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.#byte(Number(rest));
  }

  #byte(byte: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = byte;
  }

  /** Makes room and returns where it starts. */
  #reserve(length: number): number {
    if (this.#filled + length > this.#buffer.length) this.#grow(length);
    const at = this.#filled;
    this.#filled += length;
    return at;
  }

  #grow(length: number): void {
    if (this.#filled - this.#start >= FULL_BUFFER_BYTES) this.#close();
    const open = this.#open;
    const doubled = Math.min(2 * this.#buffer.length, 2 * FULL_BUFFER_BYTES);
    const grown = new Uint8Array(Math.max(doubled, open.length + length));
    grown.set(open);
    this.#buffer = grown;
    this.#start = 0;
    this.#filled = open.length;
  }
}

/** @throws RangeError when the data's producer sent more or fewer bytes than it had promised */
export async function streamExactly(data: TensorData, sink: ByteSink): Promise<void> {
  let sent = 0;
  await data.stream({
    write(bytes) {
      sent += bytes.length;
      if (sent > data.byteLength) {
        throw new RangeError(
          `onnx: tensor data sent ${sent} bytes, ${data.byteLength} were planned`,
        );
      }
      return sink.write(bytes);
    },
  });
  if (sent !== data.byteLength) {
    throw new RangeError(`onnx: tensor data sent ${sent} bytes, ${data.byteLength} were planned`);
  }
}
