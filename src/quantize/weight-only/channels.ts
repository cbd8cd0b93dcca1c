/**
 * @file Which inputs of which ops are weights, and along which axis their channels lie.
 *
 * A channel is a slice that makes one output feature: its scale factors out of the contraction, so one
 * large weight costs precision in its own channel only. (ONNX Runtime's QDQ quantizer takes the same axes.)
 */
import { intAttribute } from "../../graph/attributes.ts";
import type { Node } from "../../onnx/model.ts";

/** The channel axis of the weight, given the node and the rank of the value it reads. */
type ChannelAxis = (node: Node, rank: number) => number;

const last: ChannelAxis = (_, rank) => rank - 1;
const beforeLast: ChannelAxis = (_, rank) => rank - 2;
const axis =
  (index: number): ChannelAxis =>
  () =>
    index;

/** Of a matrix operand: the axis that is not contracted. */
const left: ChannelAxis = (node, rank) => rank - (intAttribute(node, "transA", 0) ? 1 : 2);
const right: ChannelAxis = (node, rank) => rank - (intAttribute(node, "transB", 0) ? 2 : 1);

/**
 * Embeddings: one scale per row that can be gathered. Rows of rare tokens are often far smaller than
 * those of frequent ones, so a scale per row keeps each row's relative error (as torch's quantized
 * Embedding does), for 4 bytes in a row of hundreds.
 */
const gathered: ChannelAxis = (node, rank) => {
  const value = intAttribute(node, "axis", 0);
  return value < 0 ? value + rank : value;
};

/**
 * [directions, gates · hidden, …]: the gate rows. Both directions of a bidirectional net share a row's
 * scale, because DequantizeLinear has one axis.
 */
const recurrent: readonly (ChannelAxis | undefined)[] = [undefined, axis(1), axis(1)];

const CHANNELS: Readonly<Record<string, readonly (ChannelAxis | undefined)[]>> = {
  MatMul: [beforeLast, last],
  Gemm: [left, right],
  Conv: [undefined, axis(0)],
  ConvTranspose: [undefined, axis(1)],
  Gather: [gathered],
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  "com.microsoft.FusedMatMul": [left, right],
  "com.microsoft.FusedGemm": [left, right],
  "com.microsoft.FusedConv": [undefined, axis(0)],
  "com.microsoft.Attention": [undefined, last],
  "com.microsoft.EmbedLayerNormalization": [undefined, undefined, axis(0), axis(0), axis(0)],
};

/**
 * The channel axis of a node's weight input, or `undefined` when that input is not a weight.
 * @param rank of the value the node reads, at least 2
 */
export function channelAxis(node: Node, input: number, rank: number): number | undefined {
  const key = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
  const found = Object.hasOwn(CHANNELS, key) ? CHANNELS[key]?.[input]?.(node, rank) : undefined;
  return found !== undefined && found >= 0 && found < rank ? found : undefined;
}
