/** @file All gradient rules, merged from the families in rules/; the ops that stop a gradient; the expansions. */
import type { Node } from "../onnx/model.ts";
import { ATTENTION_PARTS } from "./expand/attention.ts";
import { RECURRENT_PARTS } from "./expand/cells.ts";
import { CONTRIB_ATTENTION_PARTS } from "./expand/contrib-attention.ts";
import { FUSED_PARTS } from "./expand/fused.ts";
import { DEFINITIONS } from "./expand/definitions.ts";
import type { Expansion, ExpansionTable, GradientRule, RuleTable } from "./rule.ts";
import { ACTIVATION } from "./rules/activation.ts";
import { CONVOLUTION } from "./rules/convolution.ts";
import { EINSUM } from "./rules/einsum.ts";
import { ELEMENTWISE } from "./rules/elementwise.ts";
import { FAKE_QUANTIZE } from "./rules/fake-quantize.ts";
import { INDEXING } from "./rules/indexing.ts";
import { LINEAR } from "./rules/linear.ts";
import { MAX_POOL } from "./rules/max-pool.ts";
import { NORMALIZATION } from "./rules/normalization.ts";
import { POOLING } from "./rules/pooling.ts";
import { QUANTIZATION } from "./rules/quantization.ts";
import { REDUCTION } from "./rules/reduction.ts";
import { RESHAPING } from "./rules/reshaping.ts";
import { RESIZE } from "./rules/resize.ts";
import { SLICING } from "./rules/slicing.ts";
import { SOFTMAX } from "./rules/softmax.ts";

const RULES: RuleTable = {
  ...ACTIVATION,
  ...CONVOLUTION,
  ...EINSUM,
  ...ELEMENTWISE,
  ...FAKE_QUANTIZE,
  ...INDEXING,
  ...LINEAR,
  ...MAX_POOL,
  ...NORMALIZATION,
  ...POOLING,
  ...QUANTIZATION,
  ...REDUCTION,
  ...RESHAPING,
  ...RESIZE,
  ...SLICING,
  ...SOFTMAX,
};

const EXPANSIONS: ExpansionTable = {
  ...ATTENTION_PARTS,
  ...CONTRIB_ATTENTION_PARTS,
  ...FUSED_PARTS,
  ...DEFINITIONS,
  ...RECURRENT_PARTS,
};

/** Ops whose outputs do not depend smoothly on their inputs: their gradient is zero or none, and the walk ends there. */
const NO_GRADIENT: ReadonlySet<string> = new Set([
  "And",
  "ArgMax",
  "ArgMin",
  "Bernoulli",
  "BitShift",
  "BitwiseAnd",
  "BitwiseNot",
  "BitwiseOr",
  "BitwiseXor",
  "Ceil",
  "Constant",
  "ConstantOfShape",
  "Equal",
  "EyeLike",
  "Floor",
  "Greater",
  "GreaterOrEqual",
  "Hardmax",
  "IsInf",
  "IsNaN",
  "Less",
  "LessOrEqual",
  "Multinomial",
  "NonMaxSuppression",
  "NonZero",
  "Not",
  "OneHot",
  "Or",
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Range",
  "Round",
  "Shape",
  "Sign",
  "Size",
  "Unique",
  "Xor",
]);

const key = ({ domain, opType }: Node): string => (domain === "" ? opType : `${domain}::${opType}`);

/** The rule of a node's op type, or `undefined`: none is known. */
export function gradientRule(node: Node): GradientRule | undefined {
  return Object.hasOwn(RULES, key(node)) ? RULES[key(node)] : undefined;
}

export function expansion(node: Node): Expansion | undefined {
  return Object.hasOwn(EXPANSIONS, key(node)) ? EXPANSIONS[key(node)] : undefined;
}

export function stopsGradient(node: Node): boolean {
  return NO_GRADIENT.has(key(node));
}
