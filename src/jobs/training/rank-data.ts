/** @file A rank's rows as batches: those of a step by the plan, and its part of the validation rows. */
import { checkLabels } from "../../data/check-labels.ts";
import { type DatasetField, rowBytes } from "../../data/dataset.ts";
import type { RowSource } from "../../data/rows.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { HostTensor } from "../../runtime/runtime.ts";
import { RankEpoch, stepRows } from "../../train/batches.ts";
import type { Batch } from "../../train/executor.ts";
import { philox } from "../../train/philox.ts";
import { LABEL } from "../../train/step-plan.ts";
import { rowPlace } from "../../train/row-schedule.ts";
import type { RowRange } from "../../train/shard-order.ts";
import type { TrainingPlan } from "./training-plan.ts";

/** Blocks that are not needed now are kept up to so many bytes: a small shard is read once. */
const KEPT_BYTES = 8 << 20;
/** Tells dropout's seeds apart from the permutations', which are drawn from the same generator. */
const DROPOUT = 2;

/** A field of the dataset and the batch input that it is fed to. */
interface Feed {
  input: string;
  field: DatasetField;
}

interface Block extends RowRange {
  bytes: Map<string, Uint8Array>;
}

export class RankData {
  readonly #plan: TrainingPlan;
  readonly #rank: number;
  readonly #train: RowSource;
  readonly #validation: RowSource | undefined;
  readonly #feeds: Feed[];
  #epoch: { number: number; rows: RankEpoch } | undefined;
  /** By first and last row, the one used last at the end: where ranks change, blocks end elsewhere. */
  readonly #blocks = new Map<string, Block>();

  constructor(
    plan: TrainingPlan,
    rank: number,
    train: RowSource,
    validation: RowSource | undefined,
  ) {
    this.#plan = plan;
    this.#rank = rank;
    this.#train = train;
    this.#validation = validation;
    this.#feeds = Object.entries(plan.fields).map(([input, { field: name }]) => {
      const field = train.description.fields.find((each) => each.name === name);
      if (!field) throw new RangeError(`training: the dataset has no field "${name}" any more`);
      return { input, field };
    });
  }

  /** This rank's batches of a step that is counted from the training's start, and the rows of all ranks'. */
  async step(step: number): Promise<{ batches: Batch[]; globalRows: number }> {
    const at = rowPlace(this.#plan, step);
    const { plan } = at;
    if (this.#epoch?.number !== at.epoch) {
      this.#epoch = { number: at.epoch, rows: new RankEpoch(plan, at.epoch, this.#rank) };
    }
    const { rows } = this.#epoch;
    const blocks = await this.#hold(rows.blocks(at.step));
    const batches = rows.batches(at.step).map((indices, index): Batch => {
      const [seed] = philox([step, this.#rank, index, DROPOUT], [plan.seed, 0]);
      return { rows: indices.length, fields: this.#gather(indices, blocks), seed };
    });
    return { batches, globalRows: stepRows(plan, at.step) };
  }

  /** Batches of this rank's part of the validation rows, in their order. */
  async *validation(): AsyncGenerator<Batch> {
    const source = this.#validation;
    if (!source) return;
    const { rows } = source.description;
    const { worldSize, batches } = this.#plan;
    const end = Math.floor(((this.#rank + 1) * rows) / worldSize);
    let start = Math.floor((this.#rank * rows) / worldSize);
    for (; start < end; start += batches.batchSize) {
      const last = Math.min(start + batches.batchSize, end);
      const fields: Record<string, HostTensor> = {};
      for (const { input, field } of this.#feeds) {
        const bytes = await source.read(field.name, start, last);
        this.#checkLabels(field, bytes, start, "the validation rows");
        fields[input] = tensor(field, last - start, bytes);
      }
      yield { rows: last - start, fields, seed: 0 };
    }
  }

  /** Reads the blocks that are not there; drops the oldest of those that are not needed. */
  async #hold(ranges: readonly RowRange[]): Promise<Block[]> {
    const held: Block[] = [];
    for (const { start, end } of ranges) {
      const place = `${start} ${end}`;
      const block = this.#blocks.get(place) ?? (await this.#read(start, end));
      this.#blocks.delete(place);
      this.#blocks.set(place, block);
      held.push(block);
    }
    let bytes = 0;
    for (const { start, end } of this.#blocks.values()) bytes += (end - start) * this.#rowBytes();
    for (const [place, block] of this.#blocks) {
      if (bytes <= KEPT_BYTES || held.includes(block)) break;
      this.#blocks.delete(place);
      bytes -= (block.end - block.start) * this.#rowBytes();
    }
    return held;
  }

  async #read(start: number, end: number): Promise<Block> {
    const bytes = new Map<string, Uint8Array>();
    for (const { field } of this.#feeds) {
      if (!bytes.has(field.name)) {
        const read = await this.#train.read(field.name, start, end);
        this.#checkLabels(field, read, start, "the rows to train on");
        bytes.set(field.name, read);
      }
    }
    return { start, end, bytes };
  }

  #checkLabels(field: DatasetField, bytes: Uint8Array, first: number, rows: string): void {
    const { labels, fields } = this.#plan;
    if (!labels || fields[LABEL]?.field !== field.name) return;
    checkLabels(field, bytes, labels, { first, rows });
  }

  #rowBytes(): number {
    return this.#feeds.reduce((sum, { field }) => sum + rowBytes(field), 0);
  }

  #gather(rows: Uint32Array, blocks: readonly Block[]): Record<string, HostTensor> {
    const places = Array.from(rows, (row) => {
      const block = blocks.find(({ start, end }) => row >= start && row < end);
      if (!block) throw new RangeError(`training: row ${row} is in no block that is held`);
      return { block, at: row - block.start };
    });
    const fields: Record<string, HostTensor> = {};
    for (const { input, field } of this.#feeds) {
      const size = rowBytes(field);
      const bytes = new Uint8Array(rows.length * size);
      for (const [index, { block, at }] of places.entries()) {
        const from = block.bytes.get(field.name)?.subarray(at * size, (at + 1) * size);
        if (from) bytes.set(from, index * size);
      }
      fields[input] = tensor(field, rows.length, bytes);
    }
    return fields;
  }
}

function tensor({ dtype, shape }: DatasetField, rows: number, bytes: Uint8Array): HostTensor {
  return { dataType: DataType[dtype], dims: [rows, ...shape], bytes };
}
