/** @file Differentiating small models, running the result in ONNX Runtime, and holding it against golden gradients. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import type { Target } from "../../../src/autodiff/rule.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode } from "../../../src/graph/build.ts";
import type { DataType } from "../../../src/onnx/data-type.ts";
import type { Model, ValueInfo } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { HostTensor, Runtime } from "../../../src/runtime/runtime.ts";
import { nativeRuntime } from "../runtime/native.ts";

interface Packed {
  type: number;
  dims: number[];
  /** Base64 of the raw little-endian bytes. */
  data: string;
}

/** Written by goldens/cases.py. */
export interface GradientCase {
  name: string;
  model: string;
  inputs: Record<string, Packed>;
  output: string;
  value: Packed;
  cotangent: Packed;
  gradients: Record<string, Packed & { error: number }>;
  batch: string[];
}

export function readCases(file: string): GradientCase[] {
  return JSON.parse(readFileSync(`${import.meta.dirname}/goldens/${file}`, "utf8"));
}

export const runtimes: Record<"wasm" | "native" | "native with 2 threads", Runtime> = {
  wasm: await nodeRuntime(),
  native: nativeRuntime(),
  "native with 2 threads": nativeRuntime(2),
};

export const unpack = ({ type, dims, data }: Packed): HostTensor => ({
  dataType: type as DataType,
  dims,
  bytes: new Uint8Array(Buffer.from(data, "base64")),
});

export const float32s = (tensor: HostTensor): Float32Array => {
  expect(tensor.dataType).toBe(1);
  return new Float32Array(tensor.bytes.slice().buffer);
};

/** A gradient's error is at most this many times that of torch in float32. */
export const TORCH_FACTOR = 4;
/** For single ops, whose error in torch is often 0, a few roundings of the largest element are allowed. */
const ROUNDINGS = 2e-6;
const ruleBound = (torchError: number): number => Math.max(TORCH_FACTOR * torchError, ROUNDINGS);

/** Appends loss = Σ output·cotangent. */
function withLoss(model: Model, output: string, cotangentDims: number[]): void {
  const { graph } = model;
  graph.nodes.push(
    makeNode("Mul", [output, "cotangent"], ["weighted"]),
    makeNode("ReduceSum", ["weighted"], ["loss"], { attributes: [makeInt("keepdims", 0)] }),
  );
  const info = (name: string, shape: number[]): ValueInfo => ({
    name,
    type: { kind: "tensor", elementType: 1, shape },
  });
  graph.inputs.push(info("cotangent", cotangentDims));
  graph.outputs.push(info("loss", []));
}

/**
 * Runs one case: value and every gradient agree with torch's in float64.
 * @param isSymbolic the first axis of the inputs in `batch` has no known size while the model is differentiated
 */
export async function checkCase(
  golden: GradientCase,
  runtime: Runtime,
  options: {
    isSymbolic?: boolean;
    target?: Target;
    /** Bound of a gradient's error, given torch's. */
    bound?: (torchError: number) => number;
  } = {},
): Promise<void> {
  const { isSymbolic = false, target = "wasm", bound = ruleBound } = options;
  const model = await readModel(
    new MemorySource(new Uint8Array(Buffer.from(golden.model, "base64"))),
  );
  withLoss(model, golden.output, golden.cotangent.dims);
  if (isSymbolic) {
    for (const { name, type } of model.graph.inputs) {
      if (type?.kind === "tensor" && golden.batch.includes(name)) type.shape?.splice(0, 1, "batch");
    }
    for (const { name, type } of model.graph.outputs) {
      if (type?.kind === "tensor" && name !== "loss") type.shape = undefined;
    }
  }
  const parameters = Object.keys(golden.gradients);
  const normalised = await normalise(model);
  const differentiated = await differentiate(normalised, {
    loss: "loss",
    parameters,
    target,
  });
  const session = await runtime.load(await modelBytes(differentiated.model));
  try {
    const feeds: Record<string, HostTensor> = {};
    for (const [name, packed] of Object.entries({
      ...golden.inputs,
      cotangent: golden.cotangent,
    })) {
      if (session.inputNames.includes(name)) feeds[name] = unpack(packed);
    }
    for (const [name, { dataType, dims, data }] of normalised.graph.initializers) {
      if (parameters.includes(name)) feeds[name] ??= { dataType, dims, bytes: await readAll(data) };
    }
    const outputs = await session.run(feeds);
    const read = (name: string): HostTensor => {
      const tensor = outputs[name];
      if (!tensor) throw new Error(`no output ${name}`);
      return tensor;
    };
    compare("value", read(golden.output), golden.value, ruleBound(0));
    for (const [parameter, expected] of Object.entries(golden.gradients)) {
      const name = differentiated.gradients.get(parameter) ?? "";
      compare(`gradient of ${parameter}`, read(name), expected, bound(expected.error));
    }
  } finally {
    await session.release();
  }
}

/** The largest difference is at most `bound` times the largest magnitude. */
function compare(what: string, tensor: HostTensor, expected: Packed, bound: number): void {
  expect(tensor.dims, what).toEqual(expected.dims);
  const [got, want] = [float32s(tensor), float32s(unpack(expected))];
  let largest = 0;
  let difference = 0;
  want.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    const distance = Math.abs(value - (got[i] ?? Number.NaN));
    difference = Number.isNaN(distance) ? Infinity : Math.max(difference, distance);
  });
  const texts = [got, want].map((values) => values.slice(0, 8).join(", "));
  expect(difference, `${what}: ${texts.join(" for ")}`).toBeLessThanOrEqual(bound * largest);
}
