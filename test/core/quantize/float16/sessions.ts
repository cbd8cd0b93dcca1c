/** @file Runs a model in ONNX Runtime, natively and in WebAssembly, with numbers in and out. */
import { DataType, dataTypeName, elementCount } from "../../../../src/onnx/data-type.ts";
import { readModel } from "../../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import { nodeRuntime } from "../../../../src/runtime/node.ts";
import type { HostTensor, Runtime } from "../../../../src/runtime/runtime.ts";
import { nativeRuntime } from "../../runtime/native.ts";

export const RUNTIMES: readonly (readonly [string, Runtime])[] = [
  ["native", nativeRuntime()],
  ["WebAssembly", await nodeRuntime()],
];

/** Inputs by name, whatever their type in the model. */
export type Numbers = Record<string, { dims: number[]; numbers: number[] }>;

/** Runs the model on inputs in the types that it declares. */
export async function run(
  runtime: Runtime,
  model: Uint8Array,
  inputs: Numbers,
): Promise<Record<string, number[]>> {
  const { graph } = await readModel(new MemorySource(model));
  const feeds: Record<string, HostTensor> = {};
  for (const { name, type } of graph.inputs) {
    const input = inputs[name];
    if (!input || type?.kind !== "tensor") continue;
    const dataType = type.elementType as DataType;
    feeds[name] = { dataType, dims: input.dims, bytes: encode(dataType, input.numbers) };
  }
  const session = await runtime.load(model);
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, { dataType, bytes }]) => [name, decode(dataType, bytes)]),
    );
  } finally {
    await session.release();
  }
}

function encode(dataType: DataType, numbers: readonly number[]): Uint8Array {
  switch (dataType) {
    case DataType.float32:
      return new Uint8Array(Float32Array.from(numbers).buffer);
    case DataType.float16:
      return new Uint8Array(Float16Array.from(numbers).buffer);
    case DataType.int64:
      return new Uint8Array(BigInt64Array.from(numbers, (number) => BigInt(number)).buffer);
    case DataType.bool:
      return Uint8Array.from(numbers);
    default:
      throw new TypeError(`test: no input of ${dataTypeName(dataType)}`);
  }
}

function decode(dataType: DataType, bytes: Uint8Array): number[] {
  const { buffer } = bytes.slice();
  switch (dataType) {
    case DataType.float32:
      return Array.from(new Float32Array(buffer));
    case DataType.float16:
      return Array.from(new Float16Array(buffer));
    case DataType.int64:
      return Array.from(new BigInt64Array(buffer), Number);
    default:
      throw new TypeError(`test: no output of ${dataTypeName(dataType)}`);
  }
}

/** Seeded inputs, overridable ones left out: uniform in ±1, 0, 1, 2, … for integers, true. */
export async function inputsFor(
  model: Uint8Array,
  dimsOf: (name: string, dims: (number | undefined)[]) => number[] = (_, dims) =>
    dims.map((dim) => dim ?? 3),
): Promise<Numbers> {
  const { graph } = await readModel(new MemorySource(model));
  let state = 1;
  const uniform = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 2 ** 30 - 1;
  const inputs: Numbers = {};
  for (const { name, type } of graph.inputs) {
    if (type?.kind !== "tensor" || graph.initializers.has(name)) continue;
    const known = (type.shape ?? []).map((dim) => (typeof dim === "number" ? dim : undefined));
    const dims = dimsOf(name, known);
    const numbers = Array.from({ length: elementCount(dims) }, (_, i) =>
      type.elementType === DataType.int64 ? i : type.elementType === DataType.bool ? 1 : uniform(),
    );
    inputs[name] = { dims, numbers };
  }
  return inputs;
}

/** max |a − b| over max |a|; infinite where lengths, NaN or Inf differ. */
export function relativeError(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Infinity;
  let scale = 0;
  let worst = 0;
  a.forEach((value, i) => {
    const other = b[i] ?? NaN;
    scale = Math.max(scale, Math.abs(value));
    if (Object.is(value, other)) return;
    if (!Number.isFinite(value) || !Number.isFinite(other)) worst = Infinity;
    worst = Math.max(worst, Math.abs(value - other));
  });
  return worst === 0 ? 0 : worst / scale;
}
