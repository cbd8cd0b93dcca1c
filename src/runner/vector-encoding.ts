/**
 * @file How the floats of a rank's vector cross the line: the parameters' in the codec's bits, or as float32; what lies behind
 * them, which are values and no differences, always as float32.
 *
 * With a codec, gradients carry what was lost of those before (error feedback), and new parameters travel as what they
 * have changed by since the runner's: either end adds the same decoded change, so that the rank knows what the runner has, and
 * what rounding left out is in the next change.
 */
import { decodeChunk, encodeChunk } from "../collectives/codecs/chunk.ts";
import type { Codec } from "../collectives/codecs/codec.ts";
import { bfloat16, float16 } from "../collectives/codecs/half.ts";
import type { Arena } from "../kernels/arena.ts";
import { tiled } from "../train/optimizers/tiles.ts";

export const LINE_CODECS = ["none", "float16", "bfloat16"] as const;
export type LineCodec = (typeof LINE_CODECS)[number];

const CODECS = { float16, bfloat16 } as const;
const FLOAT_BYTES = 4;

export interface VectorShape {
  /** Elements in all. */
  length: number;
  /** Elements of the parameters, which come first. */
  parameters: number;
}

export class VectorEncoding {
  /** Elements of the vector. */
  readonly length: number;
  /** Elements that the codec is for: of each of them `#width` bytes travel. */
  readonly coded: number;
  readonly #width: number;
  readonly #lossy: { codec: Codec; arena: Arena } | undefined;

  /** @throws RangeError where a codec has no arena to work in */
  constructor({ length, parameters }: VectorShape, codec: LineCodec = "none", arena?: Arena) {
    this.length = length;
    this.coded = codec === "none" ? 0 : parameters;
    this.#width = codec === "none" ? FLOAT_BYTES : CODECS[codec].blockBytes(1);
    if (codec === "none") return;
    if (!arena) throw new RangeError(`link: the codec ${codec} needs an arena`);
    this.#lossy = { codec: CODECS[codec], arena };
  }

  /** Bytes of the whole. */
  get bytes(): number {
    return this.offsetOf(this.length);
  }

  /** The byte at which an element begins. */
  offsetOf(element: number): number {
    const coded = Math.min(element, this.coded);
    return coded * this.#width + (element - coded) * FLOAT_BYTES;
  }

  /** How many elements from this one on fit into so many bytes; a part is coded or is not. */
  fitting(element: number, bytes: number): number {
    if (element >= this.coded) {
      return Math.min(Math.floor(bytes / FLOAT_BYTES), this.length - element);
    }
    return Math.min(Math.floor(bytes / this.#width), this.coded - element);
  }

  /**
   * The end of the elements that a part holds, which begins with the element `start`.
   * @throws RangeError where it does not end with a whole one, or is of more elements than there are
   */
  endOf(start: number, bytes: number): number {
    const width = start < this.coded ? this.#width : FLOAT_BYTES;
    const end = start + bytes / width;
    const last = start < this.coded ? this.coded : this.length;
    if (Number.isInteger(end) && end <= last) return end;
    throw new RangeError(`link: ${end} elements of the vector, there are ${last}`);
  }

  /** Encodes elements from `start` on, those of one part. @param residual as long; what was lost is added, and kept anew */
  encode(start: number, values: Float32Array, out: Uint8Array, residual?: Float32Array): void {
    if (!this.#lossy || start >= this.coded) return out.set(bytesOf(values));
    encodeChunk(this.#lossy.arena, this.#lossy.codec, values, out, residual);
  }

  /** Decodes the elements of a part, from `start` on. */
  decode(start: number, part: Uint8Array, into: Float32Array): void {
    if (!this.#lossy || start >= this.coded) return bytesOf(into).set(part);
    decodeChunk(this.#lossy.arena, this.#lossy.codec, part, into);
  }

  /** Encodes what `values` differ by from what the other end has, and has `known` follow it; floats that have no codec as they are. */
  encodeChange(start: number, values: Float32Array, known: Float32Array, out: Uint8Array): void {
    if (!this.#lossy || start >= this.coded) return this.encode(start, values, out);
    const { arena } = this.#lossy;
    const change = values.slice();
    tiled(arena, [change], [known], ([changeAt = 0, knownAt = 0], n) =>
      arena.kernels.axpy(-1, knownAt, changeAt, n),
    );
    this.encode(start, change, out);
    this.decodeChange(start, out, known);
  }

  /** Changes `known` as the other end's `encodeChange` did. */
  decodeChange(start: number, part: Uint8Array, known: Float32Array): void {
    if (!this.#lossy || start >= this.coded) return this.decode(start, part, known);
    const { arena } = this.#lossy;
    const change = new Float32Array(known.length);
    this.decode(start, part, change);
    tiled(arena, [known], [change], ([knownAt = 0, changeAt = 0], n) =>
      arena.kernels.accumulate(changeAt, knownAt, n),
    );
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
