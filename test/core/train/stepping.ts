/** @file Running a step plan in tests: feeds from a vector and a batch, results in the layout's order. */
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor, Runtime } from "../../../src/runtime/runtime.ts";
import { entryValues, type Layout } from "../../../src/train/layout.ts";

const ARRAYS = {
  float32: Float32Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const;
export type TestType = keyof typeof ARRAYS;

export function tensor(dtype: TestType, dims: number[], values: ArrayLike<number>): HostTensor {
  const numbers = Array.from(values);
  const data =
    dtype === "int64" ? BigInt64Array.from(numbers, BigInt) : ARRAYS[dtype].from(numbers);
  return { dataType: DataType[dtype], dims, bytes: new Uint8Array(data.buffer) };
}

export const floats = (value: HostTensor | undefined): Float32Array =>
  new Float32Array((value?.bytes ?? new Uint8Array()).slice().buffer);

export type Feeds = Record<string, HostTensor>;

export function vectorFeeds(layout: Layout, vector: Float32Array): Feeds {
  return Object.fromEntries(
    layout.entries.map((entry) => [
      entry.name,
      tensor("float32", entry.dims, entryValues(vector, entry)),
    ]),
  );
}

/** Runs a model once, feeding what it has inputs for. */
export async function run(runtime: Runtime, model: Model, feeds: Feeds): Promise<Feeds> {
  const session = await runtime.load(await modelBytes(model));
  try {
    const wanted = session.inputNames.map((name) => [name, feeds[name]] as const);
    return await session.run(
      Object.fromEntries(wanted.filter(([, value]) => value !== undefined)) as Feeds,
    );
  } finally {
    await session.release();
  }
}

/** Runs many steps in one session: `advance` changes the vector by the gradients. */
export async function train(
  runtime: Runtime,
  step: Model,
  layout: Layout,
  vector: Float32Array,
  batches: readonly Feeds[],
  learningRate: number,
): Promise<number[]> {
  const session = await runtime.load(await modelBytes(step));
  const losses: number[] = [];
  try {
    for (const batch of batches) {
      const outputs = await session.run({ ...vectorFeeds(layout, vector), ...batch });
      losses.push(floats(outputs["hone.loss"])[0] ?? NaN);
      sgdStep(layout, vector, outputs, learningRate);
    }
  } finally {
    await session.release();
  }
  return losses;
}

/** Plain SGD; buffers take their next values. */
function sgdStep(layout: Layout, vector: Float32Array, outputs: Feeds, lr: number): void {
  for (const entry of layout.entries) {
    const values = entryValues(vector, entry);
    const next = floats(outputs[entry.gradient]);
    if (entry.kind === "buffer") values.set(next);
    else next.forEach((g, i) => (values[i] = (values[i] ?? 0) - lr * g));
  }
}

/** The largest difference, relative to the largest magnitude of `right`. */
export function relativeError(ours: ArrayLike<number>, right: ArrayLike<number>): number {
  if (ours.length !== right.length) return Infinity;
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < right.length; i++) {
    largest = Math.max(largest, Math.abs(right[i] ?? NaN));
    worst = Math.max(worst, Math.abs((ours[i] ?? NaN) - (right[i] ?? NaN)));
  }
  return largest === 0 ? worst : worst / largest;
}
