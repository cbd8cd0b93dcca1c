/** @file #/jobs, filtered by the address: `?state=failed&operation=train`. */
import type { operations } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { duration, when } from "../format.ts";
import { Choice } from "../parts/fields.tsx";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { jobTitle, OPERATION_TITLES, STATE_WORDS } from "./job-view.tsx";
import type { AnyJob } from "./use-job.ts";

type Query = NonNullable<operations["listJobs"]["parameters"]["query"]>;

export function JobList({ query }: { query: URLSearchParams }) {
  const hone = useHone();
  const filter = {
    state: query.get("state") ?? "",
    operation: query.get("operation") ?? "",
  };
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
  const pages = usePages(
    async (page) => {
      const query = { ...given, ...page } as Query;
      return (await hone.api.GET("/v1/jobs", { params: { query } })).data;
    },
    [filter.state, filter.operation],
  );
  const choose = (name: string) => (value: string) => {
    const { [name]: _, ...others } = given;
    go(["jobs"], value === "" ? others : { ...others, [name]: value });
  };
  return (
    <Page title="Jobs">
      <div class="row">
        <Choice
          label="State"
          value={filter.state}
          onChange={choose("state")}
          options={[["", "all"], ...Object.keys(STATE_WORDS).map((name) => [name, name] as const)]}
        />
        <Choice
          label="Operation"
          value={filter.operation}
          onChange={choose("operation")}
          options={[
            ["", "all"],
            ...Object.keys(OPERATION_TITLES).map((name) => [name, name] as const),
          ]}
        />
        <button type="button" onClick={pages.reload}>
          Refresh
        </button>
      </div>
      <Refused error={pages.error} />
      <Table<AnyJob>
        caption="Jobs, newest first"
        rows={pages.rows as AnyJob[]}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None." : "Loading…"}
        columns={[
          {
            title: "Job",
            heads: true,
            cell: (job) => (
              <a href={to(["jobs", job.id])}>
                {jobTitle(job)} <code>{job.id}</code>
              </a>
            ),
          },
          {
            title: "State",
            cell: ({ state }) => <span class={`state ${state}`}>{state}</span>,
          },
          {
            title: "Model",
            cell: ({ model_id }) => <a href={to(["models", model_id])}>{model_id}</a>,
          },
          { title: "Asked for", cell: ({ created_at }) => when(created_at) },
          {
            title: "Took",
            number: true,
            cell: ({ started_at, finished_at }) =>
              started_at && finished_at ? duration(finished_at - started_at) : "–",
          },
        ]}
      />
      <MoreButton pages={pages} />
    </Page>
  );
}
