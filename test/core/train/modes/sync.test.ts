import { expect, test } from "vitest";
import { codecNamed } from "../../../../src/collectives/codecs/named.ts";
import type { CodecName } from "../../../../src/collectives/codecs/codec.ts";
import { type SyncOptions, syncTrainer } from "../../../../src/train/modes/sync.ts";
import type { Executor } from "../../../../src/train/executor.ts";
import {
  type OptimizerOptions,
  type ScheduleOptions,
  optimizerSettings,
  scheduleSettings,
} from "../../../../src/train/optimizer-options.ts";
import { METRICS } from "../../../../src/train/replica.ts";
import goldens from "../../../goldens/train/loop.json" with { type: "json" };
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

const STEPS = 12;

type Settings = Partial<SyncOptions>;

const sync =
  (settings: Settings = {}) =>
  (parts: RankParts) =>
    syncTrainer({
      optimizer: optimizerSettings({ type: "adamw", lr: 0.01, weight_decay: 0.1 }),
      schedule: scheduleSettings({ type: "cosine", warmup_steps: 3 }),
      totalSteps: STEPS,
      ...parts,
      ...settings,
    });

async function run(options: Omit<WorldOptions, "trainer">, settings: Settings = {}, batchSize = 4) {
  const made = world({ ...options, trainer: sync(settings) });
  const of = plan({ worldSize: options.worldSize, batchSize });
  const metrics = await train(made, STEPS, (step, rank) => input(of, step, rank));
  await finish(made);
  const vector = made.trainers[0]?.replica.vector ?? new Float32Array();
  return { hash: agreed(made), vector, metrics, ...made };
}

const SGD = optimizerSettings({ type: "sgd", lr: 0.05, momentum: 0.9, nesterov: true });

test.each([
  ["adamw", {}],
  ["adamw, clipped", { clipNorm: 0.05 }],
  ["sgd", { optimizer: SGD }],
  ["lion", { optimizer: optimizerSettings({ type: "lion", lr: 0.01 }) }],
] satisfies [string, Settings][])(
  "N ranks train like one with a batch N times as large: %s",
  async (_, settings) => {
    for (const worldSize of [2, 3, 7, 16]) {
      // the ranks' rows of a step, in one batch
      const of = plan({ worldSize });
      const alone = world({ worldSize: 1, trainer: sync(settings) });
      const one = await train(alone, STEPS, (step) => {
        const all = Array.from({ length: worldSize }, (__, rank) => input(of, step, rank));
        const { globalRows } = all[0] ?? { globalRows: 0 };
        return { step, globalRows, batches: all.flatMap(({ batches }) => batches) };
      });
      const { vector, metrics } = await run({ worldSize }, settings);
      expect(distance(vector, alone.trainers[0]?.replica.vector)).toBeLessThan(2e-6);
      expect(distance(vector, toyVector())).toBeGreaterThan(0.02);
      for (const [step, found] of (metrics[0] ?? []).entries()) {
        expect(found.loss).toBeCloseTo(one[0]?.[step]?.loss ?? NaN, 5);
        expect(found.correct).toBe(one[0]?.[step]?.correct);
        if (found.gradientNorm === undefined) continue;
        expect(found.gradientNorm).toBeCloseTo(one[0]?.[step]?.gradientNorm ?? NaN, 5);
      }
      for (const rank of metrics) expect(rank).toEqual(metrics[0]);
    }
  },
);

test.each(
  goldens.cases.map((golden) => [golden.optimizer.type, golden.schedule.type, golden] as const),
)("whole runs end where torch's do: %s, %s", async (_, __, golden) => {
  const settings = {
    optimizer: optimizerSettings(golden.optimizer as OptimizerOptions),
    schedule: scheduleSettings(golden.schedule as ScheduleOptions),
    clipNorm: golden.clip ?? undefined,
  };
  for (const worldSize of [1, 3]) {
    // 60 rows a step, however many ranks
    const { vector, metrics } = await run({ worldSize }, settings, 60 / worldSize);
    const expected = Float32Array.from(golden.vector);
    expect(distance(vector.subarray(0, layout.parameters), expected)).toBeLessThan(1e-6);
    const losses = Float32Array.from(metrics[0] ?? [], ({ loss }) => loss);
    expect(distance(losses, Float32Array.from(golden.losses))).toBeLessThan(1e-6);
    const norms = Float32Array.from(metrics[0] ?? [], ({ gradientNorm }) => gradientNorm ?? NaN);
    if (golden.clip !== null) {
      expect(distance(norms, Float32Array.from(golden.norms))).toBeLessThan(1e-6);
    }
  }
});

test("all ranks together send 2(N − 1) times the vector and its metrics in a step", async () => {
  for (const algorithm of ["direct", "ring"] as const) {
    const worldSize = 5;
    const { collectives } = await run({ worldSize, algorithm });
    const sent = collectives.reduce((sum, { counts }) => sum + counts.bytesSent, 0);
    expect(sent).toBe(STEPS * 2 * (worldSize - 1) * 4 * (layout.length + METRICS));
  }
});

