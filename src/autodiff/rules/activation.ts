/**
 * @file Gradients of activations: dx = g · f′(x), with f′ written by the output y where that is cheaper.
 *
 * At a kink the gradient is that of PyTorch: 0 for Relu at 0, the left one for LeakyRelu and PRelu.
 */
import { floatAttribute, makeInt, stringAttribute } from "../../graph/attributes.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import {
  add,
  and,
  castLike,
  div,
  exp,
  greater,
  less,
  mul,
  neg,
  sigmoid,
  square,
  sub,
  tanh,
  where,
} from "../arithmetic.ts";
import { geluGradient } from "../composites.ts";
import type { Emitter, GradientRule, RuleTable } from "../rule.ts";

/** Of Gelu's tanh form: tanh(√(2/π)(x + 0.044715 x³)). */
const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;
/** Selu's constants (Klambauer et al. 2017), as ONNX rounds them. */
const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;

/** f′ of a node with input x and output y. */
type Derivative = (c: Emitter, node: Node, x: string, y: string) => string;

const pointwise =
  (derivative: Derivative): GradientRule =>
  (c, node, [g = ""]) => [
    mul(c, g, derivative(c, node, node.inputs[0] ?? "", node.outputs[0] ?? "")),
  ];

/** The gradient passes where the condition holds. */
const gate =
  (condition: Derivative): GradientRule =>
  (c, node, [g = ""]) => [
    where(c, condition(c, node, node.inputs[0] ?? "", node.outputs[0] ?? ""), g, 0),
  ];

const alpha = (node: Node, fallback: number): number => floatAttribute(node, "alpha", fallback);

/**
 * g where y > 0, in the ops that are fastest on each back end: the mask as floats natively, the sign of y (which
 * is not negative) in wasm, and what WebGPU has on the device there. All give the same bits for finite g.
 */
const relu: GradientRule = (c, node, [g = ""]) => {
  const y = node.outputs[0] ?? "";
  if (c.target === "wasm") return [mul(c, g, c.emit("Sign", [y]))];
  if (c.target === "webgpu") return [where(c, greater(c, y, 0), g, 0)];
  return [mul(c, g, castLike(c, c.emit("Cast", [y], [makeInt("to", DataType.bool)]), y))];
};

const leakyRelu: GradientRule = (c, node, [g = ""]) => {
  const isPositive = greater(c, node.inputs[0] ?? "", 0);
  return [where(c, isPositive, g, mul(c, g, alpha(node, 0.01)))];
};

const prelu: GradientRule = (c, node, [g = ""]) => {
  const [x = "", slope = ""] = node.inputs;
  const isPositive = greater(c, x, 0);
  return [
    c.needsGradient(x) ? where(c, isPositive, g, mul(c, g, slope)) : undefined,
    c.needsGradient(slope) ? c.reduceTo(where(c, isPositive, 0, mul(c, g, x)), slope) : undefined,
  ];
};

const gelu: GradientRule = (c, node, [g = ""]) => {
  const [x = ""] = node.inputs;
  if (stringAttribute(node, "approximate", "none") === "tanh") {
    return [mul(c, g, geluTanhDerivative(c, x))];
  }
  const u = mul(c, x, Math.SQRT1_2);
  return [geluGradient(c, g, x, u, add(c, c.emit("Erf", [u]), 1))];
};

function geluTanhDerivative(c: Emitter, x: string): string {
  const squared = square(c, x);
  const inner = add(c, mul(c, squared, GELU_SCALE * GELU_CUBIC), GELU_SCALE);
  const t = tanh(c, mul(c, x, inner));
  const innerDerivative = add(c, mul(c, squared, 3 * GELU_SCALE * GELU_CUBIC), GELU_SCALE);
  const slope = mul(c, mul(c, sub(c, 1, square(c, t)), x), innerDerivative);
  return mul(c, add(c, add(c, t, 1), slope), 0.5);
}

