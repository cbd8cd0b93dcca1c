/**
 * @file The nodes that compute with a weight, also where its values are moved about before: exporters cut
 * the gates of an LSTM out of torch's matrices and join them in ONNX's order.
 */
import { storedAxis, type Weight, type WeightUse } from "../../graph/weights.ts";
import type { Node } from "../../onnx/model.ts";
import { channelAxis } from "./channels.ts";

export interface WeightReader {
  /** The node that computes with the weight. */
  node: Node;
  /** Axis of the stored tensor along which its channels lie. */
  axis: number;
}

/** Ops whose outputs hold values of their inputs and no others. */
const MOVES = new Set([
  "Identity",
  "Transpose",
  "Slice",
  "Split",
  "Concat",
  "Squeeze",
  "Unsqueeze",
  "Reshape",
  "Flatten",
  "Expand",
]);
/** Most nodes that are looked at behind one weight. */
const MOST_MOVES = 256;

/**
 * The readers for which the tensor is a weight, in the order of its uses; those that read it as it is, or
 * transposed, come first.
 */
export function weightReaders(weight: Weight): WeightReader[] {
  const rank = weight.tensor.dims.length;
  const direct: WeightReader[] = [];
  const moved: WeightReader[] = [];
  for (const use of weight.uses) {
    const axis = channelAxis(use.node, use.input, rank);
    if (axis !== undefined) direct.push({ node: use.node, axis: storedAxis(use, axis) });
    // what is moved about is cut along its rows: output features, in torch's layout
    else for (const node of readersBehind(use)) moved.push({ node, axis: 0 });
  }
  return [...direct, ...moved];
}

/** The nodes that compute with what a use moves. */
function readersBehind(use: WeightUse): Node[] {
  if (!isMove(use.node)) return [];
  const found = new Set<Node>();
  const seen = new Set<Node>([use.node]);
  const pending = [{ node: use.node, scope: use.scope }];
  for (let at = pending.pop(); at; at = pending.pop()) {
    for (const name of at.node.outputs) {
      for (const next of name ? at.scope.uses(name) : []) {
        // ranks are not known here: 3 is that of the recurrent weights, and every other op has rank 2 or more
        const isWeight = next.input > 0 && channelAxis(next.node, next.input, 3) !== undefined;
        if (isWeight) found.add(next.node);
        else if (isMove(next.node) && !seen.has(next.node) && seen.size < MOST_MOVES) {
          seen.add(next.node);
          pending.push({ node: next.node, scope: next.scope });
        }
      }
    }
  }
  return [...found];
}

function isMove(node: Node): boolean {
  return node.domain === "" && MOVES.has(node.opType);
}
