/** @file Gradients of element-wise mathematics: arithmetic with broadcasting, powers, trigonometry, choices. */
import type { Node } from "../../onnx/model.ts";
import {
  add,
  and,
  castLike,
  div,
  equal,
  greater,
  less,
  log,
  mul,
  neg,
  sqrt,
  square,
  sub,
  where,
} from "../arithmetic.ts";
import type { Emitter, GradientContext, GradientRule, MaybeValue, RuleTable } from "../rule.ts";

/** The gradient g·f′(x), given by g, x and y. */
type Chain = (c: Emitter, g: string, x: string, y: string) => string;

const unary =
  (chain: Chain): GradientRule =>
  (c, node, [g = ""]) => [chain(c, g, node.inputs[0] ?? "", node.outputs[0] ?? "")];

/** Per operand that needs it, the gradient before broadcasting is undone. */
type Operands = (
  c: GradientContext,
  g: string,
  a: string,
  b: string,
  y: string,
) => [() => string, () => string];

const binary =
  (operands: Operands): GradientRule =>
  (c, node, [g = ""]) => {
    const [a = "", b = ""] = node.inputs;
    const [ofA, ofB] = operands(c, g, a, b, node.outputs[0] ?? "");
    return [
      c.needsGradient(a) ? c.reduceTo(ofA(), a) : undefined,
      c.needsGradient(b) ? c.reduceTo(ofB(), b) : undefined,
    ];
  };

/** d(a/b) = da/b − y·db/b; both share g/b. */
const divide: GradientRule = (c, node, [g = ""]) => {
  const [a = "", b = ""] = node.inputs;
  const quotient = div(c, g, b);
  return [
    c.needsGradient(a) ? c.reduceTo(quotient, a) : undefined,
    c.needsGradient(b) ? c.reduceTo(neg(c, mul(c, quotient, node.outputs[0] ?? "")), b) : undefined,
  ];
};

/** Sub: the negative is taken after the sum, of fewer elements. */
const subtract: GradientRule = (c, node, [g = ""]) => {
  const [a = "", b = ""] = node.inputs;
  return [
    c.needsGradient(a) ? c.reduceTo(g, a) : undefined,
    c.needsGradient(b) ? neg(c, c.reduceTo(g, b)) : undefined,
  ];
};

/** dx = g·p·xᵖ⁻¹ for a constant p. */
function powerDerivative(c: Emitter, x: string, y: string, exponent: number): string {
  switch (exponent) {
    case 2:
      return mul(c, x, 2);
    case 3:
      return mul(c, square(c, x), 3);
    case 0.5:
      return div(c, 0.5, y);
    case -1:
      return neg(c, square(c, y));
    default:
      return mul(c, c.emit("Pow", [x, c.float(exponent - 1)]), exponent);
  }
}

/** d/dp = y·ln x, which is 0 at x = 0 (PyTorch); the tiny bound keeps ln finite where it is not taken. */
function exponentDerivative(c: Emitter, x: string, y: string): string {
  const logarithm = log(c, c.emit("Max", [x, c.float(1e-38)]));
  return where(c, greater(c, x, 0), mul(c, y, logarithm), 0);
}

const power: GradientRule = (c, node, [g = ""]) => {
  const [x = "", p = ""] = node.inputs;
  const y = node.outputs[0] ?? "";
  const exponents = c.numbers(p);
  if (exponents?.length === 1) {
    if (exponents[0] === 1) return [c.reduceTo(g, x)];
    const derivative = powerDerivative(c, x, y, exponents[0] ?? 1);
    return [c.reduceTo(mul(c, g, derivative), x)];
  }
  const exponent = castLike(c, p, x);
  return [
    c.needsGradient(x)
      ? c.reduceTo(mul(c, g, mul(c, exponent, c.emit("Pow", [x, sub(c, exponent, 1)]))), x)
      : undefined,
    c.needsGradient(p) ? c.reduceTo(mul(c, g, exponentDerivative(c, x, y)), p) : undefined,
  ];
};

/** The inputs that equal the output share its gradient, in equal parts where several do (as PyTorch does). */
const extremum: GradientRule = (c, node, [g = ""]) => {
  const y = node.outputs[0] ?? "";
  if (node.inputs.length === 1) return [g];
  const masks = node.inputs.map((name) => castLike(c, equal(c, name, y), y));
  const share = div(c, g, c.emit("Sum", masks));
  return node.inputs.map((name, i) =>
    c.needsGradient(name) ? c.reduceTo(mul(c, share, masks[i] ?? ""), name) : undefined,
  );
};

