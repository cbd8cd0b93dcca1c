/** @file BatchNormalization behind Conv, ConvTranspose or Gemm goes into their weights and biases. */
import { floatAttribute, intAttribute, makeFloat } from "../../graph/attributes.ts";
import { makeTensor, opsetVersion } from "../../graph/build.ts";
import { tensorNumbers } from "../../graph/constants.ts";
import { nodeLabel } from "../../graph/weights.ts";
import { DataType, dataTypeName, elementCount } from "../../onnx/data-type.ts";
import type { Graph, Node, Tensor } from "../../onnx/model.ts";
import { type ChannelLayout, channelLayout } from "../channel-layout.ts";
import type { Pass, Subject } from "../pass.ts";
import { isScalable, scaledData } from "../scaled-data.ts";
import { Wiring } from "../wiring.ts";

/**
 * y = scale·(x − mean)/√(variance + ε) + bias is a factor and a shift a channel: W′ = W·factor, b′ = b·factor + shift.
 * Factor and shift are float64, and each weight is rounded once, so weights have a relative error of 2⁻²⁴ (float32) or
 * 2⁻¹¹ (float16), and the sums of the products are those of other numbers in the same order.
 *
 * The weight has to be this node's alone, and the product the normalization's alone.
 */
export const fuseBatchNormalization: Pass = async (subject) => {
  const wiring = new Wiring(subject.model);
  let count = 0;
  for (const { node, graph } of wiring.each("BatchNormalization")) {
    const product = wiring.producer(node.inputs[0], "Conv", "ConvTranspose", "Gemm");
    if (!product || !isInference(node, subject, wiring)) continue;
    if (await fuse(product, node, graph, subject, wiring)) count++;
  }
  wiring.commit();
  return count;
};

/** Until opset 13 the outputs say whether it trains, until 8 `spatial` whether a channel has one mean. */
function isInference(node: Node, { model }: Subject, wiring: Wiring): boolean {
  const opset = opsetVersion(model) ?? 1;
  if (opset < 7 || node.outputs.slice(1).some((name) => name && wiring.isRead(name))) return false;
  if (opset < 14 && node.outputs.slice(1).some(Boolean)) return false;
  return intAttribute(node, "training_mode", 0) === 0 && intAttribute(node, "spatial", 1) === 1;
}

async function fuse(
  product: Node,
  node: Node,
  graph: Graph,
  subject: Subject,
  wiring: Wiring,
): Promise<boolean> {
  const [output = "", between = ""] = [node.outputs[0], product.outputs[0]];
  const [, weightName = "", biasName = ""] = product.inputs;
  if (wiring.readers(between).size > 1 || wiring.isOutput(between)) return false;
  if (wiring.home(between) !== graph) return false;
  const weight = wiring.constant(weightName);
  if (!weight || wiring.readers(weightName).size > 1 || wiring.isOutput(weightName)) return false;
  if (!isScalable(weight.dataType) || product.inputs[0] === weightName) return false;
  const layout = channelLayout(product, weight.dims);
  const affine = layout && (await channelAffine(node, layout, weight.dataType, wiring));
  const bias = layout && (await biasOf(product, layout, weight.dataType, wiring));
  if (!affine || !bias) return false;
  const { factor, shift } = affine;
  const newBias = bias.map((value, i) => value * (factor[i] ?? 1) + (shift[i] ?? 0));
  if (![...factor, ...newBias].every(Number.isFinite)) return false;

  const isOwn =
    biasName !== "" && wiring.readers(biasName).size === 1 && !wiring.isOutput(biasName);
  const name = isOwn ? biasName : wiring.fresh(`${weightName}.bias`);
  const home = wiring.home(weightName) ?? graph;
  const before = { ...weight };
  weight.data = scaledData(before, (index) => factor[layout.channelOf(index)] ?? 1);
  wiring.store(
    (isOwn && wiring.home(biasName)) || home,
    floatTensor(name, weight.dataType, newBias),
  );
  wiring.setInput(product, 2, name);
  if (product.opType === "Gemm") {
    const others = product.attributes.filter((attribute) => attribute.name !== "beta");
    product.attributes = [...others, makeFloat("beta", 1)];
  }
  // The product makes what the normalization made: the name of an output stays.
  wiring.rename(product, between, output);
  wiring.remove(node);
  const bytes = weight.data.byteLength;
  subject.changed.push({
    name: weightName,
    node: nodeLabel(product),
    method: "batch normalization fused",
    dims: [...weight.dims],
    from: dataTypeName(weight.dataType),
    to: dataTypeName(weight.dataType),
    bytesBefore: bytes,
    bytesAfter: bytes,
    sqnrDb: null,
  });
  return true;
}

/** What the normalization does to each channel, where its parameters are constants of the weight's type. */
async function channelAffine(
  node: Node,
  { channels }: ChannelLayout,
  dataType: DataType,
  wiring: Wiring,
): Promise<{ factor: number[]; shift: number[] } | undefined> {
  const parameters: number[][] = [];
  for (const name of node.inputs.slice(1, 5)) {
    const tensor = wiring.constant(name);
    if (tensor?.dataType !== dataType || elementCount(tensor.dims) !== channels) return undefined;
    parameters.push((await tensorNumbers(tensor)) ?? []);
  }
  const [scale, bias, mean, variance] = parameters;
  if (!scale || !bias || !mean || !variance) return undefined;
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const factor = scale.map((value, i) => value / Math.sqrt((variance[i] ?? 0) + epsilon));
  return { factor, shift: bias.map((value, i) => value - (mean[i] ?? 0) * (factor[i] ?? 0)) };
}

/** The product's bias a channel, zeros where it has none. */
async function biasOf(
  product: Node,
  { channels }: ChannelLayout,
  dataType: DataType,
  wiring: Wiring,
): Promise<number[] | undefined> {
  const name = product.inputs[2];
  if (!name) return Array<number>(channels).fill(0);
  const tensor = wiring.constant(name);
  if (tensor?.dataType !== dataType) return undefined;
  const count = elementCount(tensor.dims);
  // A Gemm's bias may be one number, or a row; one number a row of the result is not a channel's.
  if (count !== 1 && (count !== channels || tensor.dims.at(-1) !== channels)) return undefined;
  const beta = product.opType === "Gemm" ? floatAttribute(product, "beta", 1) : 1;
  const values = ((await tensorNumbers(tensor)) ?? []).map((value) => value * beta);
  return values.length === channels ? values : Array<number>(channels).fill(values[0] ?? 0);
}

function floatTensor(name: string, dataType: DataType, values: number[]): Tensor {
  const typed =
    dataType === DataType.float32
      ? new Float32Array(values)
      : dataType === DataType.float64
        ? new Float64Array(values)
        : new Float16Array(values);
  return makeTensor(name, dataType, [values.length], new Uint8Array(typed.buffer));
}
