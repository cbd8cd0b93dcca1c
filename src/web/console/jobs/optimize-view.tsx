/** @file A recipe: how far each of its steps is, and what each of them made. */
import type { OptimizeJob } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { bytes } from "../format.ts";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";

export function OptimizeView({ job: { progress, result } }: { job: OptimizeJob }) {
  const rows = progress.steps.map((step, index) => ({ step, result: result?.steps[index] }));
  return (
    <Table
      caption="Steps"
      rows={rows}
      rowKey={(_, index) => index}
      columns={[
        { title: "Step", cell: ({ step }) => step.op, heads: true },
        {
          title: "State",
          cell: (row) => (row.result?.cached ? "done before" : row.step.state),
        },
        {
          title: "Job",
          cell: ({ step: { job_id: id } }) => id && <a href={to(["jobs", id])}>{id}</a>,
        },
        {
          title: "Size",
          number: true,
          cell: (row) => row.result && bytes(row.result.bytes),
        },
      ]}
    />
  );
}
