/** @file A node with those around it, in layers: two steps up, two steps down. */
import type { GraphIndex, IndexedNode } from "./graph-index.ts";

export interface Layered {
  /** From those furthest up to those furthest down. */
  layers: IndexedNode[][];
  edges: { from: number; to: number }[];
  /** Nodes of a layer that are not drawn. */
  left: number;
}

const STEPS = 2;
const MAX_IN_LAYER = 6;

export function neighbourhood(graph: GraphIndex, centre: IndexedNode): Layered {
  const drawn = new Map([[centre.index, centre]]);
  let left = 0;
  const walk = (next: (node: IndexedNode) => IndexedNode[]): IndexedNode[][] => {
    const layers: IndexedNode[][] = [];
    let layer = [centre];
    for (let step = 0; step < STEPS; step++) {
      const found = new Map(layer.flatMap(next).map((node) => [node.index, node]));
      const fresh = [...found.values()].filter(({ index }) => !drawn.has(index));
      layer = fresh.slice(0, MAX_IN_LAYER);
      left += fresh.length - layer.length;
      for (const node of layer) drawn.set(node.index, node);
      if (layer.length > 0) layers.push(layer);
    }
    return layers;
  };
  const above = walk((node) => producersOf(graph, node)).reverse();
  const below = walk((node) => consumersOf(graph, node));
  const edges = [...drawn.values()].flatMap((node) =>
    consumersOf(graph, node)
      .filter(({ index }) => drawn.has(index))
      .map(({ index }) => ({ from: node.index, to: index })),
  );
  return { layers: [...above, [centre], ...below], edges, left };
}

/** Without Constants: those are weights. */
function producersOf(graph: GraphIndex, node: IndexedNode): IndexedNode[] {
  return node.inputs.flatMap((value) => {
    const producer = graph.producer(node.graph, value);
    return producer && producer.op_type !== "Constant" ? [producer] : [];
  });
}

function consumersOf(graph: GraphIndex, node: IndexedNode): IndexedNode[] {
  const all = node.outputs.flatMap((value) => graph.consumers(node.graph, value));
  return [...new Map(all.map((each) => [each.index, each])).values()];
}
