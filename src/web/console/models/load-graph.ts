/** @file A model's whole graph, page after page; the last one looked at is kept. */
import type { Graph, Hone } from "../../../../sdk/typescript/src/index.ts";

const PAGE = 10_000;
let kept: { id: string; graph: Promise<Graph> } | undefined;

export function loadGraph(hone: Hone, id: string): Promise<Graph> {
  if (kept?.id === id) return kept.graph;
  const graph = fetchGraph(hone, id);
  kept = { id, graph };
  graph.catch(() => {
    kept = undefined;
  });
  return graph;
}

async function fetchGraph(hone: Hone, id: string): Promise<Graph> {
  let whole: Graph | undefined;
  for (let offset = 0; ; offset += PAGE) {
    const { data } = await hone.api.GET("/v1/models/{id}/graph", {
      params: { path: { id }, query: { limit: PAGE, offset } },
    });
    const page = data as Graph;
    whole = whole
      ? {
          ...page,
          nodes: [...whole.nodes, ...page.nodes],
          initializers: [...whole.initializers, ...page.initializers],
        }
      : page;
    if (!page.has_more) return whole;
  }
}
