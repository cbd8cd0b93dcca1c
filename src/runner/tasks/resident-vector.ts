/** @file A rank's vector on the device: written as it comes in, whole or as changes of what is there. */
import type { ResidentRuntime, ResidentTensors } from "../../runtime/resident.ts";
import type { LinkEntry } from "../gradient-link.ts";
import type { VectorEncoding } from "../vector-encoding.ts";

export class ResidentVector {
  readonly #entries: readonly LinkEntry[];
  readonly #encoding: VectorEncoding;
  readonly tensors: ResidentTensors;
  /** The same in host memory, where changes are added up. */
  readonly #host: Float32Array<ArrayBuffer> | undefined;

  constructor(runtime: ResidentRuntime, entries: readonly LinkEntry[], encoding: VectorEncoding) {
    this.#entries = entries;
    this.#encoding = encoding;
    this.tensors = runtime.allocate(entries);
    if (encoding.coded > 0) this.#host = new Float32Array(encoding.length);
  }

  /** Float32 from the element `start` on. @returns the element behind them. @throws RangeError */
  write(start: number, bytes: Uint8Array<ArrayBuffer>): number {
    const end = start + bytes.length / 4;
    if (!Number.isInteger(end) || end > this.#encoding.length) {
      throw new RangeError(`link: the vector has ${this.#encoding.length} elements, not ${end}`);
    }
    if (this.#host) new Uint8Array(this.#host.buffer).set(bytes, 4 * start);
    this.#write(start, end, bytes);
    return end;
  }

  /** What the elements from `start` on have changed by. @returns the element behind them. @throws RangeError */
  change(start: number, bytes: Uint8Array<ArrayBuffer>): number {
    if (!this.#host) throw new RangeError("link: a change, and there is no codec");
    const end = this.#encoding.endOf(start, bytes.length);
    const values = this.#host.subarray(start, end);
    this.#encoding.decodeChange(start, bytes, values);
    this.#write(start, end, new Uint8Array(this.#host.buffer, 4 * start, values.byteLength));
    return end;
  }

  #write(start: number, end: number, bytes: Uint8Array<ArrayBuffer>): void {
    for (const { name, offset, length } of this.#entries) {
      const from = Math.max(start, offset);
      const to = Math.min(end, offset + length);
      if (from >= to) continue;
      const part = bytes.subarray(4 * (from - start), 4 * (to - start));
      this.tensors.write(name, 4 * (from - offset), part);
    }
  }

  dispose(): void {
    this.tensors.dispose();
  }
}
