/** @file BatchNormalization behind Conv, ConvTranspose or Gemm goes into their weights and biases. */
import { floatAttribute, intAttribute } from "../../graph/attributes.ts";
import { opsetVersion } from "../../graph/build.ts";
import { tensorNumbers } from "../../graph/constants.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { absorb, type Affine, findProduct, type Product } from "../absorb.ts";
import type { Pass, Subject } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** Where the weights are the product's alone, and the product is the normalization's alone. */
export const fuseBatchNormalization: Pass = async (subject) => {
  const wiring = new Wiring(subject.model);
  let count = 0;
  for (const { node, graph } of wiring.each("BatchNormalization")) {
    if (!isInference(node, subject, wiring)) continue;
    const product = await findProduct(node.inputs[0] ?? "", graph, wiring);
    const affine = product && (await affineOf(node, product, wiring));
    if (!affine) continue;
    if (absorb(product, node, affine, "batch normalization fused", subject, wiring)) count++;
  }
  wiring.commit();
  return count;
};

/** Until opset 13 the outputs say whether it trains, until 8 `spatial` whether a channel has one mean. */
function isInference(node: Node, { model }: Subject, wiring: Wiring): boolean {
  const opset = opsetVersion(model) ?? 1;
  const others = node.outputs.slice(1).filter(Boolean);
  if (opset < 7 || others.some((name) => wiring.isRead(name))) return false;
  if (opset < 14 && others.length > 0) return false;
  return intAttribute(node, "training_mode", 0) === 0 && intAttribute(node, "spatial", 1) === 1;
}

/** y = scale·(x − mean)/√(variance + ε) + bias, where all of them are constants of the weight's type. */
async function affineOf(
  node: Node,
  { channels, weight }: Product,
  wiring: Wiring,
): Promise<Affine | undefined> {
  const parameters: number[][] = [];
  for (const name of node.inputs.slice(1, 5)) {
    const tensor = wiring.constant(name);
    if (tensor?.dataType !== weight.dataType) return undefined;
    if (elementCount(tensor.dims) !== channels) return undefined;
    parameters.push((await tensorNumbers(tensor)) ?? []);
  }
  const [scale, bias, mean, variance] = parameters;
  if (!scale || !bias || !mean || !variance) return undefined;
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const factor = scale.map((value, i) => value / Math.sqrt((variance[i] ?? 0) + epsilon));
  return { factor, shift: bias.map((value, i) => value - (mean[i] ?? 0) * (factor[i] ?? 0)) };
}
