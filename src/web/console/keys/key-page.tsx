/** @file #/keys: API keys of the workspace; a new one's secret is shown once. */
import { useState } from "preact/hooks";
import { when } from "../format.ts";
import { ConfirmButton, CopyButton } from "../parts/buttons.tsx";
import { TextField } from "../parts/fields.tsx";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

export function KeyPage() {
  const hone = useHone();
  const [name, setName] = useState("");
  const [secret, setSecret] = useState<string>();
  const pages = usePages(async (cursor) => {
    const query = cursor === undefined ? {} : { cursor };
    return (await hone.api.GET("/v1/keys", { params: { query } })).data;
  }, []);
  const creation = useAction(async () => {
    const { data } = await hone.api.POST("/v1/keys", { body: { name } });
    setSecret(data?.secret);
    setName("");
    pages.reload();
  });
  const removal = useAction(async (id: string) => {
    await hone.api.DELETE("/v1/keys/{id}", { params: { path: { id } } });
    pages.reload();
  });
  return (
    <Page title="Keys">
      <p>
        Each key opens this whole workspace. Send it as <code>Authorization: Bearer …</code>.
      </p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          creation.run();
        }}
      >
        <TextField label="Name" value={name} onChange={setName} maxLength={100} required />
        <button class="primary" type="submit" disabled={creation.busy}>
          Make a key
        </button>
      </form>
      <Refused error={creation.error ?? removal.error ?? pages.error} />
      <div aria-live="polite">
        {secret && (
          <div class="card">
            <p>
              <strong>Shown only now:</strong>
            </p>
            <pre tabIndex={0} aria-label="The new key" data-testid="secret">
              {secret}
            </pre>
            <CopyButton text={secret} what="the key" />
          </div>
        )}
      </div>
      <Table
        caption="Keys, newest first"
        rows={pages.rows}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None." : "Loading…"}
        columns={[
          { title: "Name", heads: true, cell: (key) => key.name },
          { title: "Key", cell: ({ hint }) => <code>{hint}</code> },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
          {
            title: "Delete",
            quiet: true,
            cell: (key) => (
              <ConfirmButton
                label="Delete"
                sure="Delete: it opens nothing from then on"
                onConfirm={() => removal.run(key.id)}
                disabled={removal.busy}
              />
            ),
          },
        ]}
      />
      <MoreButton pages={pages} />
    </Page>
  );
}
