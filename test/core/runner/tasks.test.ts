/** @file The programs of the tasks that read rows, against figures worked out here; natively and in wasm. */
import { describe, expect, it } from "vitest";
import { MemoryRows } from "../../../src/data/rows.ts";
import { splitRows } from "../../../src/data/split.ts";
import { makeNode } from "../../../src/graph/build.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { performOn } from "../../../src/runner/perform.ts";
import type { Task } from "../../../src/runner/protocol.ts";
import { RESULTS } from "../../../src/runner/results.ts";
import { TaskFault, type TaskKit } from "../../../src/runner/task-kit.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import { model, uniform, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";

const ROWS = 10;
const WIDTH = 3;
const rows = uniform(ROWS * WIDTH, 2, 1);
const runtimes = { native: nativeRuntime(), wasm: await nodeRuntime() };

const x = valueInfo("x", DataType.float32, ["batch", WIDTH]);

/** y = |x| · x, so that both signs and sizes matter. */
const signed = model(
  [makeNode("Abs", ["x"], ["a"]), makeNode("Mul", ["a", "x"], ["y"])],
  [x],
  [valueInfo("y", DataType.float32, ["batch", WIDTH])],
);

/** The same for four rows at once and no other number. */
const fixed = model(
  [makeNode("Abs", ["x"], ["a"]), makeNode("Mul", ["a", "x"], ["y"])],
  [valueInfo("x", DataType.float32, [4, WIDTH])],
  [valueInfo("y", DataType.float32, [4, WIDTH])],
);

const folded = model(
  [makeNode("ReduceMean", ["x"], ["y"])],
  [x],
  [valueInfo("y", DataType.float32, [1, 1])],
);

const labels = Array.from({ length: ROWS }, (_, row) => BigInt(row % WIDTH));
const pixels = Uint8Array.from({ length: ROWS * WIDTH }, (_, i) => (i * 37) % 256);

/** Of y, which has the order of x. */
function best(row: number): number {
  const own = Array.from(rows.slice(row * WIDTH, (row + 1) * WIDTH));
  return own.indexOf(Math.max(...own));
}

const judged = {
  output: "y",
  metrics: ["accuracy"],
  feeds: {
    x: { source: "x", data_type: DataType.float32, shape: [WIDTH] },
    "hone.label": { source: "label", data_type: DataType.int64, shape: [] },
  },
};
interface Evaluated {
  metrics: Record<string, number>;
}

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
    pixels,
    label: new Uint8Array(BigInt64Array.from(labels).buffer),
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
    sources: Object.fromEntries(Object.keys(bytes).map((name) => [name, source(name)])),
    targets: {},
  };
  const kit: TaskKit = {
    signal: new AbortController().signal,
    onProgress: () => undefined,
    read: async ({ url }, range) =>
      new Uint8Array(bytes[url]?.slice(range?.start, range?.end) ?? []),
    openLine: async () => {
      throw new Error("there is no rank");
    },
    kernels: kernelModule,
    write: async () => undefined,
  };
  const device = { backend: "cpu" as const, name: "here", runtime: runtimes[runtime] };
  return RESULTS[kind].parse(await performOn([device])(task, kit));
}

interface Calibrated {
  inputs: string;
  values: Record<string, { min: number; max: number; low: number; high: number }>;
  unusable: Record<string, string>;
}

/** Of `signed`, whose Mul is quantized by default, its Abs is not. */
async function calibrated(
  runtime: keyof typeof runtimes,
  spec: Record<string, unknown>,
  values: Float32Array = rows,
) {
  const data = {
    feeds: { x: { source: "x", data_type: DataType.float32, shape: [WIDTH] } },
    rows: ROWS,
    batch: 4,
  };
  const found = await perform(runtime, "calibrate", signed, { data, ...spec }, values);
  return { data, found: found as unknown as Calibrated };
}

