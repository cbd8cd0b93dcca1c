/** @file Where the output channels of Conv, ConvTranspose and Gemm are in their weights. */
import { intAttribute } from "../graph/attributes.ts";
import type { Node } from "../onnx/model.ts";

export interface ChannelLayout {
  channels: number;
  /** The output channel of a weight's element, by its index in storage order. */
  channelOf: (index: number) => number;
}

/** `undefined` where the dims do not fit the node. */
export function channelLayout(node: Node, dims: readonly number[]): ChannelLayout | undefined {
  const [first = 0, second = 0, ...kernel] = dims;
  const window = kernel.reduce((a, b) => a * b, 1);
  switch (node.opType) {
    // [M, C / groups, …]
    case "Conv":
      if (dims.length < 3) return undefined;
      return { channels: first, channelOf: (index) => Math.floor(index / (second * window)) };
    // [C, M / groups, …], the channels of a group in a row
    case "ConvTranspose": {
      const groups = intAttribute(node, "group", 1);
      if (dims.length < 3 || first % groups !== 0) return undefined;
      const inGroup = first / groups;
      return {
        channels: second * groups,
        channelOf: (index) => {
          const row = Math.floor(index / (second * window));
          const group = Math.floor(row / inGroup);
          return group * second + (Math.floor(index / window) % second);
        },
      };
    }
    // [K, N], or [N, K] with transB
    case "Gemm":
      if (dims.length !== 2) return undefined;
      if (intAttribute(node, "transB", 0) !== 0) {
        return { channels: first, channelOf: (index) => Math.floor(index / second) };
      }
      return { channels: second, channelOf: (index) => index % second };
    default:
      return undefined;
  }
}
