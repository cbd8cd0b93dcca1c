/** @file Ranks that train together in one program, over a network that is calm or bad. */
import { setImmediate } from "node:timers/promises";
import { badNetwork } from "../../../../src/collectives/bad-network.ts";
import type { Collective } from "../../../../src/collectives/collective.ts";
import { createCollective } from "../../../../src/collectives/create.ts";
import {
  MemoryNetwork,
  type MemoryNetworkOptions,
} from "../../../../src/collectives/memory-transport.ts";
import type { Transport } from "../../../../src/collectives/transport.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import { type BatchPlan, RankEpoch, stepRows } from "../../../../src/train/batches.ts";
import { rowPlace } from "../../../../src/train/row-schedule.ts";
import type { Batch, Executor } from "../../../../src/train/executor.ts";
import type { Layout } from "../../../../src/train/layout.ts";
import type { StepInput, StepMetrics, Trainer } from "../../../../src/train/modes/trainer.ts";
import { Replica } from "../../../../src/train/replica.ts";
import { toyBatch, toyExecutor, toyLayout, toyVector } from "./toy.ts";

export const arena = await Arena.create(await kernelModule(), 1 << 20);

export type NetworkKind = "calm" | "bad";

export interface WorldOptions {
  worldSize: number;
  /** Default: the toy model, masks off. */
  layout?: Layout;
  vector?: Float32Array;
  executor?: (rank: number) => Executor;
  network?: NetworkKind | MemoryNetworkOptions;
  networkSeed?: number;
  algorithm?: "direct" | "ring";
  chunkBytes?: number;
  trainer: (parts: RankParts) => Trainer;
}

export interface RankParts {
  replica: Replica;
  executor: Executor;
  collective: Collective;
  transport: Transport;
  arena: Arena;
}

export interface World {
  trainers: Trainer[];
  network: MemoryNetwork;
  collectives: Collective[];
}

/** Reorders, repeats and loses; by even seeds ranks also read each other's memory, late. */
const badly = (seed: number) => ({
  carry: badNetwork({ seed, duplicated: 0.2, lost: 0.1, turn: () => setImmediate() }),
  lends: seed % 2 === 0,
});

export function world(options: WorldOptions): World {
  const { worldSize, layout = toyLayout(false), vector = toyVector(), network = "calm" } = options;
  const memory = new MemoryNetwork(
    typeof network === "object"
      ? network
      : { worldSize, ...(network === "bad" && badly(options.networkSeed ?? 1)) },
  );
  const collectives: Collective[] = [];
  const trainers = memory.form(1).map((transport, rank) => {
    const collective = createCollective({
      transport,
      arena,
      chunkBytes: options.chunkBytes ?? 64,
      algorithm: options.algorithm ?? "direct",
    });
    collectives.push(collective);
    return options.trainer({
      replica: new Replica({ layout, rank, worldSize, vector }),
      executor: options.executor?.(rank) ?? toyExecutor(),
      collective,
      transport,
      arena,
    });
  });
  return { trainers, network: memory, collectives };
}

export const plan = (options: Partial<BatchPlan> = {}): BatchPlan => ({
  rows: 60,
  worldSize: 1,
  batchSize: 4,
  accumulation: 1,
  blockRows: 4,
  windowBlocks: 2,
  seed: 3,
  dropLast: false,
  shuffle: true,
  ...options,
});

const epochs = new WeakMap<BatchPlan, Map<string, RankEpoch>>();

function rankEpoch(of: BatchPlan, epoch: number, rank: number): RankEpoch {
  const made = epochs.get(of) ?? new Map<string, RankEpoch>();
  epochs.set(of, made);
  const key = `${epoch} ${rank}`;
  const found = made.get(key) ?? new RankEpoch(of, epoch, rank);
  made.set(key, found);
  return found;
}

/** A rank's input of a step, under a plan. */
export function input(
  of: BatchPlan,
  step: number,
  rank: number,
  batch: (rows: number[], seed: number) => Batch = toyBatch,
): StepInput {
  const place = rowPlace({ batches: of }, step);
  const rows = rankEpoch(of, place.epoch, rank).batches(place.step);
  return {
    step,
    batches: rows.map((part) => batch([...part], step)),
    globalRows: stepRows(of, place.step),
  };
}

/** Runs all ranks side by side from their next step to before `end`; gives the metrics by rank. */
export async function train(
  { trainers }: Pick<World, "trainers">,
  end: number,
  inputs: (step: number, rank: number) => StepInput | Promise<StepInput>,
  after?: (trainer: Trainer, rank: number) => void | Promise<void>,
): Promise<StepMetrics[][]> {
  return Promise.all(
    trainers.map(async (trainer, rank) => {
      const metrics: StepMetrics[] = [];
      while (trainer.replica.step < end) {
        metrics.push(await trainer.step(await inputs(trainer.replica.step, rank)));
        await after?.(trainer, rank);
      }
      return metrics;
    }),
  );
}

export const finish = async ({ trainers }: Pick<World, "trainers">): Promise<void> => {
  await Promise.all(trainers.map((trainer) => trainer.finish()));
};

/** The hash of the vector, which all ranks must agree on. */
export function agreed({ trainers }: Pick<World, "trainers">): string {
  const hashes = new Set(trainers.map(({ replica }) => replica.hash()));
  if (hashes.size !== 1) throw new Error(`ranks hold ${[...hashes].join(", ")}`);
  return [...hashes].join();
}

/** The largest |a − b| / (1 + |b|). */
export function distance(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (!a || a.length !== b?.length) return Infinity;
  return a.reduce((most, value, i) => {
    const other = b[i] ?? NaN;
    return Math.max(most, Math.abs(value - other) / (1 + Math.abs(other)));
  }, 0);
}
