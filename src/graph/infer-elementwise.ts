/** @file Rules of element-wise operators: one input, or several that broadcast. */
import { DataType } from "../onnx/data-type.ts";
import type { Dimension } from "../onnx/model.ts";
import { intAttribute } from "./attributes.ts";
import type { InferRule, NodeTypes, RuleTable, ValueType } from "./infer-rule.ts";
import { broadcast } from "./infer-shape.ts";

/** The output is like the first input. */
export const sameAsFirst: InferRule = (n) => [{ elementType: n.type(0), shape: n.shape(0) }];

/** The first input's shape with another element type. */
const shapeOfFirst =
  (elementType: number): InferRule =>
  (n) => [{ elementType, shape: n.shape(0) }];

/** The common element type of inputs that must agree: that of the first one known. */
function commonType(n: NodeTypes, from = 0): number | undefined {
  for (let index = from; index < n.inputCount; index++) {
    const type = n.type(index);
    if (type !== undefined) return type;
  }
  return undefined;
}

/** Before opset 7 the second input adapts to the first, and never the other way round. */
function binaryShape(n: NodeTypes): Dimension[] | undefined {
  return n.version < 7 ? n.shape(0) : broadcast(n.inputs().map((input) => input.shape));
}

const isFloat = (type: number | undefined): boolean =>
  type === DataType.float32 || type === DataType.float64 || type === DataType.float16;

type Arithmetic = (a: Dimension, b: Dimension, isInteger: boolean) => Dimension;

/** A result as the type holds it; float16 is not followed, since ONNX Runtime may compute it in float32. */
function rounded(value: Dimension, type: number | undefined): Dimension {
  if (typeof value !== "number" || !isFloat(type) || type === DataType.float64) return value;
  return type === DataType.float32 ? Math.fround(value) : undefined;
}

