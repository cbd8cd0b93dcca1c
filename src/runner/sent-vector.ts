/** @file The vector that a runner has, as its rank knows it: sent whole at first, then, where there is a codec, as changes. */
import { FRAME, frames, openFrame } from "./gradient-link.ts";
import type { VectorEncoding } from "./vector-encoding.ts";

export class SentVector {
  readonly #encoding: VectorEncoding;
  /** What the runner has of the elements that changes are coded of. */
  #known: Float32Array | undefined;
  #isThere = false;

  constructor(encoding: VectorEncoding) {
    this.#encoding = encoding;
  }

  /** The runner has one. */
  get isThere(): boolean {
    return this.#isThere;
  }

  /** The next one goes as a change. */
  get isChange(): boolean {
    return this.#known !== undefined;
  }

  /** Frames that make the runner's vector this one; each is overwritten by the next, or not: a line copies what it sends. */
  *frames(run: number, vector: Float32Array): Generator<Uint8Array<ArrayBuffer>> {
    if (this.#known) yield* this.#changes(run, vector, this.#known);
    else {
      const { length, coded } = this.#encoding;
      const bytes = new Uint8Array(vector.buffer, vector.byteOffset, 4 * length);
      yield* frames(FRAME.vector, { run }, bytes);
      if (coded > 0) this.#known = vector.slice(0, coded);
    }
    this.#isThere = true;
  }

  *#changes(
    run: number,
    vector: Float32Array,
    known: Float32Array,
  ): Generator<Uint8Array<ArrayBuffer>> {
    const encoding = this.#encoding;
    for (let start = 0; start < encoding.length;) {
      const offset = encoding.offsetOf(start);
      const { data, close } = openFrame(FRAME.vector, { run, offset });
      const end = start + encoding.fitting(start, data.length);
      const bytes = encoding.offsetOf(end) - offset;
      const values = vector.subarray(start, end);
      encoding.encodeChange(start, values, known.subarray(start, end), data.subarray(0, bytes));
      yield close(bytes);
      start = end;
    }
  }
}
