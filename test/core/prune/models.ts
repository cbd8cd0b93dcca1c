/** @file Small models around given weights, and what pruning made of them. */
import { makeInt as intAttribute } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import type { PassReport } from "../../../src/graph/report.ts";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model, Node, Tensor, ValueInfo } from "../../../src/onnx/model.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import type { PruneOptions } from "../../../src/prune/options.ts";
import { pruneModel } from "../../../src/prune/prune.ts";

export const makeArena = async (maxBytes = 24 << 20): Promise<Arena> =>
  await Arena.create(await kernelModule(), maxBytes);

export function model(nodes: Node[], initializers: Tensor[], outputs: ValueInfo[] = []): Model {
  return {
    irVersion: 9,
    opsetImports: [{ domain: "", version: 17 }],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph: {
      name: "g",
      docString: "",
      nodes,
      initializers: new Map(initializers.map((tensor) => [tensor.name, tensor])),
      sparseInitializers: [],
      inputs: [],
      outputs,
      valueInfos: [],
      metadata: [],
    },
    metadata: [],
    functions: [],
  };
}

export function weight(name: string, values: ArrayLike<number>, dims: number[]): Tensor {
  return makeTensor(name, DataType.float32, dims, new Uint8Array(Float32Array.from(values).buffer));
}

/** A node whose second input is the weight; Gemm has transB, so that a weight is [out, in] as in torch. */
export function consumer(opType: string, weightName: string, name = `${weightName}_node`): Node {
  const attributes = opType === "Gemm" ? [intAttribute("transB", 1)] : [];
  return makeNode(opType, ["x", weightName], [`${name}_out`], { name, attributes });
}

export async function floats(tensor: Tensor | undefined): Promise<Float32Array> {
  if (!tensor) throw new RangeError("no such tensor");
  return new Float32Array((await readAll(tensor.data)).slice().buffer);
}

/** Prunes a model of one weight and returns the values afterwards. */
export async function pruneOne(
  values: ArrayLike<number>,
  dims: number[],
  options: PruneOptions,
  opType = "Gemm",
  arena?: Arena,
): Promise<{ values: Float32Array; report: PassReport }> {
  const subject = model([consumer(opType, "w")], [weight("w", values, dims)]);
  const report = await pruneModel(subject, options, arena ?? (await makeArena()));
  return { values: await floats(subject.graph.initializers.get("w")), report };
}

/** Uniform in (-1, 1), no zeros, all magnitudes different; a linear congruential generator. */
export function noise(count: number, seed = 1): Float32Array {
  const values = new Float32Array(count);
  let state = seed >>> 0;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (((state >>> 1) + 0.5) / 2 ** 31) * (state & 1 ? 1 : -1);
  }
  return values;
}
