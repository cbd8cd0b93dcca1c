/** @file One node: what it reads, what it makes, its attributes; with links to its neighbours. */
import type { ComponentChildren } from "preact";
import { bytes, shape } from "../format.ts";
import { Facts } from "../parts/facts.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { nodeQuery } from "./drawing.tsx";
import { type GraphIndex, type IndexedNode, titleOf } from "./graph-index.ts";

interface Wire {
  side: "input" | "output";
  place: number;
  value: string;
  other: ComponentChildren;
}

export function NodeDetails({
  modelId,
  graph,
  node,
  query,
}: {
  modelId: string;
  graph: GraphIndex;
  node: IndexedNode;
  query: string;
}) {
  const link = (other: IndexedNode) => (
    <a key={other.index} href={to(["models", modelId, "graph"], nodeQuery(other, query))}>
      {other.op_type} {titleOf(other)}
    </a>
  );
  const source = (value: string): ComponentChildren => {
    if (value === "") return "not given";
    const weight = graph.weight(node.graph, value);
    if (weight) return `weight, ${weight.data_type} ${shape(weight.dims)}, ${bytes(weight.bytes)}`;
    const producer = graph.producer(node.graph, value);
    return producer ? link(producer) : "input of the graph";
  };
  const wires: Wire[] = [
    ...node.inputs.map((value, place) => ({
      side: "input" as const,
      place,
      value,
      other: source(value),
    })),
    ...node.outputs.map((value, place) => {
      const readers = graph.consumers(node.graph, value);
      const other = readers.length > 0 ? readers.map(link) : "output of the graph, or unused";
      return { side: "output" as const, place, value, other };
    }),
  ];
  return (
    <>
      <Facts
        facts={[
          ["Op type", node.domain ? `${node.domain}.${node.op_type}` : node.op_type],
          ["Graph", node.graph || "the model's own"],
        ]}
      />
      <Table
        caption="Inputs and outputs of the node"
        rows={wires}
        rowKey={({ side, place }) => `${side}${place}`}
        columns={[
          { title: "Value", heads: true, cell: ({ value }) => <code>{value || "–"}</code> },
          { title: "Side", cell: ({ side, place }) => `${side} ${place}` },
          { title: "From or to", cell: ({ other }) => <span class="links">{other}</span> },
        ]}
      />
      <Table
        caption="Attributes"
        rows={node.attributes}
        rowKey={({ name }) => name}
        empty="None."
        columns={[
          { title: "Name", heads: true, cell: ({ name }) => <code>{name}</code> },
          { title: "Type", cell: ({ type }) => type },
          { title: "Value", cell: ({ value }) => <code>{attributeText(value)}</code> },
        ]}
      />
    </>
  );
}

function attributeText(value: unknown): string {
  if (typeof value === "string") return value;
  const text = JSON.stringify(value) ?? "";
  return text.replaceAll(",", ", ");
}
