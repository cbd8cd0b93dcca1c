/** @file The options of dynamic quantization, named as onnxruntime's `quantize_dynamic` names them. */
import { selectNodes } from "../../graph/selection.ts";
import type { Scope } from "../../graph/scope.ts";
import type { Model, Node } from "../../onnx/model.ts";
import type { AffineType } from "../affine.ts";

export interface DynamicOptions {
  /** Type of the quantized weights (default `qint8`); gathered ones are always unsigned, LSTM's always signed. */
  weight_type?: "qint8" | "quint8";
  /** One scale per output column of MatMul, Gemm and Attention weights, and per gate row of LSTM's (default false). */
  per_channel?: boolean;
  /** 7-bit weights, for CPUs whose 8-bit products saturate in 16 bits (default false). */
  reduce_range?: boolean;
  /** Only these nodes, by name (default all). */
  nodes_to_quantize?: string[];
  /** Never these nodes, by name. */
  nodes_to_exclude?: string[];
  /** Only these op types; `MatMul` also stands for the Gemms that become one (default all that the method knows). */
  op_types_to_quantize?: string[];
}

export interface DynamicSettings {
  weightType: AffineType;
  perChannel: boolean;
  reduceRange: boolean;
}

/** @throws RangeError for a weight type that is not `qint8` or `quint8` */
export function dynamicSettings(options: DynamicOptions): DynamicSettings {
  const type: string = options.weight_type ?? "qint8";
  if (type !== "qint8" && type !== "quint8") {
    throw new RangeError(`quantize: weight_type is "${type}", must be "qint8" or "quint8"`);
  }
  return {
    weightType: type === "qint8" ? "int8" : "uint8",
    perChannel: options.per_channel ?? false,
    reduceRange: options.reduce_range ?? false,
  };
}

/** @throws UnknownNameError when an option names nodes or op types that the model does not have */
export function selectDynamicNodes(
  model: Model,
  root: Scope,
  options: DynamicOptions,
): (node: Node) => boolean {
  const present = new Set<string>();
  for (const scope of root.walk()) for (const node of scope.graph.nodes) present.add(node.opType);
  let opTypes = options.op_types_to_quantize;
  if (opTypes?.includes("MatMul") && present.has("Gemm")) {
    opTypes = [...opTypes.filter((type) => present.has("MatMul") || type !== "MatMul"), "Gemm"];
  }
  return selectNodes(model, {
    include: options.nodes_to_quantize,
    exclude: options.nodes_to_exclude,
    opTypes,
  });
}
