/** @file com.microsoft's fused operators as the plain ones that ONNX Runtime's optimizer made them of. */
import {
  attributeValue,
  floatAttribute,
  intAttribute,
  makeFloat,
  makeInt,
  makeInts,
  makeString,
  stringAttribute,
} from "../../graph/attributes.ts";
import type { Attribute, Node } from "../../onnx/model.ts";
import { add, mul, sigmoid } from "../arithmetic.ts";
import type { Emitter, Expansion, ExpansionTable } from "../rule.ts";

/** x·Φ(x), by Erf where the opset has no Gelu. */
function gelu(c: Emitter, x: string): string {
  if (c.opset >= 20) return c.emit("Gelu", [x]);
  const erf = c.emit("Erf", [mul(c, x, Math.SQRT1_2)]);
  return mul(c, mul(c, x, 0.5), add(c, erf, 1));
}

/** ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))). */
function geluByTanh(c: Emitter, x: string): string {
  if (c.opset >= 20) return c.emit("Gelu", [x], [makeString("approximate", "tanh")]);
  const cubic = add(c, mul(c, mul(c, x, x), 0.044715), 1);
  const inner = mul(c, mul(c, x, cubic), Math.sqrt(2 / Math.PI));
  return mul(c, mul(c, x, 0.5), add(c, c.emit("Tanh", [inner]), 1));
}

const withBias = (c: Emitter, node: Node): string => {
  const [x = "", bias] = node.inputs;
  return bias ? add(c, x, bias) : x;
};

const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  LeakyRelu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
  Elu: ["alpha"],
};

/** The activation that a fused operator ends in, with its parameters. */
function activated(c: Emitter, value: string, name: string, parameters: readonly number[]): string {
  if (name === "") return value;
  if (name === "Clip") {
    const [low = -Infinity, high = Infinity] = parameters;
    return c.emit("Clip", [value, c.float(low), c.float(high)]);
  }
  const attributes = (PARAMETERS[name] ?? []).flatMap((key, i): Attribute[] => {
    const parameter = parameters[i];
    return parameter === undefined ? [] : [makeFloat(key, parameter)];
  });
  if (!["Relu", "Sigmoid", "Tanh", "HardSwish", ...Object.keys(PARAMETERS)].includes(name)) {
    throw c.refusal(`its activation ${name} has no gradient rule`);
  }
  return c.emit(name, [value], attributes);
}

/** Attributes that are the plain operator's, too. */
const plain = (node: Node): Attribute[] =>
  node.attributes.filter(({ name }) => !name.startsWith("activation"));

/** activation(Conv(x, w) + b + z). */
const fusedConv: Expansion = (c, node) => {
  const [x, w, bias, skip] = node.inputs;
  const product = c.emit("Conv", [x, w, bias], plain(node));
  const parameters = attributeValue(node, "activation_params", "floats") ?? [];
  const sum = skip ? add(c, product, skip) : product;
  return [activated(c, sum, stringAttribute(node, "activation", ""), parameters)];
};

const fusedGemm: Expansion = (c, node) => {
  const parameters = ["activation_alpha", "activation_beta", "activation_gamma"].flatMap(
    (name) => attributeValue(node, name, "float") ?? [],
  );
  const product = c.emit("Gemm", node.inputs, plain(node));
  return [activated(c, product, stringAttribute(node, "activation", ""), parameters)];
};

const fusedMatMul: Expansion = (c, node) => {
  const isOn = (name: string): boolean => intAttribute(node, name, 0) !== 0;
  if (isOn("transBatchA") || isOn("transBatchB")) {
    throw c.refusal("transBatchA and transBatchB have no gradient rule");
  }
  const [a = "", b = ""] = ["transA", "transB"].map((flag, i) => {
    const name = node.inputs[i] ?? "";
    const rank = c.dims(name).length;
    if (!isOn(flag) || rank < 2) return name;
    const axes = [...Array(rank).keys()];
    const perm = [...axes.slice(0, -2), rank - 1, rank - 2];
    return c.emit("Transpose", [name], [makeInts("perm", perm)]);
  });
  const product = c.emit("MatMul", [a, b]);
  const alpha = floatAttribute(node, "alpha", 1);
  return [alpha === 1 ? product : mul(c, product, alpha)];
};

/** LayerNormalization of input + skip + bias. */
const skipLayerNormalization: Expansion = (c, node) => {
  const [input = "", skip = "", gamma, beta, bias] = node.inputs;
  const sum = add(c, input, skip);
  const biased = bias ? add(c, sum, bias) : sum;
  return [...normalised(c, node, biased, gamma, beta), biased];
};

/** RMSNormalization of input + skip + bias. */
const skipSimplified: Expansion = (c, node) => {
  const [input = "", skip = "", gamma = "", bias] = node.inputs;
  if (node.outputs[1] || node.outputs[2]) throw c.refusal("its statistics have no gradient rule");
  const sum = add(c, input, skip);
  const biased = bias ? add(c, sum, bias) : sum;
  const epsilon = floatAttribute(node, "epsilon", 1e-12);
  const square = c.reduce("ReduceMean", mul(c, biased, biased), [-1], true);
  const inverse = c.emit("Reciprocal", [c.emit("Sqrt", [add(c, square, epsilon)])]);
  return [mul(c, mul(c, biased, inverse), gamma), undefined, undefined, biased];
};

/** Word, position and segment embeddings, summed and normalised. */
const embedLayerNormalization: Expansion = (c, node) => {
  const [ids = "", segments, words = "", positions = "", segmentTable, gamma, beta, , places] =
    node.inputs;
  if (node.outputs[1]) throw c.refusal("its mask_index has no expansion");
  const words3 = c.emit("Gather", [words, ids]);
  const times = c.sizes(ids, 1)[1] ?? 0;
  const byPlace = places
    ? c.emit("Gather", [positions, places])
    : c.emit("Slice", [positions, c.int64([0]), c.int64([times]), c.int64([0])]);
  const placed = add(c, words3, byPlace);
  const sum =
    segments && segmentTable ? add(c, placed, c.emit("Gather", [segmentTable, segments])) : placed;
  const [y] = normalised(c, node, sum, gamma, beta);
  return [y, undefined, sum];
};

function normalised(
  c: Emitter,
  node: Node,
  x: string,
  gamma: string | undefined,
  beta: string | undefined,
): string[] {
  const epsilon = makeFloat("epsilon", floatAttribute(node, "epsilon", 1e-12));
  return c.emitAll("LayerNormalization", [x, gamma, beta], 3, [makeInt("axis", -1), epsilon]);
}

export const FUSED_PARTS: ExpansionTable = {
  "com.microsoft::BiasGelu": (c, node) => [gelu(c, withBias(c, node))],
  "com.microsoft::Gelu": (c, node) => [gelu(c, node.inputs[0] ?? "")],
  "com.microsoft::FastGelu": (c, node) => [geluByTanh(c, withBias(c, node))],
  "com.microsoft::QuickGelu": (c, node) => {
    const [x = ""] = node.inputs;
    return [mul(c, x, sigmoid(c, mul(c, x, floatAttribute(node, "alpha", 1.702))))];
  },
  "com.microsoft::FusedConv": fusedConv,
  "com.microsoft::FusedGemm": fusedGemm,
  "com.microsoft::FusedMatMul": fusedMatMul,
  "com.microsoft::SkipLayerNormalization": skipLayerNormalization,
  "com.microsoft::SkipSimplifiedLayerNormalization": skipSimplified,
  "com.microsoft::EmbedLayerNormalization": embedLayerNormalization,
};
