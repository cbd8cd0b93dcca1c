/** @file #/models/{id}/graph: a list that can be searched, and one node with its neighbourhood. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Graph } from "../../../../sdk/typescript/src/index.ts";
import { count } from "../format.ts";
import { loadGraph } from "../models/load-graph.ts";
import { Page } from "../parts/page.tsx";
import { Refused } from "../parts/problem.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";
import { Drawing, nodeQuery } from "./drawing.tsx";
import { indexGraph, type IndexedNode, searchNodes, titleOf } from "./graph-index.ts";
import { neighbourhood } from "./neighbourhood.ts";
import { NodeDetails } from "./node-details.tsx";

/** Entries of the list; a search finds the others. */
const LISTED = 200;

export function GraphPage({ id, query }: { id: string; query: URLSearchParams }) {
  const hone = useHone();
  const { data, error } = useLoad(
    async () => ({ model: await hone.models.get(id), graph: await loadGraph(hone, id) }),
    [id],
  );
  return (
    <Page
      title={data ? `Graph of ${data.model.name}` : "Graph"}
      kicker={<a href={to(["models", id])}>{data?.model.name ?? "Model"}</a>}
    >
      <Refused error={error} />
      {data ? (
        <GraphView graph={data.graph} node={query.get("node")} search={query.get("q") ?? ""} />
      ) : (
        !error && <p class="faint">Reading the graph…</p>
      )}
    </Page>
  );
}

function GraphView({ graph, node, search }: { graph: Graph; node: string | null; search: string }) {
  const [text, setText] = useState(search);
  const index = useMemo(() => indexGraph(graph), [graph]);
  const found = useMemo(() => searchNodes(index.nodes, text), [index, text]);
  const chosen = node === null ? undefined : index.nodes[Number(node)];
  useEffect(() => setText(search), [search]);
  return (
    <div class="sidebar">
      <section aria-label="Nodes">
        <label class="search">
          <span>Search by name, op type or value</span>
          <input
            type="search"
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        <p class="faint" aria-live="polite">
          {count(found.length, "node")}
          {found.length > LISTED && `, the first ${LISTED} of them`}
        </p>
        <ul class="nodes">
          {found.slice(0, LISTED).map((each) => (
            <li key={each.index}>
              <a
                href={to(["models", graph.model_id, "graph"], nodeQuery(each, text))}
                aria-current={each === chosen ? "true" : undefined}
              >
                <b>{each.op_type}</b> <span>{titleOf(each)}</span>
              </a>
            </li>
          ))}
        </ul>
      </section>
      <section aria-live="polite">
        {chosen ? (
          <Chosen key={chosen.index} graph={graph} index={index} node={chosen} query={text} />
        ) : (
          <p class="faint">
            Choose a node to see what it reads, what it makes and who is around it.
          </p>
        )}
      </section>
    </div>
  );
}

function Chosen({
  graph,
  index,
  node,
  query,
}: {
  graph: Graph;
  index: ReturnType<typeof indexGraph>;
  node: IndexedNode;
  query: string;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: innerWidth > 800 }), []);
  const layered = useMemo(() => neighbourhood(index, node), [index, node]);
  return (
    <>
      <h2 ref={heading} tabIndex={-1}>
        {titleOf(node)}
      </h2>
      <Drawing modelId={graph.model_id} layered={layered} centre={node} query={query} />
      <NodeDetails modelId={graph.model_id} graph={index} node={node} query={query} />
    </>
  );
}
