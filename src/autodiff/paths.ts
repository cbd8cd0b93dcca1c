/** @file Which values depend on the parameters, and which ones the loss depends on. */
import { subgraphs } from "../graph/attributes.ts";
import type { Graph, Node } from "../onnx/model.ts";
import { type GradientGraph, isFloatType } from "./gradient-graph.ts";
import { stopsGradient } from "./rules.ts";

/** The names a node reads, those that its subgraphs take from around them included. */
export function readBy(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== "");
  for (const body of subgraphs(node)) names.push(...readFromOutside(body));
  return names;
}

function readFromOutside(graph: Graph): string[] {
  const made = new Set([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)]);
  const names: string[] = [];
  for (const node of graph.nodes) {
    names.push(...readBy(node).filter((name) => !made.has(name)));
    for (const output of node.outputs) made.add(output);
  }
  return names;
}

/** True for outputs that a gradient can flow through: floats, and what is not known to be anything else. */
function carriesGradient(graph: GradientGraph, name: string): boolean {
  const type = graph.elementType(name);
  return name !== "" && (type === undefined || isFloatType(type));
}

/** The values that change smoothly with the parameters, these included. */
export function reachedFrom(
  graph: GradientGraph,
  nodes: readonly Node[],
  parameters: readonly string[],
): Set<string> {
  const reached = new Set(parameters);
  for (const node of nodes) {
    if (stopsGradient(node) || !readBy(node).some((name) => reached.has(name))) continue;
    for (const name of node.outputs) {
      // Straight-through: codes stand for the float values that they are of.
      if (node.opType === "QuantizeLinear" || carriesGradient(graph, name)) reached.add(name);
    }
  }
  return reached;
}

/** The values from which a way leads to `value`, itself included. */
export function reaching(nodes: readonly Node[], value: string): Set<string> {
  const found = new Set([value]);
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => found.has(name))) continue;
    for (const name of readBy(node)) found.add(name);
  }
  return found;
}
