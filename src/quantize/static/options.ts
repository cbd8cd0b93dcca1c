/** @file The options of static quantization, named as onnxruntime's `quantize_static` and its extra options name them. */
import { requireKnown, selectNodes } from "../../graph/selection.ts";
import type { Model, Node } from "../../onnx/model.ts";
import type { AffineType } from "../affine.ts";

export interface StaticOptions {
  /** QuantizeLinear and DequantizeLinear around float operators: the only format there is. */
  quant_format?: "QDQ" | "QOperator";
  /** Type of activations (default `qint8`). */
  activation_type?: "qint8" | "quint8";
  /** Type of weights (default `qint8`); not `quint8` beside `qint8` activations, which no kernel multiplies. */
  weight_type?: "qint8" | "quint8";
  /** One scale per output channel of Conv, ConvTranspose, Gemm and MatMul weights (default false). */
  per_channel?: boolean;
  /** 7-bit weights (default false). */
  reduce_range?: boolean;
  /** Ranges of activations around 0; then no Relu or Clip is removed (default false). */
  activation_symmetric?: boolean;
  /** Ranges of weights around 0 (default: for signed types). Per channel they always are. */
  weight_symmetric?: boolean;
  nodes_to_quantize?: string[] | undefined;
  nodes_to_exclude?: string[] | undefined;
  /** Only these op types; also ones that are not quantized by default, e.g. `Tanh`. */
  op_types_to_quantize?: string[] | undefined;
}

export interface StaticSettings {
  activationType: AffineType;
  weightType: AffineType;
  perChannel: boolean;
  reduceRange: boolean;
  activationSymmetric: boolean;
  weightSymmetric: boolean;
}

/** What is quantized where `op_types_to_quantize` is not given: all that onnxruntime knows a form for. */
const DEFAULT_OP_TYPES: ReadonlySet<string> = new Set(
  [
    "Add ArgMax AveragePool BatchNormalization Clip Concat Conv ConvTranspose CumSum",
    "EmbedLayerNormalization Flatten Gather GatherElements Gemm GlobalAveragePool",
    "InstanceNormalization LayerNormalization LeakyRelu MatMul MaxPool Mul Pad Relu Reshape Resize",
    "Sigmoid Slice Softmax Split Squeeze TopK Transpose Unsqueeze Where",
  ].flatMap((line) => line.split(" ")),
);

/** @throws RangeError for a value that the option does not have, and for types that do not go together */
export function staticSettings(options: StaticOptions): StaticSettings {
  if ((options.quant_format ?? "QDQ") !== "QDQ") {
    throw new RangeError(
      `quantize: static has quant_format "QDQ" only, not "${options.quant_format}"`,
    );
  }
  const activationType = typeOf("activation_type", options.activation_type);
  const weightType = typeOf("weight_type", options.weight_type);
  if (activationType === "int8" && weightType === "uint8") {
    throw new RangeError(
      'quantize: weight_type "quint8" needs activation_type "quint8": no kernel multiplies int8 by uint8',
    );
  }
  return {
    activationType,
    weightType,
    perChannel: options.per_channel ?? false,
    reduceRange: options.reduce_range ?? false,
    activationSymmetric: options.activation_symmetric ?? false,
    weightSymmetric: options.weight_symmetric ?? weightType === "int8",
  };
}

function typeOf(name: string, given: string | undefined): AffineType {
  const type = given ?? "qint8";
  if (type !== "qint8" && type !== "quint8") {
    throw new RangeError(`quantize: ${name} is "${type}", must be "qint8" or "quint8"`);
  }
  return type === "qint8" ? "int8" : "uint8";
}

export interface Selection {
  /** Nodes that are quantized. */
  selected: (node: Node) => boolean;
  /** Nodes whose values are observed: those of the op types, excluded ones too, as onnxruntime's calibrator has it. */
  observed: (node: Node) => boolean;
}

/** @throws UnknownNameError when an option names nodes or op types that the model does not have */
export function selectStaticNodes(
  model: Model,
  { nodes_to_quantize, nodes_to_exclude, op_types_to_quantize }: StaticOptions,
): Selection {
  const named = selectNodes(model, { include: nodes_to_quantize, exclude: nodes_to_exclude });
  const present = new Set(model.graph.nodes.map(({ opType }) => opType));
  requireKnown("op type", op_types_to_quantize, present);
  const types = op_types_to_quantize?.length ? new Set(op_types_to_quantize) : DEFAULT_OP_TYPES;
  const observed = (node: Node): boolean =>
    types.has(node.opType) &&
    (node.domain === "" || node.opType === "EmbedLayerNormalization") &&
    node.opType !== "QuantizeLinear" &&
    node.opType !== "DequantizeLinear";
  return { observed, selected: (node) => observed(node) && named(node) };
}
