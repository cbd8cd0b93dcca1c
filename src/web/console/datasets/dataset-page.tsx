/** @file #/datasets/{id}: its fields, and some of its rows. */
import { useState } from "preact/hooks";
import type { Dataset } from "../../../../sdk/typescript/src/index.ts";
import { bytes, shape, when, whole } from "../format.ts";
import { ConfirmButton } from "../parts/buttons.tsx";
import { Figures } from "../parts/facts.tsx";
import { Page } from "../parts/page.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";
import { imageOf, Picture } from "./picture.tsx";

const ROWS = 10;

export function DatasetPage({ id }: { id: string }) {
  const hone = useHone();
  const { data: dataset, error } = useLoad(async () => await hone.datasets.get(id), [id]);
  const removal = useAction(async () => {
    await hone.datasets.delete(id);
    go(["datasets"]);
  });
  return (
    <Page title={dataset?.name ?? id} kicker={<a href={to(["datasets"])}>Datasets</a>}>
      <Refused error={error ?? removal.error} />
      {dataset && (
        <>
          <p class="row">
            <a class="button primary" href={to(["train"], { dataset: id })}>
              Train on it
            </a>
            <ConfirmButton
              label="Delete"
              sure="Delete it for good"
              onConfirm={removal.run}
              disabled={removal.busy}
            />
          </p>
          <Figures
            facts={[
              ["Rows", whole(dataset.rows)],
              ["Size", bytes(dataset.bytes)],
              ["Format", dataset.format],
              ["Since", when(dataset.created_at)],
            ]}
          />
          <Table
            caption="Fields"
            rows={dataset.fields}
            rowKey={({ name }) => name}
            columns={[
              { title: "Name", heads: true, cell: ({ name }) => <code>{name}</code> },
              { title: "Type", cell: ({ dtype }) => dtype },
              { title: "Shape of a row", cell: ({ shape: dims }) => shape(dims) },
            ]}
          />
          <Rows dataset={dataset} />
        </>
      )}
    </Page>
  );
}

function Rows({ dataset }: { dataset: Dataset }) {
  const hone = useHone();
  const [start, setStart] = useState(0);
  const { data, error } = useLoad(
    async () => await hone.datasets.rows(dataset.id, { start, limit: ROWS }),
    [dataset.id, start],
  );
  const rows = (data?.data ?? []).map((values, index) => ({
    number: (data?.start ?? 0) + index,
    values,
  }));
  return (
    <section>
      <h2>Rows</h2>
      <Refused error={error} />
      <Table
        caption={`Rows from ${whole(start)} on`}
        rows={rows}
        rowKey={({ number }) => number}
        empty={data ? "None." : "Loading…"}
        columns={[
          { title: "Row", heads: true, cell: ({ number }) => whole(number) },
          ...dataset.fields.map(({ name, shape: dims }) => ({
            title: name,
            cell: ({ values }: (typeof rows)[number]) => <Cell value={values[name]} dims={dims} />,
          })),
        ]}
      />
      <p class="row">
        <button
          type="button"
          disabled={start === 0}
          onClick={() => setStart(Math.max(0, start - ROWS))}
        >
          Rows before
        </button>
        <button type="button" disabled={!data?.has_more} onClick={() => setStart(start + ROWS)}>
          Rows after
        </button>
      </p>
    </section>
  );
}

/** What has the form of an image is drawn, all else written. */
function Cell({ value, dims }: { value: unknown; dims: number[] }) {
  const image = imageOf(value, dims);
  if (image) return <Picture image={image} />;
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return <code>{text.length > 80 ? `${text.slice(0, 80)}…` : text}</code>;
}
