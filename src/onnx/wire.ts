/**
 * @file Reading protobuf's wire: tags, varints, lengths; every step inside the bounds of its message.
 *
 * Positions are file offsets. A field's known type is demanded: protobuf libraries would skip a known
 * field of a wrong wire type as if it were unknown, and so lose what the file meant to say.
 * Source: protobuf's encoding specification.
 */
import { ByteWindow } from "./byte-window.ts";
import { OnnxError } from "./errors.ts";
import { COST, HeapBudget } from "./heap-budget.ts";
import type { ReadLimits } from "./limits.ts";
import { ShortCopies } from "./short-copies.ts";
import type { SparseBytes } from "./sparse-bytes.ts";

const MAX_VARINT_BYTES = 10;
/** Text up to this length is decoded here, which is faster than TextDecoder for the short names of a model. */
const SHORT_TEXT = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Wire {
  readonly limits: ReadLimits;
  /** File offset of the next byte. */
  position = 0;
  /** Of the tag read last. */
  field = 0;
  wireType = 0;
  /** File offset of that tag. */
  tagStart = 0;
  readonly #window: ByteWindow;
  readonly #heap: HeapBudget;
  readonly #copies = new ShortCopies();

  constructor(bytes: SparseBytes, limits: ReadLimits) {
    this.#window = new ByteWindow(bytes);
    this.#heap = new HeapBudget(limits.maxHeapBytes);
    this.limits = limits;
  }

  get source() {
    return this.#window.source;
  }

  get size(): number {
    return this.source.size;
  }

  /**
   * Pays for an object that is about to be made.
   * @throws OnnxError `limit_exceeded` when the model's objects take more than `maxHeapBytes`
   */
  spend(bytes: number): void {
    if (this.#heap.spend(bytes)) return;
    const mebibytes = this.#heap.maxBytes / 1024 / 1024;
    throw this.error(
      "limit_exceeded",
      `the model has so many small parts that they take more than ${mebibytes} MiB of memory`,
    );
  }

  /** Reads the next tag of a message that ends at `end`; false at its end. */
  next(end: number): boolean {
    if (this.position >= end) return false;
    this.tagStart = this.position;
    const tag = this.varint(end);
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    if (this.field === 0 || this.field > 0x1fffffff) {
      throw this.error("malformed", `field number ${this.field} does not exist`);
    }
    return true;
  }

  /** An unsigned varint as a number; exact up to 2^53, and above that at least as large as 2^53. */
  varint(end: number): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#byte(end);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw this.error("malformed", `a number is longer than ${MAX_VARINT_BYTES} bytes`);
  }

  /** A varint as a signed 64-bit integer. */
  int64(end: number): bigint {
    const start = this.position;
    const small = this.varint(end);
    if (this.position - start <= 7) return BigInt(small);
    this.position = start;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte(end);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  }

  /** The value of an int64 field. */
  int64Field(end: number): bigint {
    this.expect(0);
    return this.int64(end);
  }

  /** The value of an int32 or enum field, or of an int64 field that has to be a safe integer. */
  intField(end: number, what: string): number {
    const value = this.int64Field(end);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
      throw this.error("invalid_model", `${what} is ${value}`);
    }
    return Number(value);
  }

  /** Reads a repeated int64 field, packed or not, into `values`. */
  int64s(end: number, values: bigint[]): void {
    const stop = this.wireType === 0 ? this.position + 1 : this.length(end);
    while (this.position < stop) {
      this.spend(COST.bigint);
      values.push(this.int64(this.wireType === 0 ? end : stop));
    }
  }

  /** The value of a float field. */
  float32Field(end: number): number {
    this.expect(5);
    return this.#float32(end);
  }

  /** Reads a repeated float field, packed or not, into `values`. */
  float32s(end: number, values: number[]): void {
    const stop = this.wireType === 5 ? this.position + 4 : this.length(end);
    while (this.position < stop) {
      this.spend(COST.number);
      values.push(this.#float32(this.wireType === 5 ? end : stop));
    }
  }

  #float32(end: number): number {
    const bytes = this.take(4, end);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
  }

  /** Reads a length and returns the end of what it delimits; the wire type must be length-delimited. */
  length(end: number): number {
    this.expect(2);
    const length = this.varint(end);
    const stop = this.position + length;
    if (stop > end) {
      throw this.error(
        "truncated",
        `a length of ${length} passes the end of its message, ${end - this.position} bytes on`,
      );
    }
    return stop;
  }

  /** A length-delimited field's bytes, as a view. */
  view(end: number): Uint8Array {
    const stop = this.length(end);
    return this.take(stop - this.position, stop);
  }

  /** A length-delimited field's bytes, as a copy that does not hold on to the file's. */
  bytes(end: number): Uint8Array {
    const view = this.view(end);
    this.spend(COST.bytes + view.length);
    return this.copy(view);
  }

  /** A copy that does not hold on to the file's bytes; it may be a view of a longer buffer, at a multiple of 8. */
  copy(bytes: Uint8Array): Uint8Array {
    return this.#copies.copy(bytes);
  }

  /** A text field. */
  text(end: number): string {
    const stop = this.length(end);
    const count = stop - this.position;
    this.spend(COST.text + count);
    const bytes = this.take(count, stop);
    if (count > SHORT_TEXT) return this.#utf8(bytes);
    for (let i = 0; i < count; i++) {
      if ((bytes[i] as number) >= 128) return this.#utf8(bytes);
    }
    // all at once: a string that grows by the letter is a tree that somebody flattens later
    return String.fromCharCode.apply(null, bytes as unknown as number[]);
  }

  /** A text field that names something. */
  nameText(end: number): string {
    const name = this.text(end);
    if (name.length > this.limits.maxNameBytes) {
      throw this.error(
        "limit_exceeded",
        `a name of ${name.length} characters is longer than ${this.limits.maxNameBytes}`,
      );
    }
    return name;
  }

  #utf8(bytes: Uint8Array): string {
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.error("malformed", "text is not valid UTF-8");
    }
  }

  /** Skips the value of the tag read last. */
  skip(end: number): void {
    switch (this.wireType) {
      case 0:
        this.varint(end);
        return;
      case 1:
        this.#advance(8, end);
        return;
      case 2:
        this.position = this.length(end);
        return;
      case 5:
        this.#advance(4, end);
        return;
      default:
        throw this.error("malformed", `wire type ${this.wireType} does not exist in ONNX files`);
    }
  }

  /** @throws OnnxError `malformed` when the tag read last has another wire type */
  expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw this.error(
        "malformed",
        `field ${this.field} has wire type ${this.wireType}, expected ${wireType}`,
      );
    }
  }

  /** The next `count` bytes as a view; they must be in memory. */
  take(count: number, end: number): Uint8Array {
    const start = this.position;
    this.#advance(count, end);
    return this.#window.view(start, count);
  }

  /** A range of the file that is in memory. */
  viewOf(start: number, stop: number): Uint8Array {
    return this.#window.view(start, stop - start);
  }

  /** True when the bytes `[start, stop)` were read by the scan. */
  inMemory(start: number, stop: number): boolean {
    return this.#window.holds(start, stop);
  }

  error(code: OnnxError["code"], message: string): OnnxError {
    return new OnnxError(code, message, this.tagStart);
  }

  #advance(count: number, end: number): void {
    if (this.position + count > end) {
      throw this.error(
        "truncated",
        `a message ends ${end - this.position} bytes on, ${count} are needed`,
      );
    }
    this.position += count;
  }

  #byte(end: number): number {
    const position = this.position;
    if (position >= end) throw this.error("truncated", "a message ends within a number");
    this.position = position + 1;
    return this.#window.at(position);
  }
}
