/** @file Mul, Div, Add and Sub by constants behind Conv, ConvTranspose or Gemm go into their weights and biases. */
import { opsetVersion } from "../../graph/build.ts";
import { tensorNumbers } from "../../graph/constants.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import { absorb, type Affine, findProduct, type Product } from "../absorb.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** The operands broadcast both ways from here on. */
const BROADCAST_OPSET = 7;

/** By one number, or by one number a channel. */
export const fuseScaleShift: Pass = async (subject) => {
  if ((opsetVersion(subject.model) ?? 1) < BROADCAST_OPSET) return 0;
  const wiring = new Wiring(subject.model);
  let count = 0;
  for (const { node, graph } of wiring.each("Mul", "Div", "Add", "Sub")) {
    const [left = "", right = ""] = node.inputs;
    const isRight = wiring.constant(right) !== undefined;
    const operand = wiring.constant(isRight ? right : left);
    const product = operand && (await findProduct(isRight ? left : right, graph, wiring));
    if (!product || (node.opType === "Div" && !isRight)) continue;
    const values = await channelValues(operand, product);
    const affine = values && affineOf(node, isRight, values);
    if (!affine || (wouldGrow(product, affine) && elementCount(operand.dims) === 1)) continue;
    if (absorb(product, node, affine, "scale and shift fused", subject, wiring)) count++;
  }
  wiring.commit();
  return count;
};

/** One number for each channel; `undefined` where the operand does something else. */
async function channelValues(
  operand: Tensor,
  { node, weight, channels }: Product,
): Promise<number[] | undefined> {
  const rank = node.opType === "Gemm" ? 2 : weight.dims.length;
  const { dims } = operand;
  if (operand.dataType !== weight.dataType || dims.length > rank) return undefined;
  const count = elementCount(dims);
  // Broadcasting aligns the last dimensions; the channels are the result's second.
  const isByChannel = dims.at(1 - rank) === channels && count === channels;
  if (count !== 1 && !isByChannel) return undefined;
  const values = (await tensorNumbers(operand)) ?? [];
  return values.length === channels ? values : Array<number>(channels).fill(values[0] ?? 0);
}

/** @param isRight the constant is the second operand */
function affineOf({ opType }: Node, isRight: boolean, values: number[]): Affine {
  const all = (value: number): number[] => values.map(() => value);
  switch (opType) {
    case "Mul":
      return { factor: values, shift: all(0) };
    case "Div":
      return { factor: values.map((value) => 1 / value), shift: all(0) };
    case "Add":
      return { factor: all(1), shift: values };
    default:
      return isRight
        ? { factor: all(1), shift: values.map((value) => -value) }
        : { factor: all(-1), shift: values };
  }
}

/** A bias for each channel would take the place of one number. */
function wouldGrow({ bias, hasOwnBias, channels }: Product, { shift }: Affine): boolean {
  const needsBias = bias !== undefined || shift.some((value) => value !== 0);
  return needsBias && !hasOwnBias && channels > 1;
}
