/**
 * @file What each version of an operator changed, from opset 8 to 21, and how an older node becomes a newer one.
 *
 * Source: onnx's operator changelog. A step that is in neither table is not lifted.
 */
import {
  findAttribute,
  floatAttribute,
  intAttribute,
  intsAttribute,
  makeInt,
  makeString,
  attributeValue,
} from "../../graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../graph/build.ts";
import type { Names } from "../../graph/scope.ts";
import type { Graph, Node, Tensor } from "../../onnx/model.ts";

export interface Adapter {
  /** Rewrites the node in its graph; true when it changed something. */
  (node: Node, graph: Graph, names: Names): boolean;
  /** Why this node cannot be rewritten; `undefined` when it can. */
  problem?: (node: Node) => string | undefined;
}

/** Only element types, optional attributes with the old meaning as default, or negative axes were added. */
export const TYPE_ONLY: ReadonlySet<string> = new Set(
  `Abs-13 Add-13 Add-14 ArgMax-11 ArgMax-12 ArgMax-13 ArgMin-11 ArgMin-12 ArgMin-13 AveragePool-10
  AveragePool-11 AveragePool-19 BatchNormalization-15 Cast-9 Cast-13 Cast-19 Cast-21 CastLike-19
  CastLike-21 Ceil-13 Clip-12 Clip-13 Compress-11 Concat-11 Concat-13 Constant-9 Constant-11 Constant-12
  Constant-13 Constant-19 Constant-21 ConstantOfShape-20 ConstantOfShape-21 Conv-11 ConvTranspose-11
  CumSum-14 DepthToSpace-11 DepthToSpace-13 DequantizeLinear-13 DequantizeLinear-19 DequantizeLinear-21
  Div-13 Div-14 Dropout-10 Dropout-13 Equal-11 Equal-13 Equal-19 Erf-13 Exp-13 Expand-13 Flatten-9
  Flatten-11 Flatten-13 Flatten-21 Floor-13 GRU-14 Gather-11 Gather-13 GatherElements-13 GatherND-12
  GatherND-13 Gemm-9 Gemm-11 Gemm-13 Greater-9 Greater-13 GreaterOrEqual-16 Hardmax-11 Identity-13
  Identity-14 Identity-16 Identity-19 Identity-21 If-11 If-13 If-16 If-19 If-21 IsInf-20 IsNaN-13 IsNaN-20
  LRN-13 LSTM-14 LeakyRelu-16 Less-9 Less-13 LessOrEqual-16 Log-13 LogSoftmax-11 Loop-11 Loop-13 Loop-16
  Loop-19 Loop-21 LpPool-11 LpPool-18 MatMul-9 MatMul-13 Max-8 Max-12 Max-13 MaxPool-8 MaxPool-10 MaxPool-11
  MaxPool-12 Mean-8 Mean-13 MeanVarianceNormalization-13 Min-8 Min-12 Min-13 Mod-13 Mul-13 Mul-14 Neg-13
  NonMaxSuppression-11 NonZero-13 OneHot-11 PRelu-9 PRelu-16 Pad-13 Pad-18 Pad-19 Pad-21 Pow-12 Pow-13
  Pow-15 QLinearMatMul-21 QuantizeLinear-13 QuantizeLinear-19 QuantizeLinear-21 RNN-14 Reciprocal-13
  ReduceL1-11 ReduceL1-13 ReduceL2-11 ReduceL2-13 ReduceLogSum-11 ReduceLogSum-13 ReduceLogSumExp-11
  ReduceLogSumExp-13 ReduceMax-11 ReduceMax-12 ReduceMax-13 ReduceMax-20 ReduceMean-11 ReduceMean-13
  ReduceMin-11 ReduceMin-12 ReduceMin-13 ReduceMin-20 ReduceProd-11 ReduceProd-13 ReduceSum-11
  ReduceSumSquare-11 ReduceSumSquare-13 Relu-13 Relu-14 Reshape-13 Reshape-14 Reshape-19 Reshape-21
  Resize-13 Resize-18 Resize-19 Scan-11 Scan-16 Scan-19 Scan-21 ScatterElements-13 ScatterElements-16
  ScatterElements-18 ScatterND-13 ScatterND-16 ScatterND-18 Shape-13 Shape-15 Shape-19 Shape-21 Sigmoid-13
  Sign-13 Size-13 Size-19 Size-21 Slice-11 Slice-13 Softmax-11 SpaceToDepth-13 Split-11 Sqrt-13 Squeeze-11
  Squeeze-21 Sub-13 Sub-14 Sum-8 Sum-13 Tanh-13 Tile-13 TopK-11 Transpose-13 Transpose-21 Unsqueeze-11
  Unsqueeze-21 Where-16`.split(/\s+/),
);

const REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"];

/** By `opType-version`. */
export const ADAPTERS: Readonly<Record<string, Adapter>> = {
  "Squeeze-13": intsToInput("axes", 1),
  "Unsqueeze-13": intsToInput("axes", 1),
  "ReduceSum-13": intsToInput("axes", 1),
  ...Object.fromEntries(REDUCTIONS.map((kind) => [`Reduce${kind}-18`, intsToInput("axes", 1)])),
  "Split-13": intsToInput("split", 1),
  "Split-18": splitCount,
  "Softmax-13": flattened,
  "LogSoftmax-13": flattened,
  "Hardmax-13": flattened,
  "Clip-11": clipBounds,
  "Pad-11": padInputs,
  "Slice-10": sliceInputs,
  "TopK-10": topKInput,
  "Dropout-12": dropoutRatio,
  "BatchNormalization-9": withProblem(
    (node) => dropAttribute(node, "spatial"),
    (node) => (intAttribute(node, "spatial", 1) === 0 ? "it has spatial=0" : undefined),
  ),
  "BatchNormalization-14": withProblem(
    () => false,
    (node) => (node.outputs.filter(Boolean).length > 1 ? "it is in training mode" : undefined),
  ),
  "Upsample-9": upsampleScales,
  "Upsample-10": (node) => rename(node, "Resize"),
  // An Upsample below opset 10 becomes a Resize on the way, so this step is its own as well.
  "Resize-11": resizeInputs,
  "Scatter-11": (node) => rename(node, "ScatterElements"),
};

function withProblem(adapter: Adapter, problem: NonNullable<Adapter["problem"]>): Adapter {
  return Object.assign(
    (...[node, graph, names]: Parameters<Adapter>) => adapter(node, graph, names),
    { problem },
  );
}

function rename(node: Node, opType: string): boolean {
  node.opType = opType;
  return true;
}

function dropAttribute(node: Node, name: string): boolean {
  const before = node.attributes.length;
  node.attributes = node.attributes.filter((attribute) => attribute.name !== name);
  return node.attributes.length < before;
}

/** Adds a small initializer and reads it as the node's input number `index`. */
function setInput(
  node: Node,
  graph: Graph,
  names: Names,
  index: number,
  make: (name: string) => Tensor,
): void {
  const name = names.fresh(`${node.outputs[0] ?? node.opType}_input_${index}`);
  graph.initializers.set(name, make(name));
  while (node.inputs.length < index) node.inputs.push("");
  node.inputs[index] = name;
}

/** An attribute of ints that became an int64 input. */
function intsToInput(attribute: string, index: number): Adapter {
  return (node, graph, names) => {
    const values = intsAttribute(node, attribute);
    if (!values) return false;
    dropAttribute(node, attribute);
    setInput(node, graph, names, index, (name) => makeInt64(name, values));
    return true;
  };
}

/** From 18 on an even split says into how many parts. */
function splitCount(node: Node): boolean {
  if (node.inputs[1]) return false;
  node.attributes.push(makeInt("num_outputs", node.outputs.length));
  return true;
}

/**
 * Before 13 these flattened their input to two dimensions at `axis` (default 1); now they work along one
 * axis. Flatten, the op along the last axis, and Reshape back say the same for any rank.
 */
