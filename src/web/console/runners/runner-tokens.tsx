/** @file Tokens that runners connect with: made, shown once with the two ways to use them, revoked. */
import { useState } from "preact/hooks";
import type { RunnerToken } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { when } from "../format.ts";
import { ConfirmButton, CopyButton } from "../parts/buttons.tsx";
import { Choice, TextField } from "../parts/fields.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { RowForm } from "../parts/row-form.tsx";
import { Table } from "../parts/table.tsx";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

const LIVES = [
  ["3600", "an hour"],
  ["14400", "four hours"],
  ["86400", "a day"],
] as const;

export function RunnerTokens() {
  const hone = useHone();
  const [name, setName] = useState("runner");
  const [life, setLife] = useState("3600");
  const [secret, setSecret] = useState<string>();
  const pages = usePages(async (query) => {
    return (await hone.api.GET("/v1/runner-tokens", { params: { query } })).data;
  }, []);
  const creation = useAction(async () => {
    const { data } = await hone.api.POST("/v1/runner-tokens", {
      body: { name, ttl_s: Number(life) },
    });
    setSecret(data?.secret);
    pages.reload();
  });
  const removal = useAction(async (id: string) => {
    await hone.api.DELETE("/v1/runner-tokens/{id}", { params: { path: { id } } });
    pages.reload();
  });
  return (
    <section>
      <h2>Tokens</h2>
      <RowForm send="Make a token" action={creation}>
        <TextField label="Name" value={name} onChange={setName} maxLength={100} required />
        <Choice label="Valid for" value={life} onChange={setLife} options={LIVES} />
      </RowForm>
      <Refused error={removal.error ?? pages.error} />
      <div aria-live="polite">{secret && <HowToJoin secret={secret} />}</div>
      <Table<RunnerToken>
        caption="Runner tokens, newest first"
        rows={pages.rows}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None yet." : "Loading…"}
        columns={[
          { title: "Name", heads: true, cell: (token) => token.name },
          { title: "Id", cell: ({ id }) => <code>{id}</code> },
          { title: "State", cell: stateOf },
          {
            title: "Revoke",
            quiet: true,
            cell: ({ id, revoked_at, expires_at }) =>
              revoked_at === null && expires_at * 1000 > Date.now() ? (
                <ConfirmButton
                  label="Revoke"
                  sure="Revoke, and disconnect its runners"
                  onConfirm={() => removal.run(id)}
                />
              ) : null,
          },
        ]}
      />
      <MoreButton pages={pages} />
    </section>
  );
}

function stateOf({ revoked_at, expires_at }: RunnerToken): string {
  if (revoked_at !== null) return `revoked ${when(revoked_at)}`;
  return expires_at * 1000 > Date.now() ? `until ${when(expires_at)}` : "expired";
}

function HowToJoin({ secret }: { secret: string }) {
  const page = `${location.origin}/runner#token=${secret}`;
  const command = `hone runner --url ${location.origin} --token ${secret}`;
  return (
    <div class="card">
      <p>
        <strong>Shown only now.</strong> Open the page in the browser that computes, or run the
        command on the machine that does.
      </p>
      <p>
        <a href={page} target="_blank" rel="noreferrer" data-testid="runner-link">
          {page}
        </a>
      </p>
      <pre tabIndex={0} aria-label="Command">
        {command}
      </pre>
      <p class="row">
        <CopyButton text={page} what="the link" />
        <CopyButton text={command} what="the command" />
      </p>
    </div>
  );
}
