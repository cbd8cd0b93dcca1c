/** @file What is in a model: parameters, inputs and outputs, operators, bytes by tensor. */
import type { Graph, Model } from "../../../../sdk/typescript/src/index.ts";
import { Bars } from "../charts/bars.tsx";
import { bytes, compact, shape, whole } from "../format.ts";
import { Facts, Figures } from "../parts/facts.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";
import { loadGraph } from "./load-graph.ts";
import { operatorsOf, weightsOf } from "./weights.ts";

export function ModelSummary({ model }: { model: Model }) {
  const hone = useHone();
  const { data: graph, error } = useLoad(async () => await loadGraph(hone, model.id), [model.id]);
  return (
    <>
      <Figures
        facts={[
          ["Size", bytes(model.bytes)],
          ["Parameters", compact(model.parameters)],
          ["Nodes", whole(model.nodes)],
          ["Opset", model.opset ?? "none"],
        ]}
      />
      <Facts
        facts={[
          ["Id", <code key="id">{model.id}</code>],
          ["Made by", model.producer || "not said"],
          ["SHA-256", <code key="sha">{model.sha256}</code>],
          ...(model.external_data.length > 0
            ? ([
                [
                  "External data",
                  model.external_data
                    .map(({ location, bytes: size }) => `${location} (${bytes(size)})`)
                    .join(", "),
                ],
              ] as const)
            : []),
        ]}
      />
      <Refused error={error} />
      <Interface model={model} />
      <div class="halves">
        {graph ? <Contents graph={graph} /> : <p class="faint">Reading the graph…</p>}
      </div>
    </>
  );
}

function Interface({ model }: { model: Model }) {
  const rows = [
    ...model.inputs.map((value) => ({ ...value, side: "input" })),
    ...model.outputs.map((value) => ({ ...value, side: "output" })),
  ];
  return (
    <Table
      caption="Inputs and outputs"
      rows={rows}
      rowKey={({ side, name }) => `${side} ${name}`}
      columns={[
        { title: "Name", cell: ({ name }) => <code>{name}</code>, heads: true },
        { title: "Side", cell: ({ side }) => side },
        { title: "Type", cell: ({ type }) => type },
        { title: "Shape", cell: (value) => shape(value.shape) },
      ]}
    />
  );
}

function Contents({ graph }: { graph: Graph }) {
  const weights = weightsOf(graph);
  return (
    <>
      <section>
        <Bars
          caption="Operators"
          label="Op type"
          unit="Nodes"
          bars={operatorsOf(graph).map(({ type, count }) => ({
            key: type,
            label: <a href={to(["models", graph.model_id, "graph"], { q: type })}>{type}</a>,
            value: count,
            text: whole(count),
          }))}
        />
      </section>
      <section>
        <Bars
          caption="Bytes by tensor"
          label="Weight"
          unit="Bytes"
          bars={weights.map(({ name, graph: path, data_type, dims, bytes: size }) => ({
            key: `${path} ${name}`,
            label: <code title={`${data_type} ${shape(dims)}`}>{name}</code>,
            value: size,
            text: bytes(size),
          }))}
        />
      </section>
    </>
  );
}
