import { expect, test } from "vitest";
import { codecNamed } from "../../../src/collectives/codecs/named.ts";
import { localSgdTrainer } from "../../../src/train/modes/local-sgd.ts";
import { syncTrainer } from "../../../src/train/modes/sync.ts";
import type { Trainer } from "../../../src/train/modes/trainer.ts";
import { optimizerSettings, scheduleSettings } from "../../../src/train/optimizer-options.ts";
import { Replica } from "../../../src/train/replica.ts";
import type { StateEntry } from "../../../src/train/training-state.ts";
import { layout, toyLayout, toyVector } from "./modes/toy.ts";
import {
  type RankParts,
  agreed,
  distance,
  finish,
  input,
  plan,
  train,
  world,
} from "./modes/world.ts";

const STEPS = 12;

const common = {
  optimizer: optimizerSettings({ type: "adamw", lr: 0.01, weight_decay: 0.1 }),
  schedule: scheduleSettings({ type: "linear", warmup_steps: 2 }),
  totalSteps: STEPS,
  clipNorm: 0.2,
};

const TRAINERS = {
  sync: (parts: RankParts) => syncTrainer({ ...common, ...parts }),
  "sync int8": (parts: RankParts) =>
    syncTrainer({ ...common, ...parts, codec: codecNamed("int8") }),
  local_sgd: (parts: RankParts) =>
    localSgdTrainer({
      ...common,
      ...parts,
      localSteps: 4,
      outerLearningRate: 0.7,
      outerMomentum: 0.9,
    }),
};

const copies = (entries: readonly StateEntry[]): StateEntry[] =>
  entries.map((entry) => ({ ...entry, values: entry.values.slice() }));

function made(worldSize: number, trainer: (parts: RankParts) => Trainer) {
  return world({ worldSize, layout: toyLayout(true), trainer });
}

const of = (worldSize: number) => plan({ worldSize });

test.each(Object.entries(TRAINERS))(
  "training goes on from a checkpoint of any step as if it had not stopped: %s",
  async (_, trainer) => {
    const whole = made(3, trainer);
    const checkpoints = new Map<number, StateEntry[][]>();
    await train(
      whole,
      STEPS,
      (step, rank) => input(of(3), step, rank),
      (one) => {
        const { replica } = one;
        const own = copies(one.export());
        checkpoints.set(replica.step, [...(checkpoints.get(replica.step) ?? []), own]);
      },
    );
    await finish(whole);
    for (const step of [1, 4, 6, 11]) {
      const resumed = made(3, trainer);
      const entries = (checkpoints.get(step) ?? []).flat();
      await Promise.all(
        resumed.trainers.map((one) => one.import(entries.toReversed(), { step, worldSize: 3 })),
      );
      await train(resumed, STEPS, (at, rank) => input(of(3), at, rank));
      await finish(resumed);
      expect(agreed(resumed)).toBe(agreed(whole));
    }
  },
);

test.each(Object.entries(TRAINERS))(
  "a rank's own whole export is enough for that rank: %s",
  async (_, trainer) => {
    const whole = made(3, trainer);
    await train(whole, 5, (step, rank) => input(of(3), step, rank));
    const own = whole.trainers.map((one) => copies(one.export({ replicated: "whole" })));
    await train(whole, STEPS, (step, rank) => input(of(3), step, rank));
    await finish(whole);
    const resumed = made(3, trainer);
    await Promise.all(
      resumed.trainers.map((one, rank) => one.import(own[rank] ?? [], { step: 5, worldSize: 3 })),
    );
    await train(resumed, STEPS, (step, rank) => input(of(3), step, rank));
    await finish(resumed);
    expect(agreed(resumed)).toBe(agreed(whole));
  },
);

test("in a world of another size the optimizer's state is the same, dealt anew", async () => {
  const rows = (worldSize: number) =>
    plan({ worldSize, batchSize: 12 / worldSize, shuffle: false });
  const whole = made(3, TRAINERS.sync);
  await train(whole, 5, (step, rank) => input(rows(3), step, rank));
  const entries = whole.trainers.flatMap((one) => copies(one.export()));
  for (const worldSize of [1, 2, 4]) {
    const resumed = made(worldSize, TRAINERS.sync);
    await Promise.all(
      resumed.trainers.map((one) => one.import(entries, { step: 5, worldSize: 3 })),
    );
    const again = resumed.trainers.flatMap((one) => copies(one.export()));
    for (const name of ["vector", "exp_avg", "exp_avg_sq"]) {
      expect(joined(again, name)).toEqual(joined(entries, name));
    }
  }
});

/** A named vector from its pieces. */
function joined(entries: readonly StateEntry[], name: string): Float32Array {
  const pieces = entries.filter((entry) => entry.name === name);
  const vector = new Float32Array(name === "vector" ? layout.length : layout.parameters).fill(NaN);
  for (const { start, values } of pieces) vector.set(values, start);
  expect(pieces.reduce((sum, { values }) => sum + values.length, 0)).toBe(vector.length);
  return vector;
}

