/** @file How fast a model is, how close to its original, how good on a dataset, or which values are in it; and where it ran. */
import type { MeasurementJob } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { Bars } from "../charts/bars.tsx";
import { decibels, milliseconds, real } from "../format.ts";
import { Facts } from "../parts/facts.tsx";
import { Table } from "../parts/table.tsx";

type Result = NonNullable<MeasurementJob["result"]>;
type Benchmark = Extract<Result, { device: string }>;
type Evaluation = Extract<Result, { metrics: unknown }>;
type Calibration = Extract<Result, { values: unknown }>;
type Verification = Extract<Result, { loaded: boolean }>;

export function MeasurementResult({ job: { result } }: { job: MeasurementJob }) {
  if (!result) return null;
  if ("device" in result) return <Times result={result} />;
  if ("values" in result) return <Ranges result={result} />;
  return "metrics" in result ? <Metrics result={result} /> : <Closeness result={result} />;
}

function Ranges({
  result: { backend, inputs, made_up, runs, values, unusable },
}: {
  result: Calibration;
}) {
  return (
    <>
      <Facts
        facts={[
          ["Backend", backend],
          ["Inputs", `${inputs}${made_up ? ", made up" : ""}`],
          ["Runs", runs],
        ]}
      />
      <Table
        caption="Ranges of values"
        rows={Object.entries(values)}
        rowKey={([name]) => name}
        columns={[
          { title: "Value", heads: true, cell: ([name]) => <code>{name}</code> },
          { title: "Smallest", number: true, cell: ([, { min }]) => real(min) },
          { title: "Largest", number: true, cell: ([, { max }]) => real(max) },
          { title: "Range from", number: true, cell: ([, { low }]) => real(low) },
          { title: "to", number: true, cell: ([, { high }]) => real(high) },
        ]}
      />
      {Object.keys(unusable).length > 0 && (
        <Table
          caption="Values without a range"
          rows={Object.entries(unusable)}
          rowKey={([name]) => name}
          columns={[
            { title: "Value", heads: true, cell: ([name]) => <code>{name}</code> },
            { title: "Why", cell: ([, why]) => why },
          ]}
        />
      )}
    </>
  );
}

function Metrics({ result: { backend, rows, metrics } }: { result: Evaluation }) {
  return (
    <>
      <Facts
        facts={[
          ["Backend", backend],
          ["Rows", rows],
        ]}
      />
      <Table
        caption="Over all rows"
        rows={Object.entries(metrics)}
        rowKey={([metric]) => metric}
        columns={[
          { title: "Metric", heads: true, cell: ([metric]) => <code>{metric}</code> },
          { title: "Value", number: true, cell: ([, value]) => value.toFixed(4) },
        ]}
      />
    </>
  );
}

function Times({ result: { backend, device, result, original } }: { result: Benchmark }) {
  const rows = [
    { what: "this model", times: result },
    ...(original ? [{ what: "the original", times: original }] : []),
  ];
  return (
    <>
      <Facts
        facts={[
          ["Backend", backend],
          ["Device", device || "not said"],
          ...(original
            ? ([["Times faster", `${real(original.median_ms / result.median_ms)}×`]] as const)
            : []),
        ]}
      />
      <Bars
        caption="Median time of one run"
        label="Model"
        unit="Median"
        bars={rows.map(({ what, times }) => ({
          key: what,
          label: what,
          value: times.median_ms,
          text: milliseconds(times.median_ms),
        }))}
      />
      <Table
        caption="All figures"
        rows={rows}
        rowKey={({ what }) => what}
        columns={[
          { title: "Model", heads: true, cell: ({ what }) => what },
          { title: "Runs", number: true, cell: ({ times }) => times.runs },
          { title: "Median", number: true, cell: ({ times }) => milliseconds(times.median_ms) },
          { title: "p90", number: true, cell: ({ times }) => milliseconds(times.p90_ms) },
          { title: "Fastest", number: true, cell: ({ times }) => milliseconds(times.min_ms) },
          { title: "Loading", number: true, cell: ({ times }) => milliseconds(times.load_ms) },
        ]}
      />
    </>
  );
}

function Closeness({ result }: { result: Verification }) {
  const { backend, loaded, ran, reason, outputs } = result;
  return (
    <>
      <Facts
        facts={[
          ["Backend", backend],
          ["Loaded", loaded ? "yes" : "no"],
          ["Run beside the original", ran ? "yes" : `no: ${reason ?? "not said"}`],
        ]}
      />
      <Table
        caption="Each output beside the original's"
        rows={outputs}
        rowKey={({ name }) => name}
        columns={[
          { title: "Output", heads: true, cell: ({ name }) => <code>{name}</code> },
          { title: "SQNR", number: true, cell: ({ sqnr_db }) => decibels(sqnr_db) },
          { title: "Cosine", number: true, cell: ({ cosine }) => cosine?.toFixed(6) ?? "–" },
          { title: "Largest error", number: true, cell: (output) => real(output.max_abs_error) },
        ]}
      />
    </>
  );
}
