/** @file Which products can take their constant operand in blocks: MatMul and Gemm as A [.., K] · B [K, N] (+ C). */
import { floatAttribute, intAttribute } from "../../graph/attributes.ts";
import { resolveConstant } from "../../graph/constants.ts";
import type { Scope } from "../../graph/scope.ts";
import { storedAxis, valueDims, type Weight, type WeightUse } from "../../graph/weights.ts";
import type { Matrix } from "./matrix.ts";

export interface MatMulTarget {
  use: WeightUse;
  matrix: Matrix;
  /** Name of the operand that stays float. */
  activation: string;
  /** Gemm's C. */
  bias: { name: string; /** Known to be of shape [N]. */ isVector: boolean } | undefined;
}

/** @returns the product, or why it cannot take blocks */
export function matMulTarget(weight: Weight, use: WeightUse): MatMulTarget | string {
  const { node, input } = use;
  const isGemm = node.opType === "Gemm";
  const dims = valueDims(weight, use);
  const rank = dims.length;
  if (node.domain !== "" || (node.opType !== "MatMul" && !isGemm)) {
    return `${node.opType} has no form with blocks`;
  }
  if (input !== 1) return `the constant is the left operand of ${node.opType}`;
  if (isGemm && intAttribute(node, "transA", 0)) return "Gemm transposes its activations";
  if (isGemm && floatAttribute(node, "alpha", 1) !== 1) return "Gemm scales its product";
  const bias = isGemm && node.inputs[2] ? node.inputs[2] : undefined;
  if (bias && floatAttribute(node, "beta", 1) !== 1) return "Gemm scales its bias";
  if (dims.slice(0, -2).some((dim) => dim !== 1)) return "the operand is a batch of matrices";
  const activation = node.inputs[0] ?? "";
  if (resolveConstant(use.scope, activation)) return "both operands are constants";
  const activationRank = rankOf(use.scope, activation);
  if (activationRank === 1) return "the activations are a vector";
  if (rank > 2 && (activationRank ?? 0) < rank) {
    return "the operand's leading dimensions may be those of the result";
  }
  const swapped = isGemm && intAttribute(node, "transB", 0) !== 0;
  const k = rank - (swapped ? 1 : 2);
  const n = rank - (swapped ? 2 : 1);
  const matrix: Matrix = {
    tensor: weight.tensor,
    rows: dims[k] ?? 0,
    columns: dims[n] ?? 0,
    transposed: storedAxis(use, n) < storedAxis(use, k),
  };
  if (matrix.rows === 0 || matrix.columns === 0) return "the operand is empty";
  return {
    use,
    matrix,
    activation,
    bias: bias ? biasOf(use.scope, bias, matrix.columns) : undefined,
  };
}

function biasOf(scope: Scope, name: string, columns: number): MatMulTarget["bias"] {
  const constant = resolveConstant(scope, name);
  const dims = constant?.tensor.dims;
  return { name, isVector: dims?.length === 1 && dims[0] === columns };
}

/** The rank that the model states for a value. */
function rankOf(scope: Scope, name: string): number | undefined {
  const graph = scope.definingScope(name)?.graph;
  for (const info of [
    ...(graph?.inputs ?? []),
    ...(graph?.valueInfos ?? []),
    ...(graph?.outputs ?? []),
  ]) {
    if (info.name === name)
      return info.type?.kind === "tensor" ? info.type.shape?.length : undefined;
  }
  return undefined;
}
