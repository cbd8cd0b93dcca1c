/** @file A factor and a shift for each output channel, taken into the weights and the bias before them. */
import { floatAttribute, makeFloat } from "../graph/attributes.ts";
import { makeTensor } from "../graph/build.ts";
import { tensorNumbers } from "../graph/constants.ts";
import { nodeLabel } from "../graph/weights.ts";
import { DataType, dataTypeName, elementCount } from "../onnx/data-type.ts";
import type { Graph, Node, Tensor } from "../onnx/model.ts";
import { channelLayout } from "./channel-layout.ts";
import type { Subject } from "./pass.ts";
import { isScalable, scaledData } from "./scaled-data.ts";
import type { Wiring } from "./wiring.ts";

/** Conv, ConvTranspose or Gemm with weights that are its alone, and whose result only one node reads. */
export interface Product {
  node: Node;
  graph: Graph;
  weight: Tensor;
  channels: number;
  channelOf: (index: number) => number;
  /** Of each channel; `undefined` where it has none. */
  bias: number[] | undefined;
  /** The bias is a tensor of its own. */
  hasOwnBias: boolean;
}

/** y = factor·x + shift, by channel. */
export interface Affine {
  factor: number[];
  shift: number[];
}

/** The product that makes a name, where it can take in what follows. */
export async function findProduct(
  name: string,
  graph: Graph,
  wiring: Wiring,
): Promise<Product | undefined> {
  const node = wiring.producer(name, "Conv", "ConvTranspose", "Gemm");
  if (!node || wiring.readerCount(name) > 1 || wiring.isOutput(name)) return undefined;
  if (wiring.home(name) !== graph) return undefined;
  const [data, weightName = "", biasName = ""] = node.inputs;
  const weight = wiring.constant(weightName);
  if (!weight || data === weightName || !isOwn(weightName, wiring)) return undefined;
  const layout = isScalable(weight.dataType) ? channelLayout(node, weight.dims) : undefined;
  if (!layout) return undefined;
  const hasOwnBias = biasName !== "" && isOwn(biasName, wiring);
  if (!biasName) return { node, graph, weight, ...layout, bias: undefined, hasOwnBias };
  const bias = await biasOf(node, layout.channels, weight.dataType, wiring);
  return bias && { node, graph, weight, ...layout, bias, hasOwnBias };
}

function isOwn(name: string, wiring: Wiring): boolean {
  return wiring.readerCount(name) === 1 && !wiring.isOutput(name);
}

async function biasOf(
  node: Node,
  channels: number,
  dataType: DataType,
  wiring: Wiring,
): Promise<number[] | undefined> {
  const tensor = wiring.constant(node.inputs[2]);
  if (tensor?.dataType !== dataType) return undefined;
  const count = elementCount(tensor.dims);
  // A Gemm's bias may be one number, or a row; one number a row of the result is not a channel's.
  if (count !== 1 && (count !== channels || tensor.dims.at(-1) !== channels)) return undefined;
  const beta = node.opType === "Gemm" ? floatAttribute(node, "beta", 1) : 1;
  const values = ((await tensorNumbers(tensor)) ?? []).map((value) => value * beta);
  return values.length === channels ? values : Array<number>(channels).fill(values[0] ?? 0);
}

/**
 * W′ = W·factor, b′ = b·factor + shift, in the place of `node`, which reads the product. Both are computed in float64
 * and each weight is rounded once: to a relative error of 2⁻²⁴ (float32) or 2⁻¹¹ (float16).
 * @param method for the report
 * @returns false where a weight would not be finite
 */
export function absorb(
  product: Product,
  node: Node,
  { factor, shift }: Affine,
  method: string,
  subject: Subject,
  wiring: Wiring,
): boolean {
  const { weight, channelOf } = product;
  const bias = shift.map((value, i) => (product.bias?.[i] ?? 0) * (factor[i] ?? 1) + value);
  if (![...factor, ...bias].every(Number.isFinite)) return false;
  if (factor.some((value) => value !== 1)) {
    weight.data = scaledData({ ...weight }, (index) => factor[channelOf(index)] ?? 1);
    report(product, method, subject);
  }
  if (product.bias || bias.some((value) => value !== 0)) setBias(product, bias, wiring);
  // The product makes what the node made: the name of an output stays.
  const [from = "", to = ""] = [product.node.outputs[0], node.outputs[0]];
  wiring.rename(product.node, from, to);
  wiring.remove(node);
  return true;
}

/** Once for a weight, whatever it takes in. */
function report({ node, weight }: Product, method: string, { changed }: Subject): void {
  const { name, dataType, dims, data } = weight;
  const before = changed.find((each) => each.name === name);
  if (before?.method.includes(method)) return;
  if (before) {
    before.method += `, ${method}`;
    return;
  }
  changed.push({
    name,
    node: nodeLabel(node),
    method,
    dims: [...dims],
    from: dataTypeName(dataType),
    to: dataTypeName(dataType),
    bytesBefore: data.byteLength,
    bytesAfter: data.byteLength,
    sqnrDb: null,
  });
}

function setBias({ node, graph, weight, hasOwnBias }: Product, bias: number[], wiring: Wiring) {
  const before = node.inputs[2] ?? "";
  const name = hasOwnBias ? before : wiring.fresh(`${weight.name}.bias`);
  const home = wiring.home(hasOwnBias ? before : weight.name) ?? graph;
  wiring.store(home, floatTensor(name, weight.dataType, bias));
  wiring.setInput(node, 2, name);
  if (node.opType === "Gemm") {
    const others = node.attributes.filter((attribute) => attribute.name !== "beta");
    node.attributes = [...others, makeFloat("beta", 1)];
  }
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
