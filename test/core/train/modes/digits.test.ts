/** @file The digits' perceptron trained for real: gradients by ONNX Runtime's wasm, 4 ranks in one program. */
import { afterAll, expect, test } from "vitest";
import { codecNamed } from "../../../../src/collectives/codecs/named.ts";
import { asyncTrainer } from "../../../../src/train/modes/async.ts";
import { localSgdTrainer } from "../../../../src/train/modes/local-sgd.ts";
import { syncTrainer } from "../../../../src/train/modes/sync.ts";
import type { Trainer } from "../../../../src/train/modes/trainer.ts";
import { optimizerSettings, scheduleSettings } from "../../../../src/train/optimizer-options.ts";
import { digitBatch, digitTraining, TRAIN_ROWS } from "./digits.ts";
import { type RankParts, agreed, distance, finish, input, plan, train, world } from "./world.ts";

const WORLD = 4;
const STEPS = 100;

const training = await digitTraining();
afterAll(() => training.close());

const common = {
  optimizer: optimizerSettings({ type: "sgd", lr: 0.2 }),
  schedule: scheduleSettings("constant"),
  totalSteps: STEPS,
};

const batches = plan({
  rows: TRAIN_ROWS,
  worldSize: WORLD,
  batchSize: 32,
  blockRows: 300,
  windowBlocks: 3,
  dropLast: true,
});

async function run(
  trainer: (parts: RankParts) => Trainer,
  { steps = STEPS, layout = training.plan.layout, vector: initial = training.initial } = {},
) {
  const made = world({
    worldSize: WORLD,
    layout,
    vector: initial,
    executor: () => training.executor,
    chunkBytes: 1 << 18,
    trainer,
  });
  await train(made, steps, (step, rank) => input(batches, step, rank, digitBatch));
  await finish(made);
  agreed(made);
  return { vector: made.trainers[0]?.replica.vector ?? new Float32Array() };
}

test("untrained, it reads one digit in ten", async () => {
  expect(await training.accuracy(training.initial)).toBeLessThan(0.25);
});

test("sync on 4 ranks is one rank with a batch 4 times as large", async () => {
  const four = await run((parts) => syncTrainer({ ...common, ...parts }), { steps: 10 });
  // the same rows: all ranks' of a step in one batch
  const alone = world({
    worldSize: 1,
    layout: training.plan.layout,
    vector: training.initial,
    executor: () => training.executor,
    trainer: (parts) => syncTrainer({ ...common, ...parts }),
  });
  await train(alone, 10, async (step) => {
    const rows: number[] = [];
    for (let rank = 0; rank < WORLD; rank++) {
      input(batches, step, rank, (part) => {
        rows.push(...part);
        return digitBatch([]);
      });
    }
    return { step, globalRows: rows.length, batches: [digitBatch(rows)] };
  });
  expect(distance(four.vector, alone.trainers[0]?.replica.vector)).toBeLessThan(2e-6);
  expect(distance(four.vector, training.initial)).toBeGreaterThan(0.01);
});

const MODES: [string, number, (parts: RankParts) => Trainer][] = [
  ["sync", 0.88, (parts) => syncTrainer({ ...common, ...parts })],
  ["sync, int8", 0.88, (parts) => syncTrainer({ ...common, ...parts, codec: codecNamed("int8") })],
  [
    "sync, top 1 %",
    0.86,
    (parts) => syncTrainer({ ...common, ...parts, codec: codecNamed("top_k", 0.01) }),
  ],
  [
    "local SGD, H = 10",
    0.88,
    (parts) =>
      localSgdTrainer({
        ...common,
        ...parts,
        localSteps: 10,
        outerLearningRate: 1,
        outerMomentum: 0,
      }),
  ],
  [
    "DiLoCo, H = 25",
    0.88,
    (parts) =>
      localSgdTrainer({
        ...common,
        ...parts,
        localSteps: 25,
        outerLearningRate: 0.7,
        outerMomentum: 0.9,
      }),
  ],
  [
    "async, 3 steps stale",
    0.86,
    (parts) => asyncTrainer({ ...common, ...parts, maxStaleness: 3, checkpointEvery: 50 }),
  ],
];

test.each(MODES)("%s reads more than %f of the test digits", async (_, least, trainer) => {
  const { vector } = await run(trainer);
  expect(await training.accuracy(vector)).toBeGreaterThan(least);
});

test("pruned to 80 % it hardly reads, and nearly as well as before once its other weights are tuned", async () => {
  const { vector } = await run((parts) => syncTrainer({ ...common, ...parts }));
  const before = await training.accuracy(vector);
  const entries = training.plan.layout.entries.map((entry) => ({
    ...entry,
    masked: entry.dims.length > 1,
  }));
  for (const { offset, length, masked } of entries) {
    if (!masked) continue;
    const weights = vector.subarray(offset, offset + length);
    const magnitudes = weights.map(Math.abs).toSorted();
    const threshold = magnitudes[Math.floor(length * 0.8)] ?? 0;
    weights.forEach((weight, i) => {
      if (Math.abs(weight) < threshold) weights[i] = 0;
    });
  }
  const pruned = await training.accuracy(vector);
  const tuned = await run(
    (parts) => syncTrainer({ ...common, ...parts, codec: codecNamed("int8") }),
    {
      steps: 60,
      layout: { ...training.plan.layout, entries },
      vector,
    },
  );
  const after = await training.accuracy(tuned.vector);
  expect(pruned).toBeLessThan(0.5);
  expect(after).toBeGreaterThan(before - 0.04);
  for (const { offset, length, masked } of entries) {
    if (!masked) continue;
    const zeros = tuned.vector.subarray(offset, offset + length).filter((weight) => weight === 0);
    expect(zeros.length).toBe(Math.floor(length * 0.8));
  }
});
