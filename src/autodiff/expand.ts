/** @file Replacing nodes on the gradient's way by plainer ones, before the walk. */
import type { Model, Node } from "../onnx/model.ts";
import type { GradientGraph } from "./gradient-graph.ts";
import { readBy, reachedFrom, reaching } from "./paths.ts";
import { expansion } from "./rules.ts";

/** Expands, in place, each node between the parameters and the loss whose op has an expansion. */
export function expandNodes(
  graph: GradientGraph,
  model: Model,
  parameters: readonly string[],
  loss: string,
): void {
  const reached = reachedFrom(graph, model.graph.nodes, parameters);
  const wanted = reaching(model.graph.nodes, loss);
  const isOnPath = (node: Node): boolean =>
    node.outputs.some((name) => wanted.has(name)) && readBy(node).some((name) => reached.has(name));
  model.graph.nodes = model.graph.nodes.flatMap((node) =>
    isOnPath(node) ? expanded(graph, node) : [node],
  );
}

function expanded(graph: GradientGraph, node: Node): Node[] {
  const expand = expansion(node);
  if (!expand) return [node];
  const outputs = graph.at(node, () => expand(graph, node));
  if (!outputs) return [node];
  const nodes = graph.nodes;
  graph.nodes = [];
  return rename(graph, nodes, node, outputs).flatMap((part) => expanded(graph, part));
}

/** Lets the emitted values have the names of the outputs that they stand for. */
function rename(
  graph: GradientGraph,
  nodes: Node[],
  node: Node,
  values: readonly (string | undefined)[],
): Node[] {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const renamed = new Map<string, string>();
  const copies: [string, string][] = [];
  node.outputs.forEach((output, i) => {
    if (output === "") return;
    const value = values[i];
    if (value === undefined) throw graph.refusal(`its expansion gives no output ${i}`);
    if (made.has(value) && !renamed.has(value)) {
      renamed.set(value, output);
      graph.setType(output, graph.type(value));
    } else copies.push([renamed.get(value) ?? value, output]);
  });
  for (const part of nodes) {
    part.inputs = part.inputs.map((name) => renamed.get(name) ?? name);
    part.outputs = part.outputs.map((name) => renamed.get(name) ?? name);
  }
  for (const [value, output] of copies) {
    graph.emit("Identity", [value]);
    const copy = graph.nodes.pop();
    if (copy) nodes.push({ ...copy, outputs: [output] });
  }
  return nodes;
}
