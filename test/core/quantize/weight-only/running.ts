/** @file Quantizing small models and running them in ONNX Runtime. */
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { cloneModel } from "../../../../src/graph/clone.ts";
import { checkModel } from "../../../../src/graph/check.ts";
import type { PassReport } from "../../../../src/graph/report.ts";
import { Arena } from "../../../../src/kernels/arena.ts";
import { kernelModule } from "../../../../src/kernels/node.ts";
import { DataType, elementCount } from "../../../../src/onnx/data-type.ts";
import type { Model } from "../../../../src/onnx/model.ts";
import { readModel } from "../../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import { modelBytes } from "../../../../src/onnx/write-model.ts";
import { OPERATORS } from "../../../../src/compress/operator-table.ts";
import {
  quantizeWeightOnly,
  type WeightOnlyOptions,
} from "../../../../src/quantize/weight-only.ts";
import { nodeRuntime } from "../../../../src/runtime/node.ts";
import type { HostTensor } from "../../../../src/runtime/runtime.ts";
import { uniform } from "../../runtime/models.ts";

const wasm = await nodeRuntime();

/** Kernels with scratch memory of their own. */
export const newArena = async (maxBytes = 24 << 20): Promise<Arena> =>
  await Arena.create(await kernelModule(), maxBytes);
const arena = await newArena();

export interface Quantized {
  /** As written and read again. */
  model: Model;
  bytes: Uint8Array;
  report: PassReport;
}

/** Quantizes a copy of the model, writes it, and reads and checks what was written. */
export async function quantized(
  original: Model,
  options: WeightOnlyOptions,
  scratch = arena,
): Promise<Quantized> {
  const model = cloneModel(original);
  const report = await quantizeWeightOnly(model, options, scratch);
  const bytes = await modelBytes(model);
  const written = await readModel(new MemorySource(bytes));
  checkModel(written, OPERATORS);
  return { model: written, bytes, report };
}

/** Seeded inputs; integers are ids below 8. */
export function feeds(model: Model, rows = 3): Record<string, HostTensor> {
  const entries = model.graph.inputs.map(({ name, type }, seed): [string, HostTensor] => {
    if (type?.kind !== "tensor") throw new TypeError(`input ${name}`);
    const dims = (type.shape ?? []).map((dim) => (typeof dim === "number" ? dim : rows));
    const values = uniform(elementCount(dims), 1, seed + 5);
    if (type.elementType === DataType.int64) {
      const ids = BigInt64Array.from(values, (value) => BigInt(Math.floor((value + 1) * 4)));
      return [name, { dataType: DataType.int64, dims, bytes: new Uint8Array(ids.buffer) }];
    }
    if (type.elementType === DataType.bool) {
      return [name, { dataType: DataType.bool, dims, bytes: Uint8Array.of(1) }];
    }
    return [name, { dataType: DataType.float32, dims, bytes: new Uint8Array(values.buffer) }];
  });
  return Object.fromEntries(entries);
}

/** The outputs' numbers in onnxruntime-web's wasm. */
export async function wasmOutputs(
  bytes: Uint8Array,
  inputs: Record<string, HostTensor>,
): Promise<Float32Array[]> {
  const session = await wasm.load(bytes);
  const outputs = await session.run(inputs);
  const numbers = session.outputNames.map(
    (name) => new Float32Array((outputs[name]?.bytes ?? new Uint8Array()).slice().buffer),
  );
  await session.release();
  return numbers;
}

/** The same in the native CPU back end. */
export async function nativeOutputs(
  bytes: Uint8Array,
  inputs: Record<string, HostTensor>,
): Promise<Float32Array[]> {
  const session = await InferenceSession.create(bytes, {
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
  });
  const given = Object.entries(inputs).map(([name, { dataType, dims, bytes: raw }]) => {
    const { buffer } = raw.slice();
    if (dataType === DataType.int64)
      return [name, new OrtTensor("int64", new BigInt64Array(buffer), dims)];
    if (dataType === DataType.bool)
      return [name, new OrtTensor("bool", new Uint8Array(buffer), dims)];
    return [name, new OrtTensor("float32", new Float32Array(buffer), dims)];
  });
  const outputs = await session.run(Object.fromEntries(given));
  const numbers = session.outputNames.map((name) =>
    Float32Array.from(outputs[name]?.data as Float32Array),
  );
  await session.release();
  return numbers;
}

/** 10·log10(Σa² / Σ(a − b)²) in dB over all outputs; Infinity where they are equal. */
export function sqnr(expected: readonly Float32Array[], actual: readonly Float32Array[]): number {
  let signal = 0;
  let error = 0;
  expected.forEach((values, output) => {
    const others = actual[output];
    if (others?.length !== values.length) throw new RangeError(`output ${output} has another size`);
    values.forEach((value, i) => {
      signal += value * value;
      error += (value - (others[i] ?? NaN)) ** 2;
    });
  });
  if (!(signal > 0)) throw new RangeError("the outputs are all zero");
  return 10 * Math.log10(signal / error);
}
