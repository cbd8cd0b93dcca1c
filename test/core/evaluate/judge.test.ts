/** @file Metrics against the losses of training, run by ONNX Runtime, and against figures worked out plainly. */
import { describe, expect, it } from "vitest";
import { Judge } from "../../../src/evaluate/judge.ts";
import {
  higherIsBetter,
  type Metric,
  METRIC_PATTERN,
  type MetricOptions,
} from "../../../src/evaluate/metric.ts";
import { DataType, elementCount } from "../../../src/onnx/data-type.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import { ForwardGraph } from "../../../src/train/forward-graph.ts";
import { type LossName, lossSettings } from "../../../src/train/losses/loss-options.ts";
import { emitLoss } from "../../../src/train/losses/loss.ts";
import { elements } from "../../../src/verify/elements.ts";
import { float32, model, uniform, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";

const ROWS = 23;
const CLASSES = 5;
const scores = uniform(ROWS * CLASSES, 3, 1);
const labels = Array.from({ length: ROWS }, (_, row) => (row * 7) % CLASSES);
const row = (index: number) => scores.slice(index * CLASSES, (index + 1) * CLASSES);
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Two batches, the second shorter. */
function judged(
  metrics: Metric[],
  {
    output = scores as ArrayLike<number>,
    row: shape = [CLASSES],
    label = int64(labels) as Labels,
    options = {} as MetricOptions,
  } = {},
): Record<string, number> {
  const judge = new Judge(metrics, options);
  const values = Array.from(output);
  const width = elementCount(shape);
  for (const [start, end] of [
    [0, 16],
    [16, ROWS],
  ] as const) {
    const part = values.slice(start * width, end * width);
    judge.add(float32([end - start, ...shape], part), label(start, end));
  }
  return judge.values();
}

/** What the loss of a training says of the same rows, in one batch. */
async function trained(type: LossName, output: HostTensor, label: HostTensor, options = {}) {
  const info = ({ dataType, dims }: HostTensor, name: string) =>
    valueInfo(name, dataType, ["batch", ...dims.slice(1)]);
  const graph = await ForwardGraph.of(
    model([], [info(output, "output"), info(label, "label")], [], [], 18),
    "wasm",
  );
  const settings = lossSettings({ type, ...options });
  const context = { emitter: graph.emitter, producer: () => undefined };
  const { loss, correct } = emitLoss(context, "output", "label", settings);
  graph.append();
  const names = correct === undefined ? [loss] : [loss, correct];
  graph.model.graph.outputs = names.map((name) => valueInfo(name, DataType.float32, []));
  const session = await nativeRuntime().load(await modelBytes(graph.model));
  const found = await session.run({ output, label });
  await session.release();
  return names.map((name) => elements(found[name] ?? output)[0] ?? NaN);
}

const int64 = (values: readonly number[]) => (start: number, end: number) => ({
  dataType: DataType.int64,
  dims: [end - start],
  bytes: new Uint8Array(BigInt64Array.from(values.slice(start, end).map(BigInt)).buffer),
});
type Labels = (start: number, end: number) => HostTensor;
/** A class for each of a row's places. */
const places = (shape: number[]) => (start: number, end: number) => {
  const count = elementCount(shape);
  const at = (i: number) => BigInt((i * 5 + Math.floor(i / 3)) % CLASSES);
  const all = BigInt64Array.from({ length: (end - start) * count }, (_, i) =>
    at(start * count + i),
  );
  return {
    dataType: DataType.int64,
    dims: [end - start, ...shape],
    bytes: new Uint8Array(all.buffer),
  };
};
const floats = (values: readonly number[], width: number) => (start: number, end: number) =>
  float32([end - start, width], values.slice(start * width, end * width));

/** Scores above the label's, and equal ones before it. */
function rank(index: number): number {
  const own = labels[index] ?? 0;
  const all = row(index);
  return all.filter((s, i) => s > (all[own] ?? 0) || (s === all[own] && i < own)).length;
}

const logLikelihood = (all: ArrayLike<number>, label: number) =>
  (all[label] ?? 0) - Math.log(Array.from(all).reduce((sum, s) => sum + Math.exp(s), 0));

it("shares and losses of classes are what they are by hand", () => {
  const found = judged(["accuracy", "top_1_accuracy", "top_3_accuracy", "cross_entropy"]);
  const right = (k: number) => mean(labels.map((_, index) => (rank(index) < k ? 1 : 0)));
  expect(found["accuracy"]).toBe(right(1));
  expect(found["top_1_accuracy"]).toBe(right(1));
  expect(found["top_3_accuracy"]).toBe(right(3));
  expect(right(3)).toBeGreaterThan(right(1));
  const loss = mean(labels.map((label, index) => -logLikelihood(row(index), label)));
  expect(found["cross_entropy"]).toBeCloseTo(loss, 12);
});

it("of equal scores the first is the higher one", () => {
  const output = new Float32Array(ROWS * CLASSES);
  const label = int64(labels.map((_, index) => (index < 3 ? 0 : 1)));
  const found = judged(["accuracy", "top_2_accuracy"], { output, label });
  expect(found).toEqual({ accuracy: 3 / ROWS, top_2_accuracy: 1 });
});

it("a label that is ignored counts nowhere, one that is no class is refused", () => {
  const label = int64(labels.map((each) => (each === 2 ? -1 : each)));
  const kept = labels.flatMap((each, index) => (each === 2 ? [] : [index]));
  const metrics = ["accuracy", "top_2_accuracy", "cross_entropy"] as Metric[];
  const found = judged(metrics, { label, options: { ignore_index: -1 } });
  expect(found["accuracy"]).toBe(mean(kept.map((i) => (rank(i) < 1 ? 1 : 0))));
  expect(found["top_2_accuracy"]).toBe(mean(kept.map((i) => (rank(i) < 2 ? 1 : 0))));
  const loss = mean(kept.map((i) => -logLikelihood(row(i), labels[i] ?? 0)));
  expect(found["cross_entropy"]).toBeCloseTo(loss, 12);
  expect(() => judged(metrics, { label })).toThrow("a label is -1, there are 5 classes");
});

it("a NaN is never the right answer", () => {
  const output = scores.slice().fill(NaN);
  expect(judged(["accuracy", "top_2_accuracy"], { output })).toEqual({
    accuracy: 0,
    top_2_accuracy: 0,
  });
});

describe("a metric that a training has as its loss says the same as the training", () => {
  const [whole, rest] = [scores.slice(0, ROWS * CLASSES), uniform(ROWS * CLASSES * 6, 3, 3)];
  const probabilities = Float32Array.from(whole, (score) => 1 / (1 + Math.exp(-score)));
  const shares = Float32Array.from(whole, (_, i) => {
    const all = row(Math.floor(i / CLASSES)).map(Math.exp);
    return (all[i % CLASSES] ?? 0) / all.reduce((a, b) => a + b, 0);
  });
  const wide = [CLASSES, 2, 3];
  const cases: [string, LossName, number[], Float32Array, Labels, MetricOptions?][] = [
    ["of logits", "cross_entropy", [CLASSES], whole, int64(labels)],
    ["of probabilities", "cross_entropy", [CLASSES], shares, int64(labels), { from_logits: false }],
    ["of soft labels", "cross_entropy", [CLASSES], whole, floats(Array.from(shares), CLASSES)],
    ["of pictures' places", "cross_entropy", wide, rest, places([2, 3])],
    ["of a last axis", "cross_entropy", [6, CLASSES], rest, places([6])],
    [
      "from others",
      "kl_divergence",
      [CLASSES],
      whole,
      floats(Array.from(shares).toReversed(), CLASSES),
    ],
    ["of ones and zeros", "binary_cross_entropy", [1], whole, int64(labels.map((l) => l % 2))],
    [
      "of probabilities",
      "binary_cross_entropy",
      [CLASSES],
      probabilities,
      floats(Array.from(shares), CLASSES),
      { from_logits: false },
    ],
    ["of numbers", "mse", [CLASSES], whole, floats(Array.from(shares), CLASSES)],
    ["of numbers", "l1", [CLASSES], whole, floats(Array.from(shares), CLASSES)],
    ["of numbers", "huber", [CLASSES], whole, floats(Array.from(shares), CLASSES), { delta: 0.7 }],
  ];
  it.each(cases)("%s: %s of rows [%s]", async (_, type, shape, output, label, options = {}) => {
    const values = output.slice(0, ROWS * elementCount(shape));
    const batch = float32([ROWS, ...shape], values);
    const [loss = NaN, correct] = await trained(type, batch, label(0, ROWS), options);
    const metrics = correct === undefined ? [type] : [type, "accuracy" as const];
    const found = judged(metrics, { output: values, row: shape, label, options });
    expect(found[type]).toBeCloseTo(loss, 5);
    expect(Math.abs(loss)).toBeGreaterThan(0.01);
    if (correct === undefined || (type === "binary_cross_entropy" && shape[0] !== 1)) return;
    const positions = elementCount(label(0, ROWS).dims.slice(0, 3));
    const counted = type === "cross_entropy" && shape.length === 1 ? ROWS : positions;
    expect((found["accuracy"] ?? 0) * counted).toBeCloseTo(correct, 5);
  });
});

it("shapes that do not fit are refused with both", () => {
  const label = floats(Array.from(scores), 2);
  expect(() => judged(["top_2_accuracy"], { label })).toThrow(/\[5\], a row of the label \[2\]/);
  expect(() => judged(["mse"], { label })).toThrow(/\[5\], a row of the label \[2\]/);
});

it("a metric's name says what it is, and which way it is better", () => {
  for (const name of ["accuracy", "top_5_accuracy", "mse", "cross_entropy"]) {
    expect(METRIC_PATTERN.test(name)).toBe(true);
  }
  for (const name of ["top_0_accuracy", "top_accuracy", "xaccuracy", "mse2", "output:x"]) {
    expect(METRIC_PATTERN.test(name)).toBe(false);
  }
  expect(["accuracy", "top_2_accuracy", "mse"].map(higherIsBetter)).toEqual([true, true, false]);
});