test("a rank holds an N-th of the optimizer's state, and all ranks' parts make one checkpoint", async () => {
  const whole = made(4, TRAINERS.sync);
  await train(whole, 2, (step, rank) => input(of(4), step, rank));
  for (const trainer of whole.trainers) {
    const elements = new Map<string, number>();
    for (const { name, values } of trainer.export()) {
      elements.set(name, (elements.get(name) ?? 0) + values.length);
    }
    // each bucket gives a rank its own fourth; the last also holds 5 buffers and 4 metrics
    const most = layout.buckets.reduce(
      (sum, { start, end }) => sum + Math.ceil((end - start) / 4),
      Math.ceil(9 / 4),
    );
    expect(elements.get("exp_avg")).toBeLessThanOrEqual(most);
    expect(elements.get("exp_avg")).toBeGreaterThan(0);
    expect(elements.get("vector")).toBeLessThanOrEqual(Math.ceil(layout.length / 4));
  }
  const entries = whole.trainers.flatMap((one) => one.export());
  expect(joined(entries, "vector")).toEqual(whole.trainers[0]?.replica.vector);
});

test("a checkpoint goes on in another mode", async () => {
  const first = made(3, TRAINERS.sync);
  await train(first, 4, (step, rank) => input(of(3), step, rank));
  const vector = first.trainers[0]?.replica.vector.slice();
  const second = made(2, TRAINERS.local_sgd);
  const entries = first.trainers.flatMap((one) => copies(one.export()));
  await Promise.all(second.trainers.map((one) => one.import(entries, { step: 4, worldSize: 3 })));
  expect(distance(second.trainers[1]?.replica.vector, vector)).toBe(0);
  await train(second, 8, (step, rank) => input(of(2), step, rank));
  const back = made(3, TRAINERS.sync);
  const local = second.trainers.flatMap((one) => copies(one.export()));
  await Promise.all(back.trainers.map((one) => one.import(local, { step: 8, worldSize: 2 })));
  await train(back, STEPS, (step, rank) => input(of(3), step, rank));
  agreed(back);
});

test("a checkpoint that lacks a part is refused by the part's name", async () => {
  const whole = made(3, TRAINERS.sync);
  await train(whole, 2, (step, rank) => input(of(3), step, rank));
  const entries = copies(whole.trainers.flatMap((one) => one.export()));
  const lacking = entries.filter(({ name, rank }) => name !== "vector" || rank !== 1);
  const resumed = made(3, TRAINERS.sync);
  await expect(resumed.trainers[0]?.import(lacking, { step: 2, worldSize: 3 })).rejects.toThrow(
    `train: the checkpoint of step 2 lacks vector [0, ${layout.length})`,
  );
  const sgd = made(3, (parts) =>
    syncTrainer({
      ...common,
      ...parts,
      optimizer: optimizerSettings({ type: "sgd", momentum: 0.9 }),
    }),
  );
  await expect(sgd.trainers[0]?.import(entries, { step: 2, worldSize: 3 })).rejects.toThrow(
    /lacks momentum_buffer/,
  );
});

test("entries may stream", async () => {
  const whole = made(2, TRAINERS.sync);
  await train(whole, 3, (step, rank) => input(of(2), step, rank));
  async function* stream() {
    for (const trainer of whole.trainers) {
      await Promise.resolve();
      yield* trainer.export();
    }
  }
  const resumed = made(2, TRAINERS.sync);
  await resumed.trainers[1]?.import(stream(), { step: 3, worldSize: 2 });
  expect(resumed.trainers[1]?.replica.hash()).toBe(whole.trainers[0]?.replica.hash());
  expect(resumed.trainers[1]?.replica.step).toBe(3);
});

test("the hash tells one bit, and one place from another", () => {
  const replica = (change: (vector: Float32Array) => void) => {
    const vector = toyVector();
    change(vector);
    return new Replica({ layout, rank: 0, worldSize: 1, vector }).hash();
  };
  const hashes = [
    replica(() => {}),
    replica((vector) => new Uint32Array(vector.buffer).fill(0x3f800000, 4, 5)),
    replica((vector) => new Uint32Array(vector.buffer).fill(0x3f800001, 4, 5)),
    replica((vector) => vector.set([1, 2])),
    replica((vector) => vector.set([2, 1])),
    replica((vector) => vector.set([-0])),
  ];
  expect(new Set(hashes).size).toBe(hashes.length);
  expect(replica(() => {})).toBe(hashes[0]);
});

test("a vector that does not fit is refused", () => {
  const vector = new Float32Array(3);
  expect(() => new Replica({ layout, rank: 0, worldSize: 1, vector })).toThrow(
    `train: the vector has 3 elements, the layout ${layout.length}`,
  );
  expect(() => new Replica({ layout, rank: 2, worldSize: 2, vector: toyVector() })).toThrow(
    "train: rank 2 is not in a world of 2",
  );
});
