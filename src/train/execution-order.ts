/**
 * @file The order in which ONNX Runtime computes a graph's nodes.
 *
 * It keeps no file's order: it walks from the nodes that nobody reads, the last one first, back through their inputs, the
 * one made last first, and computes a node when all its inputs are (`ReverseDFSFrom` in its graph.cc).
 */
import { readBy } from "../autodiff/paths.ts";
import type { Node } from "../onnx/model.ts";

/** The nodes in that order, unless some are fused. @param nodes in a topological order, as a file has them */
export function executionOrder(nodes: readonly Node[]): Node[] {
  const sources = sourcesOf(nodes);
  const read = new Set(sources.flat());
  const order: Node[] = [];
  const seen = new Set<number>();
  const stack = [...nodes.keys()]
    .filter((place) => !read.has(place))
    .map((place) => ({ place, isDone: false }));
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { place, isDone } = entry;
    const node = nodes[place];
    if (isDone && node) order.push(node);
    if (isDone || seen.has(place)) continue;
    seen.add(place);
    stack.push({ place, isDone: true });
    for (const source of sources[place] ?? []) stack.push({ place: source, isDone: false });
  }
  return order;
}

/** For each node the places of those that make what it reads, ascending. */
function sourcesOf(nodes: readonly Node[]): number[][] {
  const makers = new Map<string, number>();
  return nodes.map((node, place) => {
    const of = readBy(node).flatMap((name) => makers.get(name) ?? []);
    for (const name of node.outputs) if (name !== "") makers.set(name, place);
    return [...new Set(of)].toSorted((a, b) => a - b);
  });
}