test("a bucket is under way before the next one's gradients are there", async () => {
  const sent: number[] = [];
  const toy = toyExecutor();
  const watched: Executor = {
    ...toy,
    gradients: (vector, batch, sink) =>
      toy.gradients(vector, batch, {
        ...sink,
        ready: (end) => {
          sink.ready?.(end);
          sent.push(made.collectives[0]?.counts.messagesSent ?? NaN);
        },
      }),
  };
  const executor = (rank: number) => (rank === 0 ? watched : toy);
  const made = world({ worldSize: 2, executor, trainer: sync() });
  const of = plan({ worldSize: 2 });
  await train(made, 1, (step, rank) => input(of, step, rank));
  // the layout has 5 entries in 3 buckets
  expect(sent.length).toBe(5);
  expect(sent.at(0)).toBe(0);
  expect(sent.at(-2)).toBeGreaterThan(0);
});

test("buffers are averaged over the ranks", async () => {
  const { vector } = await run({ worldSize: 3 }, {}, 20);
  // each epoch is one step of all 60 rows: the running mean is that of all rows
  const mean = Array.from({ length: 5 }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < 60; row++) sum += Math.sin(row * 12.9898 + i * 78.233) / 60;
    return sum * (1 - 0.9 ** STEPS);
  });
  expect(distance(vector.subarray(layout.parameters), Float32Array.from(mean))).toBeLessThan(1e-6);
});

test.each(["direct", "ring"] as const)(
  "messages that come late, twice or in another order change no bit: %s",
  async (algorithm) => {
    const settings = { clipNorm: 0.1 };
    const calm = await run({ worldSize: 4, algorithm }, settings);
    for (const networkSeed of [1, 2, 3]) {
      const bad = await run({ worldSize: 4, algorithm, network: "bad", networkSeed }, settings);
      expect(bad.hash).toBe(calm.hash);
      expect(bad.metrics).toEqual(calm.metrics);
    }
  },
);

test("ranks whose rows are out take part with weight 0", async () => {
  // 7 ranks share 60 rows: shards of 8 and 9, so in each epoch's last step four ranks have one row and three none
  const of = plan({ worldSize: 7 });
  const rows = Array.from({ length: 7 }, (_, rank) => input(of, 2, rank).batches.length);
  expect(rows.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 1, 1, 1, 1]);
  await run({ worldSize: 7, network: "bad" });
});

test("accumulated batches train like one batch", async () => {
  const accumulated = world({ worldSize: 2, trainer: sync() });
  const of = plan({ worldSize: 2, batchSize: 2, accumulation: 3 });
  await train(accumulated, STEPS, (step, rank) => input(of, step, rank));
  const { vector } = await run({ worldSize: 2 }, {}, 6);
  expect(distance(accumulated.trainers[0]?.replica.vector, vector)).toBeLessThan(2e-6);
});

test.each(["float16", "bfloat16", "int8", "top_k"] satisfies CodecName[])(
  "with the codec %s all ranks hold the same bits, and come near to what float32 gives",
  async (name) => {
    const settings = { codec: codecNamed(name, 0.2), optimizer: SGD };
    const calm = await run({ worldSize: 3 }, settings);
    const bad = await run({ worldSize: 3, network: "bad" }, settings);
    expect(bad.hash).toBe(calm.hash);
    const { vector } = await run({ worldSize: 3 }, { optimizer: SGD });
    expect(distance(calm.vector, vector)).toBeLessThan(name === "top_k" ? 0.1 : 0.01);
    expect(distance(calm.vector, toyVector())).toBeGreaterThan(0.2);
    const tail = calm.vector.subarray(layout.parameters);
    expect(distance(tail, vector.subarray(layout.parameters))).toBeLessThan(1e-6);
  },
);

test.each(["none", "int8", "top_k"] satisfies CodecName[])(
  "masked weights stay zero, and only they: %s",
  async (name) => {
    const codec = codecNamed(name, 0.2);
    const { vector } = await run({ worldSize: 3, layout: toyLayout(true) }, { codec });
    for (const { kind, masked, offset, length } of layout.entries) {
      if (kind !== "parameter") continue;
      for (let i = offset; i < offset + length; i++) {
        const wasZero = toyVector()[i] === 0;
        expect(vector[i] === 0, `element ${i}`).toBe(masked && wasZero);
      }
    }
  },
);

test("a loss that is no number ends the step on every rank, by its number", async () => {
  const spoiled = (rank: number) => toyExecutor((batch) => rank === 1 && batch.seed === 5);
  const made = world({ worldSize: 3, executor: spoiled, trainer: sync() });
  const of = plan({ worldSize: 3 });
  const results = await Promise.allSettled(
    made.trainers.map(async (trainer, rank) => {
      while (trainer.replica.step < STEPS)
        await trainer.step(input(of, trainer.replica.step, rank));
    }),
  );
  for (const result of results) {
    expect(result).toMatchObject({
      reason: { name: "NonFiniteLossError", step: 5, message: "train: the loss is NaN at step 5" },
    });
  }
  for (const { replica } of made.trainers) {
    expect(replica.step).toBe(5);
    expect(() => replica.export()).toThrow(/is NaN after step 5/);
  }
});

test("a rank that is gone ends the step on all others", async () => {
  const made = world({
    worldSize: 3,
    trainer: sync(),
    executor: (rank) =>
      toyExecutor((batch) => {
        if (rank === 2 && batch.seed === 4) made.network.kill(2);
        return false;
      }),
  });
  const of = plan({ worldSize: 3 });
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

test("a step out of order is refused", async () => {
  const { trainers } = world({ worldSize: 1, trainer: sync() });
  await expect(trainers[0]?.step(input(plan(), 3, 0))).rejects.toThrow(
    "train: step 3 was asked for, step 0 is next",
  );
});