function flattened(node: Node, graph: Graph, names: Names): boolean {
  const axis = intAttribute(node, "axis", 1);
  dropAttribute(node, "axis");
  node.attributes.push(makeInt("axis", -1));
  if (axis === -1) return true;
  const [input = ""] = node.inputs;
  const [output = ""] = node.outputs;
  const flat = names.fresh(`${output}_flat`);
  const result = names.fresh(`${output}_flat_result`);
  const shape = names.fresh(`${output}_shape`);
  node.inputs = [flat];
  node.outputs = [result];
  const at = graph.nodes.indexOf(node);
  graph.nodes.splice(
    at,
    1,
    makeNode("Shape", [input], [shape], { name: names.fresh(`${shape}_node`) }),
    makeNode("Flatten", [input], [flat], {
      name: names.fresh(`${flat}_node`),
      attributes: [makeInt("axis", axis)],
    }),
    node,
    makeNode("Reshape", [result, shape], [output], { name: names.fresh(`${output}_reshape`) }),
  );
  return true;
}

/** Bounds were attributes; opset 6 to 10 define their defaults as float32's range. */
function clipBounds(node: Node, graph: Graph, names: Names): boolean {
  const min = attributeValue(node, "min", "float");
  const max = attributeValue(node, "max", "float");
  dropAttribute(node, "min");
  dropAttribute(node, "max");
  if (min !== undefined) setInput(node, graph, names, 1, (name) => makeFloat32(name, [min], []));
  if (max !== undefined) setInput(node, graph, names, 2, (name) => makeFloat32(name, [max], []));
  return min !== undefined || max !== undefined;
}

function padInputs(node: Node, graph: Graph, names: Names): boolean {
  const pads = intsAttribute(node, "pads") ?? [];
  const value = floatAttribute(node, "value", 0);
  dropAttribute(node, "pads");
  dropAttribute(node, "value");
  setInput(node, graph, names, 1, (name) => makeInt64(name, pads));
  if (value !== 0) setInput(node, graph, names, 2, (name) => makeFloat32(name, [value], []));
  return true;
}

function sliceInputs(node: Node, graph: Graph, names: Names): boolean {
  const inputs = ["starts", "ends", "axes"].map((name) => intsAttribute(node, name));
  for (const name of ["starts", "ends", "axes"]) dropAttribute(node, name);
  inputs.forEach((values, i) => {
    if (values) setInput(node, graph, names, i + 1, (name) => makeInt64(name, values));
  });
  return true;
}

function topKInput(node: Node, graph: Graph, names: Names): boolean {
  const k = intAttribute(node, "k", 1);
  dropAttribute(node, "k");
  setInput(node, graph, names, 1, (name) => makeInt64(name, [k]));
  return true;
}

/** Dropout below 12 only ever passed its input on. */
function dropoutRatio(node: Node, graph: Graph, names: Names): boolean {
  const ratio = floatAttribute(node, "ratio", 0.5);
  dropAttribute(node, "ratio");
  setInput(node, graph, names, 1, (name) => makeFloat32(name, [ratio], []));
  return true;
}

function upsampleScales(node: Node, graph: Graph, names: Names): boolean {
  const scales = attributeValue(node, "scales", "floats") ?? [];
  dropAttribute(node, "scales");
  setInput(node, graph, names, 1, (name) => makeFloat32(name, scales));
  return true;
}

/** Resize 10 took (x, scales) and mapped coordinates by x/scale, rounding down. */
function resizeInputs(node: Node): boolean {
  const [input = "", scales = ""] = node.inputs;
  node.inputs = [input, "", scales];
  if (!findAttribute(node, "coordinate_transformation_mode")) {
    node.attributes.push(makeString("coordinate_transformation_mode", "asymmetric"));
  }
  const mode = attributeValue(node, "mode", "string");
  if (!mode || new TextDecoder().decode(mode) === "nearest") {
    node.attributes.push(makeString("nearest_mode", "floor"));
  }
  return true;
}
