/** @file A recipe: how far each of its steps is, what each of them made, and what a search tried. */
import type {
  OptimizeJob,
  RecipeStepResult,
  SearchReport,
  SearchTrial,
} from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { bytes, decibels, milliseconds, real, when } from "../format.ts";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";

export function OptimizeView({ job: { progress, result } }: { job: OptimizeJob }) {
  // A search has more steps than results: each is found by its job.
  const rows = progress.steps.map((step) => ({
    step,
    result: result?.steps.find(({ job_id }) => job_id === step.job_id),
  }));
  return (
    <>
      <Table
        caption="Steps"
        rows={rows}
        rowKey={(_, index) => index}
        columns={[
          {
            title: "Step",
            heads: true,
            cell: ({ step: { op, of } }) => (of === undefined ? op : `${op}: ${of}`),
          },
          {
            title: "State",
            cell: ({ step, result: done }) => (
              <span class={`state ${step.state}`}>{done?.cached ? "done before" : step.state}</span>
            ),
          },
          {
            title: "Progress",
            cell: ({ step: { op, state, fraction, doing } }) => (
              <span class="step-progress">
                <progress max={1} value={fraction} aria-label={`Progress of ${op}`} />{" "}
                {state === "running" ? doing : ""}
              </span>
            ),
          },
          {
            title: "Job",
            cell: ({ step: { job_id: id } }) => id && <a href={to(["jobs", id])}>{id}</a>,
          },
          { title: "Size", number: true, cell: (row) => row.result && bytes(row.result.bytes) },
          {
            title: "Took",
            number: true,
            cell: (row) => row.result && milliseconds(row.result.ms),
          },
          { title: "Found", cell: (row) => row.result && found(row.result) },
        ]}
      />
      {result?.search && <Search search={result.search} />}
      {result?.links && (
        <section>
          <h2>Addresses that need no key</h2>
          <p>Until {when(result.links.expires_at)}.</p>
          <ul>
            {result.links.files.map(({ file, place }) => (
              <li key={file}>
                <a href={place}>{file}</a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** What a measuring step says, in a line. */
function found({ measured }: RecipeStepResult): string {
  if (measured === null) return "";
  if ("device" in measured) return `median ${milliseconds(measured.result.median_ms)}`;
  if ("metrics" in measured) {
    const metrics = Object.entries(measured.metrics);
    return metrics.map(([name, value]) => `${name} ${real(value)}`).join(", ");
  }
  if ("outputs" in measured) return `SQNR ${decibels(measured.min_sqnr_db)}`;
  return "";
}

function Search({ search }: { search: SearchReport }) {
  const { metric, minimize, max_drop, trials, best, evaluations } = search;
  return (
    <Table<SearchTrial>
      caption={`What was tried: the smallest ${minimize} within a drop of ${real(max_drop)} in ${metric}, by ${evaluations} evaluations`}
      rows={trials}
      rowKey={(_, index) => index}
      columns={[
        {
          title: "Tried",
          heads: true,
          cell: (trial) => (
            <>
              {trial.method}
              {trial.excluded_nodes > 0 && `, ${trial.excluded_nodes} nodes left`}
              {best !== null && trial === trials[best] && <strong> · best</strong>}
            </>
          ),
        },
        { title: metric, number: true, cell: (trial) => real(trial.metric) },
        { title: "Drop", number: true, cell: ({ drop }) => real(drop) },
        { title: "Size", number: true, cell: (trial) => trial.bytes && bytes(trial.bytes) },
        {
          title: "Latency",
          number: true,
          cell: ({ latency_ms }) => (latency_ms === null ? "–" : milliseconds(latency_ms)),
        },
        {
          title: "On the curve",
          cell: ({ on_curve, refusal }) => refusal ?? (on_curve ? "yes" : "no"),
        },
        {
          title: "Model",
          cell: ({ model_id: id }) => id && <a href={to(["models", id])}>{id}</a>,
        },
      ]}
    />
  );
}
