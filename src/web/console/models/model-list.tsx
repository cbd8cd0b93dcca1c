/** @file #/models */
import { bytes, compact, when } from "../format.ts";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";

export function ModelList() {
  const hone = useHone();
  const pages = usePages(async (query) => {
    return (await hone.api.GET("/v1/models", { params: { query } })).data;
  }, []);
  return (
    <Page title="Models">
      <p>
        <a href={to(["compress"])}>Send in a model</a>
      </p>
      <Refused error={pages.error} />
      <Table
        caption="Stored models, newest first"
        rows={pages.rows}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None yet." : "Loading…"}
        columns={[
          {
            title: "Name",
            heads: true,
            cell: ({ id, name }) => <a href={to(["models", id])}>{name}</a>,
          },
          { title: "Size", number: true, cell: (model) => bytes(model.bytes) },
          { title: "Parameters", number: true, cell: ({ parameters }) => compact(parameters) },
          { title: "Opset", number: true, cell: ({ opset }) => opset ?? "–" },
          {
            title: "Made by",
            cell: ({ lineage }) =>
              lineage ? <a href={to(["jobs", lineage.job])}>{lineage.operation}</a> : "sent in",
          },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
        ]}
      />
      <MoreButton pages={pages} />
    </Page>
  );
}
