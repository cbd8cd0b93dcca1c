/** @file A recipe: how far each of its steps is, and what each of them made. */
import type {
  OptimizeJob,
  RecipeStepResult,
  SearchReport,
} from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { bytes, decibels, milliseconds, real, when } from "../format.ts";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { SearchResult } from "./search-result.tsx";

export function OptimizeView({ job: { progress, result, error } }: { job: OptimizeJob }) {
  // A search that found nothing good enough still says what it tried.
  const refused = error?.report as { search?: SearchReport } | undefined;
  const search = result?.search ?? refused?.search;
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
      {search && <SearchResult search={search} />}
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