/** Element-wise arithmetic on followed contents; a single element is spread over the other operand. */
function followed(n: NodeTypes, arithmetic: Arithmetic): Dimension[] | undefined {
  const [a, b] = [n.value(0), n.value(1)];
  if (!a || !b || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return undefined;
  const isInteger = !isFloat(n.type(0));
  return Array.from({ length: a.length === 1 ? b.length : a.length }, (_, i) =>
    rounded(arithmetic(a[a.length === 1 ? 0 : i], b[b.length === 1 ? 0 : i], isInteger), n.type(0)),
  );
}

const onNumbers =
  (f: (a: number, b: number, isInteger: boolean) => number): Arithmetic =>
  (a, b, isInteger) => {
    if (typeof a !== "number" || typeof b !== "number") return undefined;
    const result = f(a, b, isInteger);
    return Number.isFinite(result) ? result : undefined;
  };

/** A symbol that meets the operation's neutral element stays the symbol. */
const withNeutral =
  (neutral: number, f: Arithmetic, commutes: boolean): Arithmetic =>
  (a, b, isInteger) => {
    if (b === neutral) return a;
    return commutes && a === neutral ? b : f(a, b, isInteger);
  };

const arithmetic =
  (f: Arithmetic): InferRule =>
  (n) => [{ elementType: commonType(n), shape: binaryShape(n), value: followed(n, f) }];

const compare =
  (f: (a: number, b: number) => boolean): InferRule =>
  (n) => [
    {
      elementType: DataType.bool,
      shape: binaryShape(n),
      value: followed(
        n,
        onNumbers((a, b) => Number(f(a, b))),
      ),
    },
  ];

const variadic =
  (f?: Arithmetic): InferRule =>
  (n) => [
    {
      elementType: commonType(n),
      shape: broadcast(n.inputs().map((input) => input.shape)),
      value: f && n.inputCount === 2 ? followed(n, f) : undefined,
    },
  ];

const onEach =
  (f: (a: number) => number): InferRule =>
  (n) => [
    { ...n.input(0), value: n.value(0)?.map((a) => (typeof a === "number" ? f(a) : undefined)) },
  ];

const integerDivision = (a: number, b: number, isInteger: boolean): number =>
  isInteger ? Math.trunc(a / b) : a / b;
const floorModulo = (a: number, b: number): number => a - Math.floor(a / b) * b;

/** The old forms of Cast name the type as a string. */
function castTarget(n: NodeTypes): number | undefined {
  if (n.version >= 6) return intAttribute(n.node, "to", 0) || undefined;
  const name = n.string("to", "").toLowerCase();
  const type =
    name === "float" ? 1 : name === "double" ? 11 : DataType[name as keyof typeof DataType];
  return type || undefined;
}

function cast(n: NodeTypes, elementType: number | undefined): ValueType[] {
  const toInteger = isFloat(n.type(0)) && !isFloat(elementType);
  const value = n
    .value(0)
    ?.map((a) => (toInteger && typeof a === "number" ? Math.trunc(a) : rounded(a, elementType)));
  return [
    { elementType, shape: n.shape(0), value: elementType === DataType.bool ? undefined : value },
  ];
}

const where: InferRule = (n) => {
  const shape = broadcast([n.shape(0), n.shape(1), n.shape(2)]);
  const [choice, a, b] = [n.value(0), n.value(1), n.value(2)];
  let value: Dimension[] | undefined;
  if (choice && a && b) {
    const length = Math.max(choice.length, a.length, b.length);
    const pick = (list: Dimension[], i: number): Dimension => list[list.length === 1 ? 0 : i];
    value = Array.from({ length }, (_, i) => {
      const condition = pick(choice, i);
      if (condition === undefined) return undefined;
      return pick(condition ? a : b, i);
    });
  }
  return [{ elementType: n.type(1) ?? n.type(2), shape, value }];
};

const SAME_AS_FIRST = [
  "Acos",
  "Acosh",
  "Asin",
  "Asinh",
  "Atan",
  "Atanh",
  "BitwiseNot",
  "Celu",
  "Clip",
  "Cos",
  "Cosh",
  "Elu",
  "Erf",
  "Exp",
  "Gelu",
  "HardSigmoid",
  "HardSwish",
  "Hardmax",
  "LRN",
  "LeakyRelu",
  "Log",
  "LogSoftmax",
  "LpNormalization",
  "MeanVarianceNormalization",
  "Mish",
  "PRelu",
  "Reciprocal",
  "Relu",
  "Round",
  "Selu",
  "Shrink",
  "Sigmoid",
  "Sign",
  "Sin",
  "Sinh",
  "Softmax",
  "Softplus",
  "Softsign",
  "Sqrt",
  "Swish",
  "Tan",
  "Tanh",
  "ThresholdedRelu",
  // Experimental operators of the first opsets.
  "Affine",
  "ImageScaler",
  "ParametricSoftplus",
  "Scale",
  "ScaledTanh",
];

export const ELEMENTWISE: RuleTable = {
  ...Object.fromEntries(SAME_AS_FIRST.map((opType) => [opType, sameAsFirst])),
  Abs: onEach(Math.abs),
  Ceil: onEach(Math.ceil),
  Floor: onEach(Math.floor),
  Neg: onEach((a) => -a),
  Identity: (n) => [n.input(0)],
  Not: (n) => [
    { elementType: DataType.bool, shape: n.shape(0), value: n.numbers(0)?.map((a) => Number(!a)) },
  ],
  IsInf: shapeOfFirst(DataType.bool),
  IsNaN: shapeOfFirst(DataType.bool),
  Add: arithmetic(
    withNeutral(
      0,
      onNumbers((a, b) => a + b),
      true,
    ),
  ),
  Sub: arithmetic(
    withNeutral(
      0,
      onNumbers((a, b) => a - b),
      false,
    ),
  ),
  Mul: arithmetic(
    withNeutral(
      1,
      onNumbers((a, b) => a * b),
      true,
    ),
  ),
  Div: arithmetic(withNeutral(1, onNumbers(integerDivision), false)),
  Mod: (n) => arithmetic(onNumbers(n.int("fmod", 0) ? (a, b) => a % b : floorModulo))(n),
  Pow: (n) => [{ elementType: n.type(0), shape: binaryShape(n) }],
  BitShift: arithmetic(() => undefined),
  BitwiseAnd: arithmetic(() => undefined),
  BitwiseOr: arithmetic(() => undefined),
  BitwiseXor: arithmetic(() => undefined),
  And: compare((a, b) => a !== 0 && b !== 0),
  Or: compare((a, b) => a !== 0 || b !== 0),
  Xor: compare((a, b) => (a !== 0) !== (b !== 0)),
  Equal: compare((a, b) => a === b),
  Greater: compare((a, b) => a > b),
  GreaterOrEqual: compare((a, b) => a >= b),
  Less: compare((a, b) => a < b),
  LessOrEqual: compare((a, b) => a <= b),
  Max: variadic(onNumbers((a, b) => Math.max(a, b))),
  Min: variadic(onNumbers((a, b) => Math.min(a, b))),
  Mean: variadic(),
  Sum: variadic(),
  Where: where,
  Cast: (n) => cast(n, castTarget(n)),
  CastLike: (n) => cast(n, n.type(1)),
  BitCast: (n) => [{ elementType: n.int("to", 0) || undefined, shape: n.shape(0) }],
  Bernoulli: (n) => [{ elementType: n.int("dtype", 0) || n.type(0), shape: n.shape(0) }],
  Dropout: (n) => [
    { elementType: n.type(0), shape: n.shape(0) },
    { elementType: n.version < 10 ? n.type(0) : DataType.bool, shape: n.shape(0) },
  ],
};
