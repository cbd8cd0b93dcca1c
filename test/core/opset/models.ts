/** @file Small models by hand, for what the golden cases do not try. */
import { makeNode } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type {
  Attribute,
  Dimension,
  Model,
  Node,
  Tensor,
  ValueInfo,
} from "../../../src/onnx/model.ts";

export function info(
  name: string,
  shape?: Dimension[],
  elementType: number = DataType.float32,
): ValueInfo {
  return { name, type: { kind: "tensor", elementType, shape } };
}

export function node(
  opType: string,
  inputs: string,
  outputs = "y",
  ...attributes: Attribute[]
): Node {
  const split = (names: string): string[] =>
    names.split(" ").map((name) => (name === "_" ? "" : name));
  return makeNode(opType, inputs ? split(inputs) : [], split(outputs), { attributes });
}

export function model(
  opset: number,
  nodes: Node[],
  inputs: ValueInfo[],
  options: { outputs?: ValueInfo[]; initializers?: Tensor[]; irVersion?: number } = {},
): Model {
  return {
    irVersion: options.irVersion ?? 7,
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
      initializers: new Map((options.initializers ?? []).map((tensor) => [tensor.name, tensor])),
      sparseInitializers: [],
      inputs,
      outputs: options.outputs ?? [{ name: nodes.at(-1)?.outputs[0] ?? "y", type: undefined }],
      valueInfos: [],
      metadata: [],
    },
  };
}
