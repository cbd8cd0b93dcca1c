/** @file The programs of the tasks that read rows, against figures worked out here; natively and in wasm. */
import { describe, expect, it } from "vitest";
import { makeNode } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { performOn } from "../../../src/runner/perform.ts";
import type { Task } from "../../../src/runner/protocol.ts";
import { RESULTS } from "../../../src/runner/results.ts";
import { TaskFault, type TaskKit } from "../../../src/runner/runner.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";

const ROWS = 10;
const WIDTH = 3;
const rows = uniform(ROWS * WIDTH, 2, 1);
const runtimes = { native: nativeRuntime(), wasm: await nodeRuntime() };

const x = valueInfo("x", DataType.float32, ["batch", WIDTH]);
const scalar = (name: string) => valueInfo(name, DataType.float32, []);

/** y = |x| · x, so that both signs and sizes matter. */
const signed = model(
  [makeNode("Abs", ["x"], ["a"]), makeNode("Mul", ["a", "x"], ["y"])],
  [x],
  [valueInfo("y", DataType.float32, ["batch", WIDTH])],
);

/** The loss is the mean of x, `correct` counts what is above zero. */
const judged = model(
  [
    makeNode("ReduceMean", ["x"], ["m"]),
    makeNode("Squeeze", ["m"], ["hone.loss"]),
    makeNode("Sign", ["x"], ["s"]),
    makeNode("Relu", ["s"], ["p"]),
    makeNode("ReduceSum", ["p"], ["n"]),
    makeNode("Squeeze", ["n"], ["hone.correct"]),
    makeNode("Abs", ["x"], ["a"]),
    makeNode("Sign", ["a"], ["ones"]),
    makeNode("ReduceSum", ["ones"], ["k"]),
    makeNode("Squeeze", ["k"], ["hone.count"]),
  ],
  [x],
  [scalar("hone.loss"), scalar("hone.correct"), scalar("hone.count")],
);

async function perform(
  runtime: keyof typeof runtimes,
  kind: "evaluate" | "calibrate",
  graph: Model,
  spec: Record<string, unknown> = {},
  values: Float32Array = rows,
) {
  const bytes: Record<string, Uint8Array> = {
    model: await modelBytes(graph),
    x: new Uint8Array(values.slice().buffer),
  };
  const source = (name: string) => ({
    url: name,
    bytes: bytes[name]?.length ?? 0,
    sha256: "0".repeat(64),
  });
  const task: Task = {
    id: "task",
    kind,
    lease: 1,
    spec: {
      feeds: { x: { source: "x", data_type: DataType.float32, shape: [WIDTH] } },
      rows: ROWS,
      batch: 4,
      ...spec,
    },
    sources: { model: source("model"), x: source("x") },
    targets: {},
  };
  const kit: TaskKit = {
    signal: new AbortController().signal,
    onProgress: () => undefined,
    read: async ({ url }, range) =>
      new Uint8Array(bytes[url]?.slice(range?.start, range?.end) ?? []),
    write: async () => undefined,
  };
  const device = { backend: "cpu" as const, name: "here", runtime: runtimes[runtime] };
  return RESULTS[kind].parse(await performOn([device])(task, kit));
}

describe.each(["native", "wasm"] as const)("%s", (runtime) => {
  it("evaluate weighs batches by their count, the last and shorter one too", async () => {
    const result = await perform(runtime, "evaluate", judged);
    const mean = rows.reduce((sum, value) => sum + value, 0) / rows.length;
    const above = rows.filter((value) => value > 0).length / rows.length;
    expect(result).toMatchObject({ backend: "cpu", rows: ROWS });
    expect(result).toHaveProperty("loss", expect.closeTo(mean, 6));
    expect(result).toHaveProperty("accuracy", expect.closeTo(above, 6));
  });

  it("evaluate says nothing of a loss or a share that the model does not give", async () => {
    const result = await perform(runtime, "evaluate", signed);
    expect(result).toMatchObject({ loss: null, accuracy: null });
  });

  it("calibrate finds the range of every output, and counts its values by steps of it", async () => {
    const values = Array.from(rows, (value) => Math.fround(Math.abs(value) * value));
    const bins = 8;
    const result = (await perform(runtime, "calibrate", signed, { bins })) as {
      values: Record<string, { min: number; max: number; histogram: number[] }>;
    };
    const { min = NaN, max = NaN, histogram = [] } = result.values["y"] ?? {};
    expect(min).toBeCloseTo(Math.min(...values), 5);
    expect(max).toBeCloseTo(Math.max(...values), 5);
    const limit = Math.max(-min, max);
    const expected = Array.from({ length: bins }, () => 0);
    for (const value of values) {
      const bin = Math.min(bins - 1, Math.floor(((value + limit) / (2 * limit)) * bins));
      expected[bin] = (expected[bin] ?? 0) + 1;
    }
    expect(histogram).toEqual(expected);
    expect((await perform(runtime, "calibrate", signed)) as object).not.toHaveProperty(
      "values.y.histogram",
    );
  });

  it("NaN is the task's fault, in a loss and in a range", async () => {
    const broken = rows.slice();
    broken[5] = NaN;
    for (const [kind, graph] of [
      ["evaluate", judged],
      ["calibrate", signed],
    ] as const) {
      await expect(perform(runtime, kind, graph, {}, broken)).rejects.toThrow(TaskFault);
    }
  });

  it("a spec that does not fit is the task's fault, and names the field", async () => {
    await expect(perform(runtime, "evaluate", judged, { batch: 0 })).rejects.toThrow(/batch/);
    const feeds = { x: { source: "none", data_type: 1, shape: [WIDTH] } };
    await expect(perform(runtime, "calibrate", signed, { feeds })).rejects.toThrow(/"none"/);
  });
});
