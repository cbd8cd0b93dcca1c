/** @file What is shared while one model is read: the wire, counts against limits, data to be resolved at the end. */
import { OnnxError } from "./errors.ts";
import { COST } from "./heap-budget.ts";
import type { StringEntry, Tensor } from "./model.ts";
import type { ByteSource } from "./source.ts";
import type { VarintData } from "./varint-data.ts";
import type { Wire } from "./wire.ts";

export interface PendingExternal {
  tensor: Tensor;
  entries: StringEntry[];
  offset: number;
}

export interface PendingVarints {
  data: VarintData;
  /** How many entries the dims demand. */
  entries: number;
  name: string;
  offset: number;
}

export class Reading {
  readonly wire: Wire;
  /** Tensors whose data is in other files. */
  readonly pendingExternal: PendingExternal[] = [];
  /** Long varint data, whose count can only be known by reading it. */
  readonly pendingVarints: PendingVarints[] = [];
  readonly #interned = new Map<string, string>();
  #nodes = 0;
  #values = 0;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  get source(): ByteSource {
    return this.wire.source;
  }

  countNode(): void {
    this.wire.spend(COST.node);
    if (++this.#nodes > this.wire.limits.maxNodes) {
      throw this.limit(
        `the model has more than ${this.wire.limits.maxNodes} nodes`,
        this.wire.position,
      );
    }
  }

  countValue(): void {
    if (++this.#values > this.wire.limits.maxValues) {
      throw this.limit(
        `the model has more than ${this.wire.limits.maxValues} initializers and value infos`,
        this.wire.position,
      );
    }
  }

  /** One string object for equal texts: op types and attribute names repeat thousands of times. */
  intern(text: string): string {
    const known = this.#interned.get(text);
    if (known !== undefined) return known;
    this.#interned.set(text, text);
    return text;
  }

  /** A StringStringEntryProto. */
  stringEntry(end: number): StringEntry {
    const { wire } = this;
    const stop = wire.length(end);
    wire.spend(COST.entry);
    const entry: StringEntry = { key: "", value: "" };
    while (wire.next(stop)) {
      if (wire.field === 1) entry.key = wire.text(stop);
      else if (wire.field === 2) entry.value = wire.text(stop);
      else wire.skip(stop);
    }
    return entry;
  }

  invalid(message: string, offset: number): OnnxError {
    return new OnnxError("invalid_model", message, offset);
  }

  limit(message: string, offset: number): OnnxError {
    return new OnnxError("limit_exceeded", message, offset);
  }
}
