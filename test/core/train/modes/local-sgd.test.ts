import { expect, test } from "vitest";
import { codecNamed } from "../../../../src/collectives/codecs/named.ts";
import { type LocalSgdOptions, localSgdTrainer } from "../../../../src/train/modes/local-sgd.ts";
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

const STEPS = 12;
const WORLD = 3;

const common = {
  optimizer: optimizerSettings({ type: "sgd", lr: 0.05 }),
  schedule: scheduleSettings("constant"),
  totalSteps: STEPS,
};

type Settings = Partial<LocalSgdOptions>;

const local =
  (settings: Settings = {}) =>
  (parts: RankParts) =>
    localSgdTrainer({
      ...common,
      localSteps: 4,
      outerLearningRate: 0.7,
      outerMomentum: 0.9,
      ...parts,
      ...settings,
    });

const of = plan({ worldSize: WORLD });

async function run(settings: Settings = {}, options: Partial<WorldOptions> = {}) {
  const made = world({ worldSize: WORLD, ...options, trainer: local(settings) });
  const metrics = await train(made, STEPS, (step, rank) => input(of, step, rank));
  await finish(made);
  const vector = made.trainers[0]?.replica.vector ?? new Float32Array();
  return { hash: agreed(made), vector, metrics };
}

/** Steps of plain SGD by one rank alone, in float64 but for the gradients. */
async function alone(start: Float64Array, rank: number, from: number, to: number) {
  const vector = start.slice();
  for (let step = from; step < to; step++) {
    const { batches } = input(of, step, rank);
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
    const gradient = new Float32Array(layout.length);
    for (const batch of batches) {
      const weight = batch.rows / rows;
      await toyExecutor().gradients(Float32Array.from(vector), batch, { into: gradient, weight });
    }
    if (rows === 0) continue;
    gradient.forEach((g, i) => {
      vector[i] = i < layout.parameters ? (vector[i] ?? 0) - 0.05 * g : g;
    });
  }
  return vector;
}

test("it is DiLoCo: SGD alone for H steps, then an outer Nesterov step on the mean difference", async () => {
  let anchor = Float64Array.from(toyVector());
  const momentum = new Float64Array(layout.length);
  for (let from = 0; from < STEPS; from += 4) {
    const ends = await Promise.all(
      Array.from({ length: WORLD }, (_, rank) => alone(anchor, rank, from, from + 4)),
    );
    anchor = anchor.map((start, i) => {
      const mean = ends.reduce((sum, end) => sum + (end[i] ?? 0) / WORLD, 0);
      if (i >= layout.parameters) return mean;
      const difference = start - mean;
      const speed = 0.9 * (momentum[i] ?? 0) + difference;
      momentum[i] = speed;
      return start - 0.7 * (difference + 0.9 * speed);
    });
  }
  const { vector } = await run();
  expect(distance(vector, Float32Array.from(anchor))).toBeLessThan(1e-6);
  expect(distance(vector, toyVector())).toBeGreaterThan(0.1);
});

test("with an outer rate of 1 and no momentum it is the averaging of parameters", async () => {
  let mean = Float64Array.from(toyVector());
  for (let from = 0; from < STEPS; from += 4) {
    const start = mean;
    const ends = await Promise.all(
      Array.from({ length: WORLD }, (_, rank) => alone(start, rank, from, from + 4)),
    );
    mean = mean.map((_, i) => ends.reduce((sum, end) => sum + (end[i] ?? 0) / WORLD, 0));
  }
  const { vector } = await run({ outerLearningRate: 1, outerMomentum: 0 });
  expect(distance(vector, Float32Array.from(mean))).toBeLessThan(1e-6);
});

test("averaging after every step of SGD is sync", async () => {
  // 20 rows a rank, batches of 4: all batches are full, so all ranks weigh the same
  const { vector } = await run({ localSteps: 1, outerLearningRate: 1, outerMomentum: 0 });
  const sync = world({
    worldSize: WORLD,
    trainer: (parts) => syncTrainer({ ...common, ...parts }),
  });
  await train(sync, STEPS, (step, rank) => input(of, step, rank));
  expect(distance(vector, sync.trainers[0]?.replica.vector)).toBeLessThan(1e-6);
});

test("ranks agree after H steps, and differ in between", async () => {
  const made = world({ worldSize: WORLD, trainer: local() });
  await train(made, 6, (step, rank) => input(of, step, rank));
  expect(() => agreed(made)).toThrow(/ranks hold/);
  const metrics = await train(made, 8, (step, rank) => input(of, step, rank));
  expect(metrics[0]?.map(({ synchronized }) => synchronized)).toEqual([false, true]);
  agreed(made);
  await train(made, 9, (step, rank) => input(of, step, rank));
  await finish(made);
  agreed(made);
});

test.each(["none", "float16", "int8", "top_k"] as const)(
  "messages that come late, twice or in another order change no bit: %s",
  async (name) => {
    const codec = codecNamed(name, 0.2);
    const optimizer = optimizerSettings({ type: "adamw", lr: 0.01 });
    const settings = { codec, optimizer, clipNorm: 0.5 };
    const calm = await run(settings);
    for (const networkSeed of [1, 2]) {
      const bad = await run(settings, { network: "bad", networkSeed });
      expect(bad.hash).toBe(calm.hash);
      expect(bad.metrics).toEqual(calm.metrics);
    }
    const { vector } = await run({ optimizer, clipNorm: 0.5 });
    expect(distance(calm.vector, vector)).toBeLessThan(name === "top_k" ? 0.1 : 0.01);
  },
);

test("masked weights stay zero", async () => {
  const { vector } = await run({ codec: codecNamed("int8") }, { layout: toyLayout(true) });
  for (const { masked, offset, length } of layout.entries) {
    if (!masked) continue;
    for (let i = offset; i < offset + length; i++) {
      expect(vector[i] === 0).toBe(toyVector()[i] === 0);
    }
  }
});

test("a loss that is no number ends the step on the rank that has it", async () => {
  const executor = () => toyExecutor((batch) => batch.seed === 2);
  const made = world({ worldSize: 1, executor, trainer: local() });
  const single = plan();
  await expect(train(made, STEPS, (step, rank) => input(single, step, rank))).rejects.toMatchObject(
    {
      name: "NonFiniteLossError",
      step: 2,
    },
  );
});
