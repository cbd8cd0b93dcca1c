/** @file #/hooks/{id}: what it listens to, a test of it, and what it received. */
import type { Hook, HookDelivery } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { when } from "../format.ts";
import { Facts } from "../parts/facts.tsx";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";
import { addressOf, filterText, recipeText } from "./hook-list.tsx";
import { HookTest } from "./hook-test.tsx";

export function HookPage({ id }: { id: string }) {
  const hone = useHone();
  const { data: hook, error } = useLoad(
    async () =>
      (await hone.api.GET("/v1/hooks/{id}", { params: { path: { id } } })).data as Hook | undefined,
    [id],
  );
  return (
    <Page title={hook ? hook.name || id : "Hook"} kicker={<a href={to(["hooks"])}>Hooks</a>}>
      <Refused error={error} />
      <div class="reserve">{hook ? <About hook={hook} /> : !error && <p>Loading…</p>}</div>
      {hook && <Contents hook={hook} />}
    </Page>
  );
}

function About({ hook }: { hook: Hook }) {
  return (
    <Facts
      facts={[
        ["Source", hook.source],
        [hook.source === "r2" ? "Keys begin with" : "Address", <code>{addressOf(hook)}</code>],
        ["Filter", filterText(hook.filter)],
        ["Recipe", recipeText(hook)],
        ["Result to", <code>{JSON.stringify(hook.deliver)}</code>],
      ]}
    />
  );
}

function Contents({ hook }: { hook: Hook }) {
  const hone = useHone();
  const pages = usePages(
    async (query) => {
      const params = { path: { id: hook.id }, query };
      return (await hone.api.GET("/v1/hooks/{id}/deliveries", { params })).data;
    },
    [hook.id],
  );
  return (
    <>
      <HookTest hook={hook} onSent={pages.reload} />
      <section>
        <h2>Log</h2>
        <p>
          <button type="button" onClick={pages.reload}>
            Refresh
          </button>
        </p>
        <Refused error={pages.error} />
        <Table<HookDelivery>
          caption="What it received in 30 days, newest first"
          rows={pages.rows}
          rowKey={({ id }) => id}
          empty={pages.loaded ? "Nothing yet." : "Loading…"}
          columns={[
            {
              title: "Delivery",
              heads: true,
              cell: ({ id }) => <a href={to(["hooks", hook.id, id])}>{id}</a>,
            },
            { title: "Event", cell: ({ event }) => event },
            { title: "State", cell: ({ state }) => <span class={`state ${state}`}>{state}</span> },
            { title: "Why", cell: ({ reason }) => reason },
            {
              title: "Job",
              cell: ({ job_id: id }) => id && <a href={to(["jobs", id])}>{id}</a>,
            },
            { title: "Result", cell: ({ result }) => result?.state },
            { title: "When", cell: ({ created_at }) => when(created_at) },
          ]}
        />
        <MoreButton pages={pages} />
      </section>
    </>
  );
}
