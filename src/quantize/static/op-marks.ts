/**
 * @file What each operator wants quantized, as onnxruntime 1.30's QDQ quantizer has it. An operator that is not in
 * the table wants all its float inputs and outputs.
 */
import {
  attributeValue,
  floatAttribute,
  intAttribute,
  stringAttribute,
} from "../../graph/attributes.ts";
import { constantNumbers } from "../../graph/constants.ts";
import type { Attribute, Node } from "../../onnx/model.ts";
import {
  floatInitializer,
  initializer,
  markActivation,
  markAs,
  markBias,
  markWeight,
  markWeightByChannel,
  type StaticPass,
} from "./pass.ts";

type OpMarks = (pass: StaticPass, node: Node) => void | Promise<void>;

/** MaxPool takes 8-bit integers from this opset on, Resize exists in its present form from the other. */
const MAX_POOL_OPSET = 12;
const RESIZE_OPSET = 11;

export async function markNode(pass: StaticPass, node: Node): Promise<void> {
  const marks = Object.hasOwn(OPS, node.opType) ? OPS[node.opType] : undefined;
  await (marks ?? markAll)(pass, node);
}

const markAll: OpMarks = (pass, node) => {
  for (const name of [...node.inputs, ...node.outputs]) markActivation(pass, name);
};

/** Operators that move values: the output takes the input's scale, where the input has one. */
const markMoved: OpMarks = (pass, { inputs: [input = ""], outputs: [output = ""] }) => {
  if (pass.marks.has(input)) markAs(pass, output, input);
};

/** Beyond onnxruntime: a matrix that only a Transpose reads is a weight all the same. */
const markTransposed: OpMarks = (pass, node) => {
  const [input = ""] = node.inputs;
  if ((floatInitializer(pass, input)?.dims.length ?? 0) > 1) markWeight(pass, input);
  return markMoved(pass, node);
};

const convolution =
  (axis: number): OpMarks =>
  (pass, node) => {
    markActivation(pass, node.inputs[0] ?? "");
    markActivation(pass, node.outputs[0] ?? "");
    markWeightByChannel(pass, node.inputs[1] ?? "", axis);
    markBias(pass, node, 2);
  };

const markGemm: OpMarks = (pass, node) => {
  markActivation(pass, node.inputs[0] ?? "");
  markActivation(pass, node.outputs[0] ?? "");
  markWeightByChannel(pass, node.inputs[1] ?? "", intAttribute(node, "transB", 0) > 0 ? 0 : 1);
  if (!initializer(pass, node.inputs[2] ?? "")) return;
  // The scale takes beta's part, so the product does not take it again.
  markBias(pass, node, 2, floatAttribute(node, "beta", 1));
  node.attributes = node.attributes.map((each) => (isBeta(each) ? { ...each, value: 1 } : each));
};

const isBeta = (attribute: Attribute): attribute is Attribute & { type: "float" } =>
  attribute.name === "beta" && attribute.type === "float";

const markMatMul: OpMarks = (pass, node) => {
  for (const name of [...node.inputs, ...node.outputs]) {
    const rank = initializer(pass, name)?.dims.length;
    if (rank === undefined) markActivation(pass, name);
    // ONNX Runtime runs no stack of matrices with more than one zero point.
    else if (rank === 2) markWeightByChannel(pass, name, 1);
    else markWeight(pass, name);
  }
};

const markNormalization: OpMarks = (pass, node) => {
  const [input = "", scale = ""] = node.inputs;
  markActivation(pass, input);
  if (initializer(pass, scale)) markWeightByChannel(pass, scale, 1);
  else markActivation(pass, scale);
  markBias(pass, node, 2);
  for (const name of node.outputs) markActivation(pass, name);
};

/**
 * Relu and Clip go where the integer range of their output does their work: the codes below its zero point do not exist.
 */
const markClipping: OpMarks = (pass, node) => {
  const { marks, graph, parameters, settings } = pass;
  const [input = ""] = node.inputs;
  const [output = ""] = node.outputs;
  if (!marks.has(input)) return;
  const canGo =
    !settings.activationSymmetric &&
    parameters.has(output) &&
    parameters.has(input) &&
    graph.hasOneReader(input) &&
    !graph.isOutput(input) &&
    !graph.isInput(input);
  if (canGo) {
    graph.renameOutput(input, output);
    marks.tensors.delete(input);
    graph.remove(node);
  } else markActivation(pass, input);
  markActivation(pass, output);
};

const markPad: OpMarks = async (pass, node) => {
  const [input = ""] = node.inputs;
  const [output = ""] = node.outputs;
  for (const name of node.inputs) markActivation(pass, name);
  const mode = stringAttribute(node, "mode", "constant");
  const fill = mode === "constant" ? await padding(pass, node) : 0;
  // Zero is in every range, and other modes repeat what is there.
  if (fill === 0) markAs(pass, output, input);
  else markActivation(pass, output);
};

async function padding({ opset, scope }: StaticPass, node: Node): Promise<number | undefined> {
  if (opset < 11) return attributeValue(node, "value", "float") ?? 0;
  const [, , value = ""] = node.inputs;
  return value === "" ? 0 : (await constantNumbers(scope, value))?.[0];
}

const markSplit: OpMarks = (pass, { inputs: [input = ""], outputs }) => {
  markActivation(pass, input);
  if (!pass.marks.has(input)) return;
  for (const name of outputs) markAs(pass, name, input);
};

const markGather: OpMarks = (pass, { inputs: [input = ""], outputs: [output = ""] }) => {
  if (initializer(pass, input)) markActivation(pass, input);
  if (pass.marks.has(input)) markAs(pass, output, input);
};

const markWhere: OpMarks = (pass, { inputs: [, left = "", right = ""], outputs }) => {
  if (!pass.marks.has(left) || !pass.marks.has(right)) return;
  for (const name of outputs) markActivation(pass, name);
};

const since =
  (opset: number, marks: OpMarks): OpMarks =>
  (pass, node) =>
    pass.opset < opset ? undefined : marks(pass, node);

const OPS: Readonly<Record<string, OpMarks>> = {
  Conv: convolution(0),
  ConvTranspose: convolution(1),
  Gemm: markGemm,
  MatMul: markMatMul,
  Relu: markClipping,
  Clip: markClipping,
  Transpose: markTransposed,
  Reshape: markMoved,
  Squeeze: markMoved,
  Unsqueeze: markMoved,
  Flatten: markMoved,
  Slice: markMoved,
  TopK: markMoved,
  AveragePool: markMoved,
  MaxPool: since(MAX_POOL_OPSET, markMoved),
  Resize: since(RESIZE_OPSET, markMoved),
  Pad: markPad,
  Split: markSplit,
  Gather: markGather,
  GatherElements: markGather,
  Where: markWhere,
  BatchNormalization: markNormalization,
  InstanceNormalization: markNormalization,
  LayerNormalization: markNormalization,
};
