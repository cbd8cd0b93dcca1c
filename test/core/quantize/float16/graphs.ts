/** @file Small models made by hand. */
import { makeFloat32 } from "../../../../src/graph/build.ts";
import { DataType } from "../../../../src/onnx/data-type.ts";
import type {
  Dimension,
  Graph,
  Model,
  Node,
  Tensor,
  ValueInfo,
} from "../../../../src/onnx/model.ts";

export function value(name: string, dims: Dimension[], elementType = 1): ValueInfo {
  return { name, type: { kind: "tensor", elementType, shape: dims } };
}

/** Values (i mod 7 − 3) / 4: exact in float16, so a difference is never rounding alone. */
export function weight(name: string, dims: number[]): Tensor {
  const count = dims.reduce((a, b) => a * b, 1);
  return makeFloat32(
    name,
    Array.from({ length: count }, (_, i) => ((i % 7) - 3) / 4),
    dims,
  );
}

export function graph(
  nodes: Node[],
  inputs: ValueInfo[],
  outputs: ValueInfo[],
  initializers: Tensor[] = [],
): Graph {
  return {
    name: "g",
    docString: "",
    nodes,
    initializers: new Map(initializers.map((tensor) => [tensor.name, tensor])),
    sparseInitializers: [],
    inputs,
    outputs,
    valueInfos: [],
    metadata: [],
  };
}

export function model(main: Graph, opset = 17, domains: string[] = []): Model {
  return {
    irVersion: 8,
    opsetImports: [
      { domain: "", version: opset },
      ...domains.map((domain) => ({ domain, version: 1 })),
    ],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph: main,
    metadata: [],
    functions: [],
  };
}

/** `float32`, `float16`, … of an input or output. */
export function typeOf(infos: readonly ValueInfo[], name: string): number {
  const type = infos.find((info) => info.name === name)?.type;
  return type?.kind === "tensor" ? type.elementType : DataType.undefined;
}

export const casts = ({ nodes }: Graph): Node[] => nodes.filter(({ opType }) => opType === "Cast");
