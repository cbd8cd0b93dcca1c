/** @file How async mode's gradients become payloads: the parameters' by a codec with error feedback, the rest as float32. */
import { decodeChunk, encodeChunk } from "../../collectives/codecs/chunk.ts";
import { type Codec, encodedBytes } from "../../collectives/codecs/codec.ts";
import type { Arena } from "../../kernels/arena.ts";
import type { TrainerOptions } from "./trainer.ts";

interface Lossy {
  arena: Arena;
  codec: Codec;
  /** What the codec has lost of the parameters' gradients so far. */
  residual: Float32Array;
}

export class GradientEncoding {
  readonly #parameters: number;
  readonly #lossy: Lossy | undefined;

  /** @throws RangeError where a lossy codec has no arena to work in */
  constructor({ replica, codec, arena }: TrainerOptions & { codec?: Codec | undefined }) {
    this.#parameters = replica.layout.parameters;
    if (!codec || codec.lossless) return;
    if (!arena) throw new RangeError(`train: the codec ${codec.name} of async needs an arena`);
    const whole = { start: 0, end: this.#parameters };
    const [residual = new Float32Array(0)] = replica.declare("residual", "feedback", [whole]);
    this.#lossy = { arena, codec, residual };
  }

  /** @param offset of the chunk in the vector; a chunk holds parameters' gradients or none */
  encode(offset: number, values: Float32Array): Uint8Array<ArrayBuffer> {
    if (!this.#lossy || offset >= this.#parameters) {
      return new Uint8Array(new Float32Array(values).buffer);
    }
    const { arena, codec, residual } = this.#lossy;
    const payload = new Uint8Array(encodedBytes(codec, values.length));
    encodeChunk(arena, codec, values, payload, residual.subarray(offset, offset + values.length));
    return payload;
  }

  /** @throws RangeError where the payload has not the size of so many elements */
  decode(offset: number, length: number, payload: Uint8Array): Float32Array {
    if (!this.#lossy || offset >= this.#parameters) {
      return new Float32Array(payload.buffer, payload.byteOffset, length);
    }
    const values = new Float32Array(length);
    decodeChunk(this.#lossy.arena, this.#lossy.codec, payload, values);
    return values;
  }
}
