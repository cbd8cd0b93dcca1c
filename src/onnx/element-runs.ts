/**
 * @file Where the element data of one TensorProto lies: in which of its fields, packed at ranges of the file or entry
 * by entry. Repeated fields go on; of raw_data, which is not repeated, the last counts.
 */
import { COST } from "./heap-budget.ts";
import { GrowingBytes } from "./short-copies.ts";
import type { Wire } from "./wire.ts";

/** TensorProto's field numbers of element data. */
export const FIELD = {
  float: 4,
  int32: 5,
  string: 6,
  int64: 7,
  raw: 9,
  double: 10,
  uint64: 11,
} as const;

export interface Range {
  start: number;
  stop: number;
}

/** Entries that came one by one, or in short packs, are gathered. */
type Run = Range | GrowingBytes;

/** A packed run below this size is copied behind the run before it. */
const SHORT_BYTES = 256;

const WIRE_TYPES: Readonly<Record<number, number>> = {
  [FIELD.float]: 5,
  [FIELD.double]: 1,
  [FIELD.raw]: 2,
};

export class ElementRuns {
  readonly #wire: Wire;
  readonly #runs = new Map<number, Run[]>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** The fields that hold data. */
  get fields(): number[] {
    return [...this.#runs.keys()];
  }

  /** Takes the value of the tag read last. */
  add(end: number): void {
    const wire = this.#wire;
    const { field } = wire;
    if (wire.wireType === 2) this.#addPacked(field, end);
    else {
      wire.expect(WIRE_TYPES[field] ?? 0);
      const start = wire.position;
      wire.skip(end);
      this.#gather(this.#list(field), { start, stop: wire.position });
    }
    // An empty raw_data says nothing where a typed field holds the data, and all of it where there are no elements.
    if (this.#runs.size > 1 && this.#runs.has(FIELD.raw) && this.byteLength(FIELD.raw) === 0) {
      this.#runs.delete(FIELD.raw);
    }
  }

  #addPacked(field: number, end: number): void {
    const wire = this.#wire;
    const stop = wire.length(end);
    const range = { start: wire.position, stop };
    wire.position = stop;
    if (field === FIELD.raw) this.#runs.set(field, [range]);
    else if (range.start < stop) {
      const list = this.#list(field);
      if (list.length > 0 && stop - range.start < SHORT_BYTES) this.#gather(list, range);
      else {
        wire.spend(COST.span);
        list.push(range);
      }
    }
  }

  #list(field: number): Run[] {
    const list = this.#runs.get(field) ?? [];
    this.#runs.set(field, list);
    return list;
  }

  #gather(list: Run[], { start, stop }: Range): void {
    let last = list.at(-1);
    if (!(last instanceof GrowingBytes)) {
      this.#wire.spend(COST.bytes);
      list.push((last = new GrowingBytes()));
    }
    last.push(this.#wire.viewOf(start, stop));
  }

  /** Bytes of a field's data as it is in the file. */
  byteLength(field: number): number {
    const lengths = (this.#runs.get(field) ?? []).map((run) =>
      run instanceof GrowingBytes ? run.bytes.length : run.stop - run.start,
    );
    return lengths.reduce((sum, length) => sum + length, 0);
  }

  /** The one range of the file that holds a field's data, if it is one. */
  range(field: number): Range | undefined {
    const [run, ...others] = this.#runs.get(field) ?? [];
    return run && others.length === 0 && !(run instanceof GrowingBytes) ? run : undefined;
  }

  /** A copy of a field's data, which must be in memory. */
  joined(field: number): Uint8Array {
    const bytes = new Uint8Array(this.byteLength(field));
    let at = 0;
    for (const run of this.#runs.get(field) ?? []) {
      const part = run instanceof GrowingBytes ? run.bytes : this.#wire.viewOf(run.start, run.stop);
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}
