/** @file Recognising models that are quantized already, and what is left in float. */
import { constantTensor } from "../graph/constants.ts";
import { Scope } from "../graph/scope.ts";
import { bitsPerElement, DataType } from "../onnx/data-type.ts";
import type { Model, Node, Tensor } from "../onnx/model.ts";

/** How a part of a model is quantized; the names are the field's. */
export type QuantizedForm =
  /** QuantizeLinear and DequantizeLinear around float operators. */
  | "qdq"
  /** QLinearConv, QLinearMatMul and their kin: static, integer from end to end. */
  | "qoperator"
  /** MatMulInteger, ConvInteger, DynamicQuantizeLSTM, …: activations are quantized while the model runs. */
  | "dynamic"
  /** MatMulNBits, GatherBlockQuantized, MatMulBnb4: weights in blocks of few bits. */
  | "blocks"
  /** Weights in 16-bit floats. */
  | "float16";

export interface AlreadyQuantized {
  /** Forms that occur, with the number of nodes (for `float16`: of tensors) that show it. */
  forms: { form: QuantizedForm; count: number }[];
  /** Stored bytes of float32 and float64 tensors: what quantizing can still shrink by more than half. */
  floatBytes: number;
  /** Stored bytes of float16 and bfloat16 tensors. */
  halfBytes: number;
  /** Stored bytes of floats of 8 bits or fewer and of integers of 8 bits or fewer. */
  quantizedBytes: number;
  /** A sentence for reports; `undefined` when nothing is quantized. */
  summary: string | undefined;
}

const FORM_OF_OPERATOR: Readonly<Record<string, QuantizedForm>> = {
  QuantizeLinear: "qdq",
  DequantizeLinear: "qdq",
  MatMulInteger: "dynamic",
  MatMulIntegerToFloat: "dynamic",
  ConvInteger: "dynamic",
  DynamicQuantizeLinear: "dynamic",
  DynamicQuantizeMatMul: "dynamic",
  DynamicQuantizeLSTM: "dynamic",
  QAttention: "dynamic",
  QEmbedLayerNormalization: "dynamic",
  QGemm: "qoperator",
  MatMulNBits: "blocks",
  MatMulBnb4: "blocks",
  MatMulFpQ4: "blocks",
  GatherBlockQuantized: "blocks",
  QMoE: "blocks",
};

const FORM_NAMES: Readonly<Record<QuantizedForm, string>> = {
  qdq: "QuantizeLinear/DequantizeLinear",
  qoperator: "QLinear operators",
  dynamic: "dynamic integer operators",
  blocks: "weights in blocks",
  float16: "16-bit floats",
};

/** What of a model is quantized, and how many bytes are not. Reads no weight. */
export function alreadyQuantized(model: Model): AlreadyQuantized {
  const counts = new Map<QuantizedForm, number>();
  const count = (form: QuantizedForm | undefined) => {
    if (form) counts.set(form, (counts.get(form) ?? 0) + 1);
  };
  const bytes = { float: 0, half: 0, quantized: 0 };
  const add = (tensor: Tensor): void => {
    const kind = kindOf(tensor.dataType);
    if (kind) bytes[kind] += tensor.data.byteLength;
    if (kind === "half") count("float16");
  };
  for (const { graph } of Scope.of(model.graph).walk()) {
    for (const tensor of graph.initializers.values()) add(tensor);
    for (const node of graph.nodes) {
      count(formOf(node));
      const tensor = node.opType === "Constant" && node.domain === "" && constantTensor(node);
      if (tensor) add(tensor);
    }
  }
  for (const node of model.functions.flatMap((definition) => definition.nodes)) count(formOf(node));
  const forms = [...counts].map(([form, number]) => ({ form, count: number }));
  const names = forms.map(({ form, count: number }) => `${FORM_NAMES[form]} (${number})`);
  return {
    forms,
    floatBytes: bytes.float,
    halfBytes: bytes.half,
    quantizedBytes: bytes.quantized,
    summary:
      names.length > 0
        ? `quantized already: ${names.join(", ")}; ${bytes.float} bytes are left in float32`
        : undefined,
  };
}

function formOf(node: Node): QuantizedForm | undefined {
  if (node.opType.startsWith("QLinear")) return "qoperator";
  return Object.hasOwn(FORM_OF_OPERATOR, node.opType) ? FORM_OF_OPERATOR[node.opType] : undefined;
}

function kindOf(dataType: DataType): "float" | "half" | "quantized" | undefined {
  switch (dataType) {
    case DataType.float32:
    case DataType.float64:
      return "float";
    case DataType.float16:
    case DataType.bfloat16:
      return "half";
    case DataType.bool:
    case DataType.string:
      return undefined;
    default:
      return bitsPerElement(dataType) <= 8 ? "quantized" : undefined;
  }
}
