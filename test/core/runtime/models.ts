/** @file Small models whose answers are known, made here: weights are seeded. */
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { DataType } from "../../../src/onnx/data-type.ts";

import type { Dimension, Model, Node, Tensor, ValueInfo } from "../../../src/onnx/model.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";

export function valueInfo(name: string, elementType: number, shape?: Dimension[]): ValueInfo {
  return { name, type: { kind: "tensor", elementType, shape } };
}

export function model(
  nodes: Node[],
  inputs: ValueInfo[],
  outputs: ValueInfo[],
  initializers: Tensor[] = [],
  opset = 21,
): Model {
  return {
    irVersion: 10,
    opsetImports: [{ domain: "", version: opset }],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    metadata: [],
    functions: [],
    graph: {
      name: "g",
      docString: "",
      nodes,
      initializers: new Map(initializers.map((tensor) => [tensor.name, tensor])),
      sparseInitializers: [],
      inputs,
      outputs,
      valueInfos: [],
      metadata: [],
    },
  };
}

/** Uniform in [-scale, scale), by a linear congruential generator. */
export function uniform(count: number, scale: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state / 2 ** 31 - 1) * scale;
  }
  return values;
}

export function float32(dims: number[], values: ArrayLike<number>): HostTensor {
  return { dataType: 1, dims, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

/** y = x · w₀ · w₁ ·…, with `layers` square matrices of `width`: `layers · width² · 4` bytes of weights. */
export async function chain(layers: number, width: number): Promise<Uint8Array> {
  const weights: Tensor[] = [];
  const nodes: Node[] = [];
  for (let i = 0; i < layers; i++) {
    const values = uniform(width * width, 2 / Math.sqrt(width), i + 1);
    weights.push(makeTensor(`w${i}`, 1, [width, width], new Uint8Array(values.buffer)));
    const [from, to] = [i === 0 ? "x" : `h${i}`, i === layers - 1 ? "y" : `h${i + 1}`];
    nodes.push(makeNode("MatMul", [from, `w${i}`], [to]));
  }
  const shape = ["N", width];
  return await modelBytes(
    model(nodes, [valueInfo("x", 1, shape)], [valueInfo("y", 1, shape)], weights),
  );
}

/** The answer of `chain`, in double precision. */
export function chainAnswer(layers: number, width: number, x: ArrayLike<number>): Float64Array {
  let row = Float64Array.from(x);
  for (let i = 0; i < layers; i++) {
    const weights = uniform(width * width, 2 / Math.sqrt(width), i + 1);
    const next = new Float64Array(width);
    for (let k = 0; k < width; k++) {
      for (let j = 0; j < width; j++)
        next[j] = (next[j] ?? 0) + (row[k] ?? 0) * (weights[k * width + j] ?? 0);
    }
    row = next;
  }
  return row;
}

/** Gives its input back, through an Identity. */
export async function identity(dataType: DataType, dims: number[]): Promise<Uint8Array> {
  return await modelBytes(
    model(
      [makeNode("Identity", ["x"], ["y"])],
      [valueInfo("x", dataType, dims)],
      [valueInfo("y", dataType, dims)],
    ),
  );
}
