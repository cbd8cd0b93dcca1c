/** @file What a picture costs a net's convolutions, roughly: enough to choose how large it should be. */
import { intsAttribute } from "../graph/attributes.ts";
import { resolveConstant } from "../graph/constants.ts";
import { Scope } from "../graph/scope.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Graph, Node } from "../onnx/model.ts";

/** Resize and Upsample mostly double height and width. */
const UPSAMPLED = 4;

/**
 * Multiply-adds of the graph's convolutions for inputs of `pixels` pixels, by following how strides shrink what is
 * between them; other ops are taken to keep the size of their largest input.
 */
export function convolutionCost(graph: Graph, pixels: number): number {
  const scope = Scope.of(graph);
  /** Of each value, the pixels it has for one of the input's. */
  const shares = new Map(graph.inputs.map(({ name }) => [name, 1]));
  let cost = 0;
  for (const node of graph.nodes) {
    const share = Math.max(0, ...node.inputs.map((name) => shares.get(name) ?? 0));
    const after = share * growth(node);
    for (const output of node.outputs) shares.set(output, after);
    if (node.opType !== "Conv" && node.opType !== "ConvTranspose") continue;
    const weight = resolveConstant(scope, node.inputs[1] ?? "")?.tensor;
    const at = node.opType === "Conv" ? after : share;
    if (weight) cost += elementCount(weight.dims) * pixels * at;
  }
  return cost;
}

function growth(node: Node): number {
  switch (node.opType) {
    case "Conv":
    case "MaxPool":
    case "AveragePool":
    case "LpPool":
      return 1 / elementCount(intsAttribute(node, "strides") ?? []);
    case "ConvTranspose":
      return elementCount(intsAttribute(node, "strides") ?? []);
    case "Resize":
    case "Upsample":
      return UPSAMPLED;
    case "GlobalAveragePool":
    case "GlobalMaxPool":
      return 0;
    default:
      return 1;
  }
}
