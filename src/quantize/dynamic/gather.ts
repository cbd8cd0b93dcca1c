/** @file Gather from a constant table, and Transpose of what has codes: they move codes, which are dequantized where they are read. */
import { intsAttribute } from "../../graph/attributes.ts";
import { resolveConstant } from "../../graph/constants.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { OpRewrite } from "./op-rewrite.ts";
import { keepFloat } from "./pass.ts";
import type { QuantizedValue } from "./quantized-value.ts";

/** Tables of this many bytes in Constant nodes are shapes and scale factors, not embeddings. */
const SMALL_TABLE_BYTES = 256;

/** DequantizeLinear makes float16 from this opset on. */
const FLOAT16_OPSET = 19;

/** Tables are unsigned and have one scale whatever the options say, as onnxruntime has it. */
export const quantizeGather: OpRewrite = async (pass, weights, graph, node) => {
  const [table = "", ...rest] = node.inputs;
  const constant = resolveConstant(graph.scope, table);
  if (constant?.holder && constant.tensor.data.byteLength < SMALL_TABLE_BYTES) {
    if (constant.tensor.dataType === DataType.float32) {
      keepFloat(pass, constant.storedName, `a table of ${constant.tensor.data.byteLength} bytes`);
    }
    return false;
  }
  const half = pass.opset >= FLOAT16_OPSET ? [DataType.float16] : [];
  const weight = await weights.prepare(graph, node, 0, {
    type: "uint8",
    reduceRange: false,
    dataTypes: [DataType.float32, ...half],
  });
  if (!weight) return false;
  const value = weight.commit();
  const output = node.outputs[0] ?? "";
  const codes = graph.names.fresh(`${output}_quantized`);
  graph.push({ ...node, inputs: [value.codes, ...rest], outputs: [codes] });
  graph.define(output, moved(value, codes));
  return true;
};

export const quantizeTranspose: OpRewrite = (_pass, weights, graph, node) => {
  const value = graph.find(node.inputs[0] ?? "");
  if (!value) return false;
  const output = node.outputs[0] ?? "";
  const codes = graph.names.fresh(`${output}_quantized`);
  const transpose = { ...node, inputs: [value.codes], outputs: [codes] };
  const result = moved(value, codes);
  if (value.axis !== undefined) {
    const permutation = intsAttribute(node, "perm");
    if (!permutation) return false;
    const rank = permutation.length;
    result.axis = permutation.indexOf(value.axis + rank) - rank;
  }
  if (value.constant) {
    result.constant = true;
    weights.touched.add(transpose);
    graph.pushFront(transpose);
  } else {
    graph.push(transpose);
  }
  graph.define(output, result);
  return true;
};

function moved(value: QuantizedValue, codes: string): QuantizedValue {
  return { ...value, codes, hasFloat: false, constant: false };
}
