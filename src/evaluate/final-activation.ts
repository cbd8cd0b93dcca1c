/** @file Does a model end in probabilities? Its last nodes say so. */
import type { Model, Node } from "../onnx/model.ts";

/** They change how numbers are written, not what they are. */
const CARRIERS: ReadonlySet<string> = new Set([
  "Identity",
  "Cast",
  "QuantizeLinear",
  "DequantizeLinear",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
]);
const PROBABILITIES: ReadonlySet<string> = new Set(["Softmax", "Sigmoid", "HardSigmoid"]);

export function endsInProbabilities({ graph }: Model, output: string): boolean {
  const producers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])),
  );
  let node: Node | undefined = producers.get(output);
  while (node && CARRIERS.has(node.opType)) node = producers.get(node.inputs[0] ?? "");
  return node !== undefined && PROBABILITIES.has(node.opType);
}
