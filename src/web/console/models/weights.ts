/** @file A model's weights, wherever the graph keeps them: initializers and Constant nodes. */
import type { Graph } from "../../../../sdk/typescript/src/index.ts";

export interface Weight {
  name: string;
  graph: string;
  data_type: string;
  dims: number[];
  bytes: number;
}

/** Largest first. */
export function weightsOf(graph: Graph): Weight[] {
  const constants = graph.nodes
    .filter(({ op_type }) => op_type === "Constant")
    .flatMap(({ outputs, attributes, graph: path }) =>
      attributes
        .filter(({ type }) => type === "tensor")
        .map(({ value }) => ({
          ...(value as Pick<Weight, "data_type" | "dims" | "bytes">),
          name: outputs[0] ?? "",
          graph: path,
        })),
    );
  return [...graph.initializers, ...constants].sort((a, b) => b.bytes - a.bytes);
}

/** Op types with how often each is there, the most frequent first. */
export function operatorsOf({ nodes }: Graph): { type: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { op_type, domain } of nodes) {
    const type = domain === "" || domain === "ai.onnx" ? op_type : `${domain}.${op_type}`;
    counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts]
    .map(([type, count]) => ({ type, count }))
    .sort((a, b) => b.count - a.count || a.type.localeCompare(b.type));
}
