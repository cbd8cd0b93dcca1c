import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { codecNamed } from "../../../../src/collectives/codecs/named.ts";
import type { Message } from "../../../../src/collectives/transport.ts";
import type { Executor } from "../../../../src/train/executor.ts";
import { type AsyncOptions, asyncTrainer } from "../../../../src/train/modes/async.ts";
import { syncTrainer } from "../../../../src/train/modes/sync.ts";
import { optimizerSettings, scheduleSettings } from "../../../../src/train/optimizer-options.ts";
import { layout, toyExecutor, toyLayout, toyVector } from "./toy.ts";
import {
  type RankParts,
  type WorldOptions,
  agreed,
  distance,
  finish,
  input,
  plan,
  train,
  world,
} from "./world.ts";

const STEPS = 24;
const WORLD = 4;
const of = plan({ worldSize: WORLD });

const common = {
  optimizer: optimizerSettings({ type: "sgd", lr: 0.1 }),
  schedule: scheduleSettings("constant"),
  totalSteps: STEPS,
};

type Settings = Partial<AsyncOptions>;

const asynchronous =
  (settings: Settings = {}) =>
  (parts: RankParts) =>
    asyncTrainer({ ...common, maxStaleness: 2, checkpointEvery: 8, ...parts, ...settings });

async function run(settings: Settings = {}, options: Partial<WorldOptions> = {}) {
  const made = world({ worldSize: WORLD, ...options, trainer: asynchronous(settings) });
  const metrics = await train(made, STEPS, (step, rank) => input(of, step, rank));
  await finish(made);
  const vector = made.trainers[0]?.replica.vector ?? new Float32Array();
  return { hash: agreed(made), vector, metrics, ...made };
}

/** Mean of the toy's loss over all rows. */
async function lossOf(vector: Float32Array): Promise<number> {
  const { batches } = input(plan({ batchSize: 60 }), 0, 0);
  const [batch] = batches;
  return batch ? (await toyExecutor().evaluate(vector, batch)).loss : NaN;
}

/** A rank that takes so many turns of the event loop for a gradient. */
function slow(turns: number): Executor {
  const toy = toyExecutor();
  return {
    ...toy,
    async gradients(...parameters) {
      for (let turn = 0; turn < turns; turn++) await setImmediate();
      return toy.gradients(...parameters);
    },
  };
}

test("one rank alone trains as in sync", async () => {
  for (const type of ["sgd", "adamw"] as const) {
    const settings = { optimizer: optimizerSettings(type), clipNorm: 0.1 };
    const single = plan();
    const one = world({ worldSize: 1, trainer: asynchronous(settings) });
    await train(one, STEPS, (step, rank) => input(single, step, rank));
    await finish(one);
    const sync = world({
      worldSize: 1,
      trainer: (parts) => syncTrainer({ ...common, ...parts, ...settings }),
    });
    await train(sync, STEPS, (step, rank) => input(single, step, rank));
    const [a, b] = [one, sync].map(({ trainers }) => trainers[0]?.replica.vector);
    expect(distance(a, b)).toBeLessThan(1e-6);
    expect(distance(a, toyVector())).toBeGreaterThan(0.01);
  }
});

test.each(["calm", "bad"] as const)(
  "all ranks end with the same vector, and have learned: network %s",
  async (network) => {
    const before = await lossOf(toyVector());
    const { vector } = await run({}, { network });
    expect(await lossOf(vector)).toBeLessThan(before * 0.5);
  },
);

test.each([0, 1, 3])(
  "no rank starts a step more than max_staleness %i ahead of the slowest",
  async (maxStaleness) => {
    const started = [0, 0, 0, 0];
    const computed = [0, 0, 0, 0];
    let most = 0;
    const executor = (rank: number): Executor => {
      const toy = slow(rank === 2 ? 12 : rank);
      return {
        ...toy,
        async gradients(...call) {
          most = Math.max(most, (started[rank] ?? 0) - Math.min(...computed));
          started[rank] = (started[rank] ?? 0) + 1;
          const loss = await toy.gradients(...call);
          computed[rank] = (computed[rank] ?? 0) + 1;
          return loss;
        },
      };
    };
    const made = world({
      worldSize: WORLD,
      executor,
      trainer: asynchronous({ maxStaleness, checkpointEvery: STEPS }),
    });
    await train(made, STEPS, (step, rank) => input(of, step, rank));
    await finish(made);
    expect(most).toBe(maxStaleness);
    agreed(made);
  },
);

test("ranks that do not wait see stale parameters, and say how stale", async () => {
  const { metrics } = await run({ maxStaleness: 3 }, { executor: (rank) => slow(rank * 3) });
  const staleness = metrics.flat().map((step) => step.staleness ?? NaN);
  expect(Math.max(...staleness)).toBeGreaterThanOrEqual(WORLD - 1);
  expect(Math.min(...staleness)).toBe(0);
});

