/** @file A run that a rank asks for, while its batch and vector come in. */
import { DataType } from "../../onnx/data-type.ts";
import type { ResidentSession } from "../../runtime/resident.ts";
import type { HostTensor } from "../../runtime/runtime.ts";
import { SEED } from "../../train/step-plan.ts";
import { type Frame, FRAME, type LinkRun } from "../gradient-link.ts";
import type { VectorEncoding } from "../vector-encoding.ts";
import type { ResidentVector } from "./resident-vector.ts";

export class IncomingRun {
  readonly run: LinkRun;
  readonly #vector: ResidentVector;
  readonly #fields: { bytes: Uint8Array<ArrayBuffer>; filled: number }[];
  /** Bytes still to come. */
  #left: number;
  /** Bytes and elements of the vector that came. */
  #offset = 0;
  #element = 0;

  constructor(run: LinkRun, vector: ResidentVector, encoding: VectorEncoding) {
    this.run = run;
    this.#vector = vector;
    this.#fields = run.fields.map(({ bytes }) => ({ bytes: new Uint8Array(bytes), filled: 0 }));
    const vectorBytes = run.change ? encoding.bytes : 4 * encoding.length;
    const fieldBytes = run.fields.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#left = fieldBytes + (run.vector ? vectorBytes : 0);
  }

  get isComplete(): boolean {
    return this.#left === 0;
  }

  /** @throws RangeError for what is not next */
  take({ type, run, index, offset, bytes }: Frame): void {
    if (run !== this.run.run) throw new RangeError(`link: run ${run} is not open`);
    if (type === FRAME.vector) {
      if (offset !== this.#offset) throw new RangeError(`link: the vector goes on at ${offset}`);
      this.#element = this.run.change
        ? this.#vector.change(this.#element, bytes)
        : this.#vector.write(this.#element, bytes);
      this.#offset += bytes.length;
    } else {
      const field = this.#fields[index];
      if (field?.filled !== offset || offset + bytes.length > field.bytes.length) {
        throw new RangeError(`link: field ${index} goes on at ${offset}`);
      }
      field.bytes.set(bytes, offset);
      field.filled += bytes.length;
    }
    this.#left -= bytes.length;
  }

  /** What the session takes of the batch. */
  feeds({ inputNames }: ResidentSession): Record<string, HostTensor> {
    const feeds: Record<string, HostTensor> = {};
    const { fields, seed } = this.run;
    for (const [index, { name, data_type: dataType, dims }] of fields.entries()) {
      const field = this.#fields[index];
      if (field && inputNames.includes(name)) {
        feeds[name] = { dataType: dataType as DataType, dims, bytes: field.bytes };
      }
    }
    if (inputNames.includes(SEED)) {
      const bytes = new Uint8Array(BigInt64Array.of(BigInt(seed)).buffer);
      feeds[SEED] = { dataType: DataType.int64, dims: [1], bytes };
    }
    return feeds;
  }
}