describe.each(["native", "wasm"] as const)("%s", (runtime) => {
  it("evaluate judges every row once, the last and shorter batch's too", async () => {
    const right = labels.filter((label, row) => best(row) === Number(label)).length;
    expect(right).toBeGreaterThan(0);
    expect(await perform(runtime, "evaluate", signed, judged)).toEqual({
      backend: "cpu",
      rows: ROWS,
      metrics: { accuracy: expect.closeTo(right / ROWS, 6) },
    });
  });

  it("a model of fixed batch size gets the last batch filled up, and those rows do not count", async () => {
    const spec = { ...judged, pad: true };
    expect(await perform(runtime, "evaluate", fixed, spec)).toEqual(
      await perform(runtime, "evaluate", signed, judged),
    );
  });

  it("rows are fed in the input's type, multiplied by the scale", async () => {
    const feed = {
      source: "pixels",
      data_type: DataType.uint8,
      shape: [WIDTH],
      as: DataType.float32,
      scale: 1 / 255,
    };
    const { feeds, ...rest } = judged;
    const spec = { ...rest, metrics: ["mse"], feeds: { ...feeds, x: feed, "hone.label": feed } };
    const { metrics } = (await perform(runtime, "evaluate", signed, spec)) as Evaluated;
    const squares = Array.from(pixels, (pixel) => ((pixel / 255) ** 2 - pixel / 255) ** 2);
    expect(metrics["mse"]).toBeCloseTo(squares.reduce((a, b) => a + b) / squares.length, 6);
  });

  it("a split's rows are those that a training would measure on", async () => {
    const split = { of: ROWS, fraction: 0.3, seed: 5 };
    const source = new MemoryRows(
      { rows: ROWS, fields: [{ name: "row", dtype: "uint8", shape: [] }] },
      new Map([["row", Uint8Array.from({ length: ROWS }, (_, row) => row)]]),
    );
    const held = await splitRows(source, split.fraction, split.seed).validation.read("row", 0, 3);
    const { x: input, ...others } = judged.feeds;
    const feeds = { ...others, x: input, "hone.label": input };
    const spec = { ...judged, feeds, metrics: ["mse"], rows: 3, split };
    const squares = Array.from(held, (row) =>
      Array.from(rows.slice(row * WIDTH, (row + 1) * WIDTH), (v) => (Math.abs(v) * v - v) ** 2),
    ).flat();
    expect(await perform(runtime, "evaluate", signed, spec)).toHaveProperty(
      "metrics.mse",
      expect.closeTo(squares.reduce((a, b) => a + b) / squares.length, 5),
    );
  });

  it("an output that has not one row for each of the batch is the task's fault", async () => {
    await expect(perform(runtime, "evaluate", folded, judged)).rejects.toThrow(/one row for each/);
  });

  it("calibrate finds the range of each value that is to be quantized, on all rows", async () => {
    const products = Array.from(rows, (value) => Math.fround(Math.abs(value) * value));
    const { data, found } = await calibrated(runtime, { label: "rows of a test" });
    expect(found).toMatchObject({
      inputs: "rows of a test",
      made_up: false,
      runs: 3,
      unusable: {},
    });
    expect(Object.keys(found.values).toSorted()).toEqual(["a", "x", "y"]);
    for (const [name, values] of [
      ["x", [...rows]],
      ["y", products],
    ] as const) {
      const [min, max] = [Math.min(...values), Math.max(...values)];
      expect(found.values[name]).toEqual({ min, max, low: min, high: max });
    }
    const { found: cut } = await calibrated(runtime, {
      data,
      calibrate_method: "percentile",
      percentile: 50,
      calibration_bins: 512,
    });
    const { max = NaN, high = NaN } = cut.values["y"] ?? {};
    expect(high).toBeLessThan(max / 2);
    expect(high).toBeGreaterThan(max / 10);
  });

  it("calibrate makes inputs up where it is given none", async () => {
    const { found } = await calibrated(runtime, { data: undefined });
    expect(found).toMatchObject({ inputs: "made up, 2", made_up: true });
  });

  it("a value that is NaN has no range, and says why", async () => {
    const broken = rows.slice();
    broken[5] = NaN;
    const { found } = await calibrated(runtime, {}, broken);
    expect(found.values).toEqual({});
    expect(Object.keys(found.unusable).toSorted()).toEqual(["a", "x", "y"]);
    expect(found.unusable["y"]).toMatch(/NaN or Inf/);
  });

  it("NaN in a loss is the task's fault", async () => {
    const broken = rows.slice();
    broken[5] = NaN;
    const spec = { ...judged, metrics: ["cross_entropy"] };
    await expect(perform(runtime, "evaluate", signed, spec, broken)).rejects.toThrow(TaskFault);
  });

  it("a spec that does not fit is the task's fault, and names the field", async () => {
    await expect(perform(runtime, "evaluate", signed, { ...judged, batch: 0 })).rejects.toThrow(
      /batch/,
    );
    const feeds = { x: { source: "none", data_type: 1, shape: [WIDTH] } };
    await expect(perform(runtime, "evaluate", signed, { ...judged, feeds })).rejects.toThrow(
      /"none"/,
    );
    await expect(calibrated(runtime, { calibrate_method: "mean" })).rejects.toThrow(
      /calibrate_method/,
    );
    const unknown = calibrated(runtime, { op_types_to_quantize: ["Mull"] });
    await expect(unknown).rejects.toThrow(/no op type "Mull"; nearest: "Mul"/);
    await expect(unknown).rejects.toThrow(TaskFault);
  });
});