test("a stale gradient takes a step of lr / (1 + staleness)", async () => {
  // constant gradients of 1: how far a parameter goes is the sum of the learning rates
  const ones: Executor = {
    async gradients(_vector, _batch, { into, weight }) {
      await setImmediate();
      for (let i = 0; i < layout.parameters; i++) into[i] = (into[i] ?? 0) + weight;
      return { loss: 1, count: 1 };
    },
    evaluate: async () => ({ loss: 1, count: 1 }),
  };
  const { vector, metrics } = await run(
    { maxStaleness: 0 },
    { executor: () => ones, vector: new Float32Array(layout.length) },
  );
  // with no staleness allowed all pull the same state, so in each shard the k-th of the pushes is k updates late
  const perStep = 0.1 * (1 + 1 / 2 + 1 / 3 + 1 / 4);
  const passed = metrics.flat().filter(({ rows }) => rows === 0).length;
  expect(passed).toBe(0);
  for (const value of vector.subarray(0, layout.parameters)) {
    expect(value).toBeCloseTo(-STEPS * perStep, 5);
  }
});

test("a checkpoint holds each step of each rank exactly once", async () => {
  for (const network of ["calm", "bad"] as const) {
    const updates: number[] = [];
    const made = world({
      worldSize: WORLD,
      network,
      executor: (rank) => slow(rank * 4),
      trainer: asynchronous(),
    });
    await train(
      made,
      STEPS,
      (step, rank) => input(of, step, rank),
      async (trainer) => {
        if (trainer.replica.step % 8 !== 0) {
          expect(() => trainer.export()).toThrow(/is no multiple of 8/);
          return;
        }
        // others may be steps ahead by the time it is written
        for (let turn = 0; turn < 30; turn++) await setImmediate();
        const entries = trainer.export({ replicated: "whole" });
        updates.push(entries.find(({ name }) => name === "updates")?.values[0] ?? NaN);
      },
    );
    await finish(made);
    const each = [8, 16, 24].flatMap((step) => Array.from({ length: WORLD }, () => step * WORLD));
    expect(updates.toSorted((a, b) => a - b)).toEqual(each);
  }
});

test("training goes on from a checkpoint of another world", async () => {
  const first = world({ worldSize: WORLD, trainer: asynchronous() });
  await train(first, 8, (step, rank) => input(of, step, rank));
  const entries = first.trainers
    .flatMap((trainer) => trainer.export())
    .map((entry) => ({
      ...entry,
      values: entry.values.slice(),
    }));
  const second = world({ worldSize: 3, trainer: asynchronous() });
  await Promise.all(
    second.trainers.map((trainer) => trainer.import(entries, { step: 8, worldSize: WORLD })),
  );
  const next = plan({ worldSize: 3 });
  await train(second, STEPS, (step, rank) => input(next, step, rank));
  await finish(second);
  agreed(second);
  const vector = second.trainers[0]?.replica.vector ?? new Float32Array();
  expect(await lossOf(vector)).toBeLessThan((await lossOf(toyVector())) * 0.5);
});

test("masked weights stay zero", async () => {
  const { vector } = await run({}, { layout: toyLayout(true) });
  for (const { masked, offset, length } of layout.entries) {
    if (!masked) continue;
    for (let i = offset; i < offset + length; i++) {
      expect(vector[i] === 0).toBe(toyVector()[i] === 0);
    }
  }
});

test.each(["float16", "int8", "top_k"] as const)("gradients may be encoded: %s", async (name) => {
  const before = await lossOf(toyVector());
  let bytes = 0;
  const network = {
    worldSize: WORLD,
    passes: ({ phase, payload }: Message) => {
      if (phase === "push") bytes += payload.byteLength;
      return true;
    },
  };
  const { vector } = await run({ codec: codecNamed(name, 0.3) }, { network });
  expect(await lossOf(vector)).toBeLessThan(before * 0.6);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(STEPS * (WORLD - 1) * layout.length * 4);
});

test("buffers follow the data", async () => {
  const { vector } = await run({ maxStaleness: 0 });
  const single = world({
    worldSize: 1,
    trainer: (parts) => syncTrainer({ ...common, ...parts }),
  });
  await train(single, STEPS, (step, rank) => input(plan({ batchSize: 16 }), step, rank));
  const buffers = single.trainers[0]?.replica.vector.subarray(layout.parameters);
  expect(distance(vector.subarray(layout.parameters), buffers)).toBeLessThan(0.1);
  expect(Math.max(...vector.subarray(layout.parameters).map(Math.abs))).toBeGreaterThan(0.005);
});

test("a rank that is gone ends the step on all others", async () => {
  const made = world({
    worldSize: WORLD,
    trainer: asynchronous(),
    executor: (rank) =>
      toyExecutor((batch) => {
        if (rank === 2 && batch.seed === 4) made.network.kill(2);
        return false;
      }),
  });
  const results = await Promise.allSettled(
    made.trainers.map(async (trainer, rank) => {
      while (trainer.replica.step < STEPS)
        await trainer.step(input(of, trainer.replica.step, rank));
    }),
  );
  for (const result of results) {
    expect(result).toMatchObject({ reason: { name: "PeerError", fault: "lost", peer: 2 } });
  }
});

test("a rank that says nothing is named after the deadline", async () => {
  const never: Executor = { ...toyExecutor(), gradients: () => new Promise(() => {}) };
  const made = world({
    worldSize: 2,
    executor: (rank) => (rank === 1 ? never : toyExecutor()),
    trainer: asynchronous({ deadlineMs: 50 }),
  });
  const [first, second] = made.trainers;
  void second?.step(input(of, 0, 1)).catch(() => {});
  const steps = async () => {
    for (let step = 0; step < 4; step++) await first?.step(input(of, step, 0));
  };
  await expect(steps()).rejects.toMatchObject({
    fault: "silent",
    peer: 1,
    message: "async: rank 1 is silent for 50 ms",
  });
});
