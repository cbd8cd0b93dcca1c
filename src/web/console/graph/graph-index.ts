/** @file Who makes a value and who reads it, across a graph and the graphs within it. */
import type { Graph } from "../../../../sdk/typescript/src/index.ts";
import { type Weight, weightsOf } from "../models/weights.ts";

export type GraphNode = Graph["nodes"][number];

export interface IndexedNode extends GraphNode {
  /** Its place among all nodes; names may be missing or repeated. */
  index: number;
}

export interface GraphIndex {
  nodes: IndexedNode[];
  weights: Weight[];
  /** The node that makes a value, as seen from a graph. */
  producer: (graph: string, value: string) => IndexedNode | undefined;
  consumers: (graph: string, value: string) => IndexedNode[];
  weight: (graph: string, value: string) => Weight | undefined;
}

export function indexGraph(graph: Graph): GraphIndex {
  const nodes = graph.nodes.map((node, index) => ({ ...node, index }));
  const weights = weightsOf(graph);
  const paths = [...new Set(nodes.map((node) => node.graph))].sort((a, b) => b.length - a.length);
  const key = (path: string, value: string) => `${path}\0${value}`;
  const producers = new Map(
    nodes.flatMap((node) => node.outputs.map((value) => [key(node.graph, value), node] as const)),
  );
  const weightOf = new Map(weights.map((weight) => [key(weight.graph, weight.name), weight]));

  /** A graph sees its own values first, then those of the graphs around it. */
  const around = (path: string) =>
    paths.filter((each) => each === path || each === "" || path.startsWith(`${each}/`));
  const scopes = new Map(paths.map((path) => [path, around(path)]));
  const seen = <T>(table: Map<string, T>, path: string, value: string): T | undefined => {
    for (const scope of scopes.get(path) ?? [path]) {
      const found = table.get(key(scope, value));
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const readers = new Map<string, IndexedNode[]>();
  for (const node of nodes) {
    for (const value of new Set(node.inputs)) {
      if (value === "") continue;
      const home = seen(producers, node.graph, value)?.graph ?? node.graph;
      const list = readers.get(key(home, value));
      if (list) list.push(node);
      else readers.set(key(home, value), [node]);
    }
  }
  return {
    nodes,
    weights,
    producer: (path, value) => (value === "" ? undefined : seen(producers, path, value)),
    consumers: (path, value) => readers.get(key(path, value)) ?? [],
    weight: (path, value) => seen(weightOf, path, value),
  };
}

/** By name, op type, or the name of a value; all words must be there. */
export function searchNodes(nodes: readonly IndexedNode[], text: string): IndexedNode[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...nodes];
  return nodes.filter(({ name, op_type, domain, inputs, outputs }) => {
    const hay = [name, op_type, `${domain}.${op_type}`, ...inputs, ...outputs]
      .join("\n")
      .toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}

export const titleOf = ({ name, op_type, index }: IndexedNode) => name || `${op_type} #${index}`;
