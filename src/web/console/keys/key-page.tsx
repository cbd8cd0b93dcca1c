/** @file #/keys: API keys of the workspace: what each may do, how long, and a new secret for it; a secret is shown once. */
import { useState } from "preact/hooks";
import type { Key } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { when } from "../format.ts";
import { ConfirmButton } from "../parts/buttons.tsx";
import { Checks } from "../parts/checks.tsx";
import { Choice, TextField } from "../parts/fields.tsx";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { RowForm } from "../parts/row-form.tsx";
import { Secret } from "../parts/secret.tsx";
import { Table } from "../parts/table.tsx";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

const SCOPES = ["read", "write", "admin"] as const;
type Scope = (typeof SCOPES)[number];
const LIVES = [
  ["", "until it is deleted"],
  ["86400", "a day"],
  ["2592000", "30 days"],
  ["31536000", "a year"],
] as const;

export function KeyPage() {
  const hone = useHone();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>([...SCOPES]);
  const [life, setLife] = useState("");
  const [secret, setSecret] = useState<string>();
  const pages = usePages(async (query) => {
    return (await hone.api.GET("/v1/keys", { params: { query } })).data;
  }, []);
  const creation = useAction(async () => {
    const expiry = life === "" ? {} : { expires_in_s: Number(life) };
    const body = { name, scopes: scopes as Scope[], ...expiry };
    setSecret((await hone.api.POST("/v1/keys", { body })).data?.secret);
    setName("");
    pages.reload();
  });
  const rotation = useAction(async (id: string) => {
    const params = { path: { id } };
    setSecret((await hone.api.POST("/v1/keys/{id}/rotate", { params, body: {} })).data?.secret);
    pages.reload();
  });
  const removal = useAction(async (id: string) => {
    await hone.api.DELETE("/v1/keys/{id}", { params: { path: { id } } });
    pages.reload();
  });
  return (
    <Page title="Keys">
      <p>
        A key opens this workspace: <code>read</code> for what is there, <code>write</code> to
        change it, <code>admin</code> for keys and webhooks. Send it as{" "}
        <code>Authorization: Bearer …</code>.
      </p>
      <RowForm send="Make a key" action={creation}>
        <TextField label="Name" value={name} onChange={setName} maxLength={100} required />
        <Checks legend="It may" options={SCOPES} chosen={scopes} onChange={setScopes} />
        <Choice label="It works" value={life} onChange={setLife} options={LIVES} />
      </RowForm>
      <Refused error={rotation.error ?? removal.error ?? pages.error} />
      <Secret secret={secret} what="the key" />
      <Table<Key>
        caption="Keys, newest first"
        rows={pages.rows}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None." : "Loading…"}
        columns={[
          { title: "Name", heads: true, cell: (key) => key.name },
          { title: "Key", cell: ({ hint }) => <code>{hint}</code> },
          { title: "May", cell: (key) => key.scopes.join(", ") },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
          { title: "Until", cell: ({ expires_at }) => expiry(expires_at) },
          {
            title: "Last used",
            cell: ({ last_used_at }) => (last_used_at === null ? "never" : when(last_used_at)),
          },
          {
            title: "Rotate and delete",
            quiet: true,
            cell: ({ id }) => (
              <span class="row">
                <ConfirmButton
                  label="Rotate"
                  sure="Rotate: the old secret works a day longer"
                  onConfirm={() => rotation.run(id)}
                  disabled={rotation.busy}
                />
                <ConfirmButton
                  label="Delete"
                  sure="Delete: it opens nothing from then on"
                  onConfirm={() => removal.run(id)}
                  disabled={removal.busy}
                />
              </span>
            ),
          },
        ]}
      />
      <MoreButton pages={pages} />
    </Page>
  );
}

function expiry(at: number | null) {
  if (at === null) return "it is deleted";
  return at * 1000 < Date.now() ? <span class="bad">expired</span> : when(at);
}
