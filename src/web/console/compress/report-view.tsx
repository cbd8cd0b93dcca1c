/** @file What a compression did: before and after, each output, what `auto` tried, each weight. */
import type { Report } from "../../../../sdk/typescript/src/index.ts";
import { Bars } from "../charts/bars.tsx";
import { bytes, count, decibels, real, shape, whole } from "../format.ts";
import { Table } from "../parts/table.tsx";

export function ReportView({ report }: { report: Report }) {
  const { verification, tried, changed, kept, notes } = report;
  return (
    <>
      <BeforeAfter report={report} />
      <p class={verification.ran ? "good" : "bad"}>
        {verification.ran
          ? `Loaded and run beside the original by ${verification.runtime ?? "ONNX Runtime"}.${verification.inputs ? ` Inputs: ${verification.inputs}.` : ""}`
          : `${verification.loaded ? "Loaded, but not run" : "Not loaded"}: ${verification.reason ?? "not asked for"}.`}
      </p>
      {verification.outputs.length > 0 && (
        <Table
          caption="Each output beside the original's"
          rows={verification.outputs}
          rowKey={({ name }) => name}
          columns={[
            { title: "Output", heads: true, cell: ({ name }) => <code>{name}</code> },
            { title: "Shape", cell: ({ data_type, dims }) => `${data_type} ${shape(dims)}` },
            { title: "SQNR", number: true, cell: ({ sqnr_db }) => decibels(sqnr_db) },
            { title: "Cosine", number: true, cell: ({ cosine }) => cosine?.toFixed(6) ?? "–" },
            {
              title: "Largest error",
              number: true,
              cell: ({ max_abs_error }) => real(max_abs_error),
            },
            {
              title: "Same argmax",
              number: true,
              cell: ({ argmax_agreement }) =>
                argmax_agreement === null ? "–" : `${real(argmax_agreement * 100)} %`,
            },
          ]}
        />
      )}
      {tried.length > 0 && <Tried tried={tried} />}
      {report.simplification && <Simplification simplification={report.simplification} />}
      {changed.length > 0 && <Weights changed={changed} />}
      {kept.length > 0 && (
        <details>
          <summary>{count(kept.length, "weight")} stayed as they were</summary>
          <Table
            caption="Weights that stayed as they were"
            hidden
            rows={kept}
            rowKey={({ name }, index) => `${index} ${name}`}
            columns={[
              { title: "Weight", heads: true, cell: ({ name }) => <code>{name}</code> },
              { title: "Why", cell: ({ reason }) => reason },
            ]}
          />
        </details>
      )}
      {notes.length > 0 && (
        <ul>
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function BeforeAfter({ report }: { report: Report }) {
  const { bytes_before, bytes_after, ratio, method, verification, simplification } = report;
  const nodes = simplification && {
    what: "Nodes",
    before: whole(simplification.nodes_before),
    after: whole(simplification.nodes_after),
  };
  const rows = [
    ...(nodes ? [nodes] : []),
    { what: "Size", before: bytes(bytes_before), after: bytes(bytes_after) },
    { what: "Share", before: "100 %", after: `${real((100 * bytes_after) / bytes_before)} %` },
    { what: "Times smaller", before: "1×", after: `${real(ratio)}×` },
    {
      what: "Lowest SQNR",
      before: "–",
      after: decibelsOf(verification.min_sqnr_db, verification.ran),
    },
    {
      what: "Lowest cosine",
      before: "1",
      after: verification.min_cosine === null ? "–" : verification.min_cosine.toFixed(6),
    },
  ];
  return (
    <Table
      caption={`Before and after ${method}`}
      rows={rows}
      rowKey={({ what }) => what}
      columns={[
        { title: "Figure", heads: true, cell: ({ what }) => what },
        { title: "Before", number: true, cell: ({ before }) => before },
        { title: "After", number: true, cell: ({ after }) => <strong>{after}</strong> },
      ]}
    />
  );
}

const decibelsOf = (value: number | null, ran: boolean) => (ran ? decibels(value) : "not run");

function Tried({ tried }: Pick<Report, "tried">) {
  return (
    <Table
      caption="What was tried"
      rows={tried}
      rowKey={({ method }, index) => `${index} ${method}`}
      columns={[
        { title: "Method", heads: true, cell: ({ method }) => method },
        {
          title: "Size",
          number: true,
          cell: (each) => (each.bytes === null ? "–" : bytes(each.bytes)),
        },
        {
          title: "Lowest SQNR",
          number: true,
          cell: ({ min_sqnr_db }) => (min_sqnr_db === null ? "–" : decibels(min_sqnr_db)),
        },
        {
          title: "Outcome",
          cell: ({ outcome }) => (
            <span class={outcome === "chosen" ? "good" : undefined}>{outcome}</span>
          ),
        },
        { title: "Why", cell: ({ reason }) => reason ?? "" },
      ]}
    />
  );
}

function Simplification({
  simplification: { op_types, passes },
}: {
  simplification: NonNullable<Report["simplification"]>;
}) {
  return (
    <div class="halves">
      <Table
        caption="Nodes by op type"
        rows={op_types.filter(({ before, after }) => before !== after)}
        rowKey={({ op_type }) => op_type}
        empty="All stayed."
        columns={[
          { title: "Op type", heads: true, cell: ({ op_type }) => op_type },
          { title: "Before", number: true, cell: ({ before }) => whole(before) },
          { title: "After", number: true, cell: ({ after }) => <strong>{whole(after)}</strong> },
        ]}
      />
      <Table
        caption="What each pass changed"
        rows={passes.filter(({ changes }) => changes > 0)}
        rowKey={({ name }) => name}
        empty="Nothing."
        columns={[
          { title: "Pass", heads: true, cell: ({ name }) => <code>{name}</code> },
          { title: "Changes", number: true, cell: ({ changes }) => whole(changes) },
        ]}
      />
    </div>
  );
}

/** Least faithful first; weights whose noise is not known come last. Where none is, there is nothing to draw. */
function Weights({ changed }: Pick<Report, "changed">) {
  if (changed.every(({ sqnr_db }) => sqnr_db === null)) return <Rewritten changed={changed} />;
  const sorted = [...changed].sort(
    (a, b) => (a.sqnr_db ?? Infinity) - (b.sqnr_db ?? Infinity) || b.bytes_before - a.bytes_before,
  );
  return (
    <Bars
      caption="Signal over quantization noise by tensor, the noisiest first"
      label="Weight"
      unit="SQNR"
      tone="good"
      bars={sorted.map((change, index) => ({
        key: `${index} ${change.name}`,
        label: <code title={change.node}>{change.name}</code>,
        value: change.sqnr_db === null ? null : Math.max(0, change.sqnr_db),
        text: decibels(change.sqnr_db),
        note: kindText(change),
      }))}
    />
  );
}

function Rewritten({ changed }: Pick<Report, "changed">) {
  return (
    <details>
      <summary>{count(changed.length, "weight")} changed</summary>
      <Table
        caption="Weights that changed"
        hidden
        rows={changed}
        rowKey={({ name }, index) => `${index} ${name}`}
        columns={[
          { title: "Weight", heads: true, cell: ({ name }) => <code>{name}</code> },
          { title: "Kind", cell: kindText },
        ]}
      />
    </details>
  );
}

const kindText = ({ from, to, bytes_before, bytes_after }: Report["changed"][number]) =>
  `${from} → ${to}, ${bytes(bytes_before)} → ${bytes(bytes_after)}`;
