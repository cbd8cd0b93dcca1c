/** @file The fields of a message that the reader does not name: kept as they are, to be written back. */
import { COST } from "./heap-budget.ts";
import type { Wire } from "./wire.ts";

export class UnknownFields {
  readonly #wire: Wire;
  /** Ranges of the file, fields that follow one another as one. */
  readonly #spans: { start: number; stop: number }[] = [];

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Skips the value of the tag read last, and remembers the whole field. */
  keep(end: number): void {
    const wire = this.#wire;
    const start = wire.tagStart;
    wire.skip(end);
    const last = this.#spans.at(-1);
    if (last?.stop === start) last.stop = wire.position;
    else {
      wire.spend(COST.span);
      this.#spans.push({ start, stop: wire.position });
    }
  }

  /** All fields, tags included, as the property of a message; none when there are none. */
  get property(): { unknown?: Uint8Array } {
    if (this.#spans.length === 0) return {};
    const length = this.#spans.reduce((sum, { start, stop }) => sum + stop - start, 0);
    const unknown = new Uint8Array(length);
    let at = 0;
    for (const { start, stop } of this.#spans) {
      unknown.set(this.#wire.viewOf(start, stop), at);
      at += stop - start;
    }
    return { unknown };
  }
}
