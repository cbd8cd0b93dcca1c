/**
 * @file What each operator wants quantized, as onnxruntime 1.30's QDQ quantizer has it. An operator that is not in
 * the table wants all its float inputs and outputs.
 */
import { floatAttribute, intAttribute, stringAttribute } from "../../graph/attributes.ts";
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

/** MaxPool takes 8-bit integers from this opset on. */
const MAX_POOL_OPSET = 12;

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

const markMaxPool: OpMarks = (pass, node) =>
  pass.opset < MAX_POOL_OPSET ? undefined : markMoved(pass, node);

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
 * Relu and Clip go where the codes of their output do their work: there are none for what they cut off. Where a range
 * reaches further (because it was made symmetric), they stay, other than in onnxruntime's tool.
 */
const markClipping: OpMarks = async (pass, node) => {
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
    !graph.isInput(input) &&
    (await cutsNothing(pass, node, output));
  if (canGo) {
    graph.renameOutput(input, output);
    marks.tensors.delete(input);
    graph.remove(node);
  } else markActivation(pass, input);
  markActivation(pass, output);
};

/** Whether the range of the output, with 0 in it, lies between the node's bounds. */
async function cutsNothing(pass: StaticPass, node: Node, output: string): Promise<boolean> {
  const range = pass.ranges.ranges.get(output);
  if (!range) return false;
  const [least = -Infinity, most = Infinity] =
    node.opType === "Relu" ? [0] : await Promise.all([bound(pass, node, 1), bound(pass, node, 2)]);
  return Math.min(range.low, 0) >= least && Math.max(range.high, 0) <= most;
}

/** A bound of Clip; `undefined` where there is none, or it is computed. */
async function bound({ scope }: StaticPass, node: Node, input: number) {
  const name = node.inputs[input] ?? "";
  return name === "" ? undefined : (await constantNumbers(scope, name))?.[0];
}

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

async function padding({ scope }: StaticPass, node: Node): Promise<number | undefined> {
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
  MaxPool: markMaxPool,
  Resize: markMoved,
  Pad: markPad,
  Split: markSplit,
  Gather: markGather,
  GatherElements: markGather,
  Where: markWhere,
  BatchNormalization: markNormalization,
  InstanceNormalization: markNormalization,
  LayerNormalization: markNormalization,
};
