/** @file The nodes that take the place of a product whose operand is in blocks. */
import { makeInt } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import type { Node } from "../../onnx/model.ts";
import type { MatMulTarget } from "./matmul-target.ts";
import type { BlockSettings } from "./options.ts";
import type { Pass } from "./pass.ts";

/** Names of the tensors that replace the operand. */
export interface BlockNames {
  codes: string;
  scales: string;
  /** `""`: the middle code. */
  zeroPoints: string;
}

/** com.microsoft MatMulNBits, whose bias input takes Gemm's C where it is a vector. */
export function matMulNBits(
  pass: Pass,
  target: MatMulTarget,
  names: BlockNames,
  settings: BlockSettings,
): Node[] {
  const { bits, blockSize, accuracyLevel } = settings;
  const inputs = [target.activation, names.codes, names.scales];
  const bias = target.bias?.isVector ? target.bias.name : undefined;
  if (names.zeroPoints || bias) inputs.push(names.zeroPoints);
  if (bias) inputs.push("", bias);
  const attributes = [
    makeInt("K", target.matrix.rows),
    makeInt("N", target.matrix.columns),
    makeInt("bits", bits),
    makeInt("block_size", blockSize),
  ];
  // most execution providers do not know the attribute
  if (accuracyLevel > 0) attributes.push(makeInt("accuracy_level", accuracyLevel));
  return withBias(pass, target, `_Q${bits}`, (outputs, name) =>
    makeNode("MatMulNBits", inputs, outputs, { name, domain: "com.microsoft", attributes }),
  );
}

/** com.microsoft MatMulBnb4. */
export function matMulBnb4(
  pass: Pass,
  target: MatMulTarget,
  names: { codes: string; absmax: string },
  blockSize: number,
  quantType: number,
): Node[] {
  const attributes = [
    makeInt("K", target.matrix.rows),
    makeInt("N", target.matrix.columns),
    makeInt("block_size", blockSize),
    makeInt("quant_type", quantType),
  ];
  const unfused = target.bias && { ...target, bias: { ...target.bias, isVector: false } };
  return withBias(pass, unfused ?? target, "_Bnb4", (outputs, name) =>
    makeNode("MatMulBnb4", [target.activation, names.codes, names.absmax], outputs, {
      name,
      domain: "com.microsoft",
      attributes,
    }),
  );
}

/** Adds an Add for a bias that the product itself does not take. */
function withBias(
  pass: Pass,
  { use, bias }: MatMulTarget,
  suffix: string,
  product: (outputs: string[], name: string) => Node,
): Node[] {
  const { node } = use;
  const name = node.name ? pass.names.fresh(node.name + suffix) : "";
  if (!bias || bias.isVector) return [product([...node.outputs], name)];
  const unbiased = pass.names.fresh(`${node.outputs[0] ?? ""}_without_bias`);
  return [
    product([unbiased], name),
    makeNode("Add", [unbiased, bias.name], [...node.outputs], {
      name: node.name ? pass.names.fresh(`${node.name}_bias`) : "",
    }),
  ];
}
