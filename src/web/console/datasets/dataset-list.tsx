/** @file #/datasets: those that are stored, and a form to send one in. */
import { useState } from "preact/hooks";
import { bytes, shape, when, whole } from "../format.ts";
import { TextField } from "../parts/fields.tsx";
import { FileDrop } from "../parts/file-drop.tsx";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

export function DatasetList() {
  const hone = useHone();
  const [fields, setFields] = useState("");
  const pages = usePages(async (query) => {
    return (await hone.api.GET("/v1/datasets", { params: { query } })).data;
  }, []);
  const sending = useAction(async ([file]: File[]) => {
    if (!file) return;
    const grouped = fields.trim() === "" ? {} : { fields: fields.trim() };
    const dataset = await hone.datasets.create(file, { name: file.name, ...grouped });
    go(["datasets", dataset.id]);
  });
  return (
    <Page title="Datasets">
      <TextField
        label="Fields (optional)"
        value={fields}
        onChange={setFields}
        placeholder="e.g. image[28x28]:pixel_*,label"
        hint="How columns of a csv or parquet file become fields; taken as they are otherwise."
      />
      <FileDrop
        label="Drop rows here, or choose a file"
        hint="npz, npy, safetensors, csv or parquet"
        accept=".npz,.npy,.safetensors,.csv,.parquet"
        disabled={sending.busy}
        onFiles={sending.run}
      />
      <p class="reserve-line" aria-live="polite">
        {sending.busy && "Sending; the service reads every row…"}
      </p>
      <Refused error={sending.error} />
      <Refused error={pages.error} />
      <Table
        caption="Stored datasets, newest first"
        rows={pages.rows}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None yet." : "Loading…"}
        columns={[
          {
            title: "Name",
            heads: true,
            cell: ({ id, name }) => <a href={to(["datasets", id])}>{name}</a>,
          },
          { title: "Rows", number: true, cell: ({ rows }) => whole(rows) },
          { title: "Size", number: true, cell: (dataset) => bytes(dataset.bytes) },
          {
            title: "Fields",
            cell: (dataset) =>
              dataset.fields
                .map(({ name, dtype, shape: dims }) => `${name} ${dtype} ${shape(dims)}`)
                .join(", "),
          },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
        ]}
      />
      <MoreButton pages={pages} />
    </Page>
  );
}