/** y = x·s has y′ = s + x·s′ for s = σ(αx): s·(1 + αx·(1 − s)). */
function swishDerivative(c: Emitter, node: Node, x: string): string {
  const factor = alpha(node, 1);
  const scaled = factor === 1 ? x : mul(c, x, factor);
  const s = sigmoid(c, scaled);
  return mul(c, s, add(c, mul(c, scaled, sub(c, 1, s)), 1));
}

/** y = x·t, t = tanh(softplus(x)), has y′ = t + x·σ(x)·(1 − t²). */
function mishDerivative(c: Emitter, x: string): string {
  const t = tanh(c, c.emit("Softplus", [x]));
  return add(c, t, mul(c, mul(c, x, sigmoid(c, x)), sub(c, 1, square(c, t))));
}

/** y = α(eˣ − 1) below 0 has y′ = y + α there. */
const eluDerivative =
  (scale: (node: Node) => number, slope: (node: Node) => number): Derivative =>
  (c, node, x, y) =>
    where(c, greater(c, x, 0), slope(node), add(c, y, scale(node)));

/** The exponential form, for x ≤ 0 only, so that it cannot overflow: eˣᐟᵅ. */
const celuDerivative: Derivative = (c, node, x) =>
  where(c, greater(c, x, 0), 1, exp(c, div(c, c.emit("Min", [x, c.float(0)]), alpha(node, 1))));

const seluGamma = (node: Node): number => floatAttribute(node, "gamma", SELU_GAMMA);

/** The gradient of what was kept, scaled as it was, by the mask that the node drew in this run. */
const dropout: GradientRule = (c, node, [g = ""]) => {
  const [, ratio] = node.inputs;
  const kept = ratio ? sub(c, 1, castLike(c, ratio, g)) : 0.5;
  return [where(c, c.output(1), div(c, g, kept), 0)];
};

/** 1 beyond ±lambd, 0 between. */
const shrink: GradientRule = (c, node, [g = ""]) => {
  const bound = floatAttribute(node, "lambd", 0.5);
  return [where(c, greater(c, c.emit("Abs", [node.inputs[0]]), bound), g, 0)];
};

export const ACTIVATION: RuleTable = {
  Dropout: dropout,
  Shrink: shrink,
  Relu: relu,
  ThresholdedRelu: gate((c, node, x) => greater(c, x, alpha(node, 1))),
  LeakyRelu: leakyRelu,
  PRelu: prelu,
  Elu: pointwise(
    eluDerivative(
      (node) => alpha(node, 1),
      () => 1,
    ),
  ),
  Selu: pointwise(eluDerivative((node) => seluGamma(node) * alpha(node, SELU_ALPHA), seluGamma)),
  Celu: pointwise(celuDerivative),
  Sigmoid: pointwise((c, _, _x, y) => mul(c, y, sub(c, 1, y))),
  Tanh: pointwise((c, _, _x, y) => sub(c, 1, square(c, y))),
  Softplus: pointwise((c, _, x) => sigmoid(c, x)),
  Softsign: pointwise((c, _, x) =>
    c.emit("Reciprocal", [square(c, add(c, c.emit("Abs", [x]), 1))]),
  ),
  HardSigmoid: (c, node, [g = ""]) => {
    const y = node.outputs[0] ?? "";
    const isInside = and(c, greater(c, y, 0), less(c, y, 1));
    return [where(c, isInside, mul(c, g, alpha(node, 0.2)), 0)];
  },
  HardSwish: pointwise((c, _, x) => {
    const inner = add(c, mul(c, x, 1 / 3), 0.5);
    return where(c, greater(c, x, 3), 1, where(c, less(c, x, -3), 0, inner));
  }),
  Gelu: gelu,
  Swish: pointwise(swishDerivative),
  Mish: pointwise((c, _, x) => mishDerivative(c, x)),
  Erf: pointwise((c, _, x) => mul(c, exp(c, neg(c, square(c, x))), 2 / Math.sqrt(Math.PI))),
};
