/** @file Small models for the pipeline's tests, with seeded weights. */
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import type { Model, Node, Tensor } from "../../../src/onnx/model.ts";
import { emptyGraph } from "../../../src/onnx/read-graph.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";

const FLOAT = 1;
const INT64 = 7;
export const WIDTH = 64;

/** Weights between -0.5 and 0.5, by a linear congruential generator (Knuth's MMIX constants, upper bits). */
export function weights(name: string, rows: number, columns: number, seed = 1): Tensor {
  let state = BigInt(seed);
  const values = Array.from({ length: rows * columns }, () => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number(state >> 40n) / 2 ** 24 - 0.5;
  });
  return makeFloat32(name, values, [rows, columns]);
}

export function bytesOf(
  nodes: Node[],
  initializers: Tensor[],
  options: { opset?: number; outputType?: number } = {},
): Promise<Uint8Array> {
  const graph = emptyGraph();
  graph.name = "g";
  graph.nodes = nodes;
  graph.initializers = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  graph.inputs = [{ name: "x", type: { kind: "tensor", elementType: FLOAT, shape: [4, WIDTH] } }];
  const elementType = options.outputType ?? FLOAT;
  graph.outputs = [{ name: "y", type: { kind: "tensor", elementType, shape: undefined } }];
  const model: Model = {
    irVersion: 8,
    opsetImports: [{ domain: "", version: options.opset ?? 17 }],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph,
    metadata: [],
    functions: [],
  };
  return modelBytes(model);
}

/** y = x·w. */
export const product = (opset = 17): Promise<Uint8Array> =>
  bytesOf([makeNode("MatMul", ["x", "w"], ["y"], { name: "m" })], [weights("w", WIDTH, WIDTH)], {
    opset,
  });

/** y = x·w, so small that it says nothing. */
export const blank = (): Promise<Uint8Array> =>
  bytesOf(
    [
      makeNode("MatMul", ["x", "w"], ["p"], { name: "m" }),
      makeNode("Mul", ["p", "tiny"], ["y"], { name: "s" }),
    ],
    [weights("w", WIDTH, WIDTH), makeFloat32("tiny", [1e-12], [])],
  );

/** y = x·w·10⁶ as whole numbers, which the least error changes. */
export const wholeNumbers = (): Promise<Uint8Array> =>
  bytesOf(
    [
      makeNode("MatMul", ["x", "w"], ["p"], { name: "m" }),
      makeNode("Mul", ["p", "large"], ["q"], { name: "s" }),
      makeNode("Cast", ["q"], ["y"], { name: "c", attributes: [makeInt("to", INT64)] }),
    ],
    [weights("w", WIDTH, WIDTH), makeFloat32("large", [1e6], [])],
    { outputType: INT64 },
  );

/** y = x + 1: no weight to compress. */
export const withoutWeights = (): Promise<Uint8Array> =>
  bytesOf([makeNode("Add", ["x", "b"], ["y"], { name: "a" })], [makeFloat32("b", [1], [])]);

/** y = Conv(x as an image). */
export const convolution = (): Promise<Uint8Array> => {
  const kernel = weights("w", 32, 9);
  return bytesOf(
    [
      makeNode("Reshape", ["x", "shape"], ["image"], { name: "r" }),
      makeNode("Conv", ["image", "w"], ["y"], { name: "c" }),
    ],
    [{ ...kernel, dims: [32, 1, 3, 3] }, makeInt64("shape", [4, 1, 8, 8])],
  );
};