/**
 * The gradient passes between the bounds and not at them, as in torch's relu6: exact zeros are common
 * after convolutions of zeros. A bound gets what it cut off.
 */
const clip: GradientRule = (c, node, [g = ""]) => {
  const [x = "", low, high] = node.inputs;
  const conditions: string[] = [];
  if (low) conditions.push(greater(c, x, low));
  if (high) conditions.push(less(c, x, high));
  const [first, second] = conditions;
  const isInside = first && second ? and(c, first, second) : first;
  const ofBound = (bound: MaybeValue, isCut: typeof less): MaybeValue =>
    c.needsGradient(bound) ? c.reduceTo(where(c, isCut(c, x, bound), g, 0), bound) : undefined;
  return [isInside ? where(c, isInside, g, 0) : g, ofBound(low, less), ofBound(high, greater)];
};

const choose: GradientRule = (c, node, [g = ""]) => {
  const [condition = "", a, b] = node.inputs;
  return [
    undefined,
    c.needsGradient(a) ? c.reduceTo(where(c, condition, g, 0), a) : undefined,
    c.needsGradient(b) ? c.reduceTo(where(c, condition, 0, g), b) : undefined,
  ];
};

const sumOfAll: GradientRule = (c, node, [g = ""]) => shared(c, node, g);
const meanOfAll: GradientRule = (c, node, [g = ""]) =>
  shared(c, node, mul(c, g, 1 / node.inputs.length));

function shared(c: GradientContext, node: Node, g: string): MaybeValue[] {
  return node.inputs.map((name) => (c.needsGradient(name) ? c.reduceTo(g, name) : undefined));
}

const on = (opType: string) => (c: Emitter, x: string) => c.emit(opType, [x]);
const sin = on("Sin");
const cos = on("Cos");
/** 1 + x² and 1 − x². */
const onePlusSquare = (c: Emitter, x: string): string => add(c, square(c, x), 1);
const oneMinusSquare = (c: Emitter, x: string): string => sub(c, 1, square(c, x));

export const ELEMENTWISE: RuleTable = {
  Identity: unary((_, g) => g),
  Cast: unary((c, g, x) => castLike(c, g, x)),
  CastLike: unary((c, g, x) => castLike(c, g, x)),
  Add: binary((_, g) => [() => g, () => g]),
  Sub: subtract,
  Mul: binary((c, g, a, b) => [() => mul(c, g, b), () => mul(c, g, a)]),
  Div: divide,
  Pow: power,
  Sum: sumOfAll,
  Mean: meanOfAll,
  Max: extremum,
  Min: extremum,
  Clip: clip,
  Where: choose,
  Neg: unary((c, g) => neg(c, g)),
  Abs: unary((c, g, x) => mul(c, g, c.emit("Sign", [x]))),
  Sqrt: unary((c, g, _, y) => div(c, mul(c, g, 0.5), y)),
  Reciprocal: unary((c, g, _, y) => neg(c, mul(c, g, square(c, y)))),
  Exp: unary((c, g, _, y) => mul(c, g, y)),
  Log: unary((c, g, x) => div(c, g, x)),
  Sin: unary((c, g, x) => mul(c, g, cos(c, x))),
  Cos: unary((c, g, x) => neg(c, mul(c, g, sin(c, x)))),
  Tan: unary((c, g, _, y) => mul(c, g, onePlusSquare(c, y))),
  Asin: unary((c, g, x) => div(c, g, sqrt(c, oneMinusSquare(c, x)))),
  Acos: unary((c, g, x) => neg(c, div(c, g, sqrt(c, oneMinusSquare(c, x))))),
  Atan: unary((c, g, x) => div(c, g, onePlusSquare(c, x))),
  Sinh: unary((c, g, x) => mul(c, g, on("Cosh")(c, x))),
  Cosh: unary((c, g, x) => mul(c, g, on("Sinh")(c, x))),
  Asinh: unary((c, g, x) => div(c, g, sqrt(c, onePlusSquare(c, x)))),
  Acosh: unary((c, g, x) => div(c, g, sqrt(c, sub(c, square(c, x), 1)))),
  Atanh: unary((c, g, x) => div(c, g, oneMinusSquare(c, x))),
};
