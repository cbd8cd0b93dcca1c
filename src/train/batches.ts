/**
 * @file Which rows a rank reads in which step: a pure function of the plan, the epoch, the step and the rank.
 *
 * Rank r of N owns the rows [⌊r·rows/N⌋, ⌊(r+1)·rows/N⌋), its shard, and reads no others; `shard-order.ts` says
 * in which order. A shard's rows stay together over the epochs: data sorted by label gives the ranks
 * different labels, which `sync` averages away in each step but `local_sgd` does not.
 */
import { type OrderOptions, type RowRange, ShardOrder } from "./shard-order.ts";

export interface BatchPlan extends OrderOptions {
  /** Rows of the training split. */
  rows: number;
  worldSize: number;
  /** Rows of one rank's batch. */
  batchSize: number;
  /** Batches of a rank that make one step of the optimizer; an epoch's last step may have fewer. */
  accumulation: number;
  /**
   * true: every batch is full, and at an epoch's end the rows that fill no batch on all ranks are left out (other
   * rows each time). false: every row comes exactly once an epoch; a rank's last batch may be smaller, or missing.
   */
  dropLast: boolean;
  /**
   * World size or batches changed in the course of this epoch: what was read before, oldest first. The rows that were not
   * read are dealt anew, so that still every row comes once. Only for that epoch.
   */
  before?: readonly WorldChange[];
}

/** What of an epoch was read by a group of ranks that another has followed. */
export interface WorldChange {
  worldSize: number;
  /** Rows that each rank was to read; one with fewer of them read all it had. */
  rows: number;
}

/** Steps of an epoch, the same on all ranks; where the plan has a `before`, the steps that are left. */
export function stepsPerEpoch(plan: BatchPlan): number {
  return Math.ceil(batchesPerEpoch(plan) / plan.accumulation);
}

/** Rows of all ranks' batches in a step of an epoch. */
export function stepRows(plan: BatchPlan, step: number): number {
  return ranks(plan).reduce(
    (rows, rank) => rows + sum(positions(plan, step, rank).map(({ start, end }) => end - start)),
    0,
  );
}

/** A rank's rows in one epoch. Makes the order once; ask it for step after step. */
export class RankEpoch {
  readonly #plan: BatchPlan;
  readonly #rank: number;
  /** From the rank's position to a shard and a position there; several where the world size has changed. */
  readonly #place: (position: number) => { order: ShardOrder; position: number };

  constructor(plan: BatchPlan, epoch: number, rank: number) {
    this.#plan = plan;
    this.#rank = rank;
    this.#place = placing(plan, epoch, rank);
  }

  /** The rows of each batch of a step, in the batch's order; none where the rank's rows are out. */
  batches(step: number): Uint32Array[] {
    return positions(this.#plan, step, this.#rank).map(({ start, end }) =>
      Uint32Array.from({ length: end - start }, (_, i) => {
        const { order, position } = this.#place(start + i);
        return order.row(position);
      }),
    );
  }

  /** The ranges of rows to hold for a step: whole blocks, each once. Those of neighbouring steps mostly agree. */
  blocks(step: number): RowRange[] {
    const blocks = new Map<number, RowRange>();
    for (const { start, end } of positions(this.#plan, step, this.#rank)) {
      for (let at = start; at < end; at++) {
        const { order, position } = this.#place(at);
        for (const block of order.blocks({ start: position, end: position + 1 })) {
          blocks.set(block.start, block);
        }
      }
    }
    return [...blocks.values()];
  }
}

/** The positions, in a rank's order of the epoch, of its batches in a step. */
function positions(plan: BatchPlan, step: number, rank: number): RowRange[] {
  const { batchSize, accumulation, dropLast } = plan;
  const rows = rankRows(plan, rank);
  const limit = dropLast ? batchesPerEpoch(plan) * batchSize : rows;
  return Array.from({ length: accumulation }, (_, i) => {
    const start = (step * accumulation + i) * batchSize;
    return { start, end: Math.min(start + batchSize, limit) };
  }).filter(({ start, end }) => end > start);
}

function batchesPerEpoch(plan: BatchPlan): number {
  const rows = ranks(plan).map((rank) => rankRows(plan, rank));
  return plan.dropLast
    ? Math.floor(Math.min(...rows) / plan.batchSize)
    : Math.ceil(Math.max(...rows) / plan.batchSize);
}

/** How many rows a rank has in the epoch: its shard, or its part of what an earlier world left. */
function rankRows(plan: BatchPlan, rank: number): number {
  const { start, end } = part(rowsLeft(plan), plan.worldSize, rank);
  return end - start;
}

/** Rows that this plan's ranks share. */
function rowsLeft(plan: BatchPlan): number {
  const old = earlier(plan);
  return old ? sum(old.left) : plan.rows;
}

function placing(
  plan: BatchPlan,
  epoch: number,
  rank: number,
): (position: number) => { order: ShardOrder; position: number } {
  const own = part(rowsLeft(plan), plan.worldSize, rank);
  const old = earlier(plan);
  if (!old) {
    const order = new ShardOrder(plan, epoch, rank, own);
    return (position) => ({ order, position });
  }
  const places = ranks(old.plan).map((oldRank) => placing(old.plan, epoch, oldRank));
  // what is left is one list, of old rank 0, then of 1, …; the new ranks own equal parts of it
  return (position) => {
    let index = own.start + position;
    let oldRank = 0;
    while (index >= (old.left[oldRank] ?? Infinity)) index -= old.left[oldRank++] ?? 0;
    const place = places[oldRank];
    if (!place) throw new RangeError(`train: position ${position} is not left for rank ${rank}`);
    return place(rankRows(old.plan, oldRank) - (old.left[oldRank] ?? 0) + index);
  };
}

/** The plan before the last change of the world size, and the rows that each of its ranks had not read. */
function earlier(plan: BatchPlan): { plan: BatchPlan; left: number[] } | undefined {
  const last = plan.before?.at(-1);
  if (!last) return undefined;
  const old = { ...plan, worldSize: last.worldSize, before: plan.before?.slice(0, -1) ?? [] };
  return {
    plan: old,
    left: ranks(old).map((rank) => Math.max(0, rankRows(old, rank) - last.rows)),
  };
}

/** The r-th of `count` nearly equal parts of [0, rows). */
function part(rows: number, count: number, r: number): RowRange {
  return { start: Math.floor((r * rows) / count), end: Math.floor(((r + 1) * rows) / count) };
}

const ranks = ({ worldSize }: BatchPlan): number[] =>
  Array.from({ length: worldSize }, (_, rank) => rank);

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
