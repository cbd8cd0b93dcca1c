import { afterAll, beforeAll, expect, test } from "vitest";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Session } from "../../../src/runtime/runtime.ts";
import type { Batch, Executor } from "../../../src/train/executor.ts";
import { syncTrainer } from "../../../src/train/modes/sync.ts";
import { optimizerSettings, scheduleSettings } from "../../../src/train/optimizer-options.ts";
import { sessionExecutor } from "../../../src/train/session-executor.ts";
import type { StepPlan } from "../../../src/train/step-plan.ts";
import golden from "../../goldens/train/steps.json" with { type: "json" };
import { agreed, arena, distance, train, world } from "./modes/world.ts";
import { batchesOf, open, plan, type Run } from "./plans.ts";

const run: Run = golden.conv;
/** Of a net with BatchNormalization, one for each rank. */
const batches: Batch[] = batchesOf(run)
  .slice(0, 2)
  .map((fields, i) => ({ rows: run.batches[i]?.y.length ?? NaN, fields, seed: 0 }));

let built: StepPlan;
let sessions: Session[];
let executor: Executor;
beforeAll(async () => {
  built = await plan(await open("conv"), run.row);
  const models = await Promise.all([built.step, built.evaluate].map((model) => modelBytes(model)));
  // a runtime each, since one holds one session
  sessions = await Promise.all(models.map(async (model) => (await nodeRuntime()).load(model)));
  executor = of(true);
});
afterAll(async () => {
  for (const session of sessions) await session.release();
});

function of(simd: boolean): Executor {
  return sessionExecutor({
    layout: built.layout,
    step: async () => sessions[0] as Session,
    evaluate: async () => sessions[1] as Session,
    arena: simd ? arena : undefined,
  });
}

/** Gradients and next buffers of one batch. */
async function alone(vector: Float32Array, batch: Batch, by = executor): Promise<Float32Array> {
  const into = new Float32Array(built.layout.length);
  await by.gradients(vector, batch, { into, weight: 1 });
  return into;
}

test("a step of two ranks is one of SGD on their mean gradient, and the mean of their running statistics", async () => {
  const vector = await built.initial();
  const parts = await Promise.all(batches.map((batch) => alone(vector, batch)));
  const { parameters } = built.layout;
  const expected = vector.map((value, i) => {
    const mean = parts.reduce((sum, part) => sum + (part[i] ?? NaN) / 2, 0);
    return i < parameters ? value - 0.1 * mean : mean;
  });
  const made = world({
    worldSize: 2,
    layout: built.layout,
    vector,
    executor: () => executor,
    chunkBytes: 4096,
    trainer: (given) =>
      syncTrainer({
        ...given,
        optimizer: optimizerSettings({ type: "sgd", lr: 0.1 }),
        schedule: scheduleSettings("constant"),
        totalSteps: 1,
      }),
  });
  const globalRows = batches.reduce((sum, { rows }) => sum + rows, 0);
  const [metrics] = await train(made, 1, (step, rank) => ({
    step,
    globalRows,
    batches: batches.slice(rank, rank + 1),
  }));
  agreed(made);
  const found = made.trainers[0]?.replica.vector ?? new Float32Array();
  expect(distance(found, expected)).toBeLessThan(1e-6);
  expect(distance(found.subarray(parameters), vector.subarray(parameters))).toBeGreaterThan(0.01);
  const losses = await Promise.all(batches.map((batch) => executor.evaluate(vector, batch)));
  expect(losses.map(({ count }) => count)).toEqual(batches.map(({ rows }) => rows));
  expect(metrics?.[0]?.count).toBe(globalRows);
});

test("gradients are added up by weight, to the same bits with and without kernels", async () => {
  const vector = await built.initial();
  const [first, second] = batches;
  if (!first || !second) throw new Error("no batches");
  const sums = await Promise.all(
    [of(true), of(false)].map(async (by) => {
      const into = new Float32Array(built.layout.length + 3);
      await by.gradients(vector, first, { into, weight: 0.3 });
      await by.gradients(vector, second, { into, weight: 0.7 });
      return into;
    }),
  );
  expect(sums[0]).toEqual(sums[1]);
  const [a, b] = [await alone(vector, first), await alone(vector, second)];
  const expected = a.map((value, i) => 0.3 * value + 0.7 * (b[i] ?? NaN));
  expect(distance(sums[0]?.subarray(0, a.length), expected)).toBeLessThan(1e-6);
  expect(sums[0]?.subarray(a.length)).toEqual(new Float32Array(3));
});

test("the sink hears of every entry in the layout's order", async () => {
  const ends: number[] = [];
  const into = new Float32Array(built.layout.length);
  const [batch] = batches;
  if (!batch) throw new Error("no batch");
  await executor.gradients(await built.initial(), batch, {
    into,
    weight: 1,
    ready: (end) => ends.push(end),
  });
  expect(ends).toEqual(built.layout.entries.map(({ offset, length }) => offset + length));
});

test("an output that is missing or of another size is named", async () => {
  const [entry] = built.layout.entries;
  if (!entry) throw new Error("no entry");
  const layout = { ...built.layout, entries: [{ ...entry, length: entry.length + 1 }] };
  const wrong = sessionExecutor({
    layout,
    step: async () => ({
      ...(sessions[0] as Session),
      inputNames: [],
      run: async () => ({}),
    }),
    evaluate: async () => sessions[1] as Session,
  });
  const [batch] = batches;
  if (!batch) throw new Error("no batch");
  const into = new Float32Array(built.layout.length + 1);
  await expect(wrong.gradients(into, batch, { into, weight: 1 })).rejects.toThrow(
    `train: output "${entry.gradient}" of the step has no bytes, ${entry.length + 1} float32 need ${4 * entry.length + 4}`,
  );
});
