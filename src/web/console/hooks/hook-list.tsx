/** @file #/hooks: triggers; a new one's secret is shown once, with the address that its source sends to. */
import { useState } from "preact/hooks";
import type { Hook, NewHook } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { when } from "../format.ts";
import { deleteColumn } from "../parts/delete-column.tsx";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { Secret } from "../parts/secret.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { stepsText } from "../recipes/steps-text.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";
import { HookForm } from "./hook-form.tsx";

export function HookList() {
  const hone = useHone();
  const [made, setMade] = useState<NewHook>();
  const pages = usePages(async (query) => {
    return (await hone.api.GET("/v1/hooks", { params: { query } })).data;
  }, []);
  const removal = useAction(async (id: string) => {
    await hone.api.DELETE("/v1/hooks/{id}", { params: { path: { id } } });
    pages.reload();
  });
  return (
    <Page title="Hooks">
      <p>
        A hook starts a recipe when a model appears elsewhere: a release on GitHub, a new revision
        on Hugging Face, an object in R2, or your own signed call.
      </p>
      <Secret secret={made?.secret ?? undefined} what="the secret">
        <p>
          It signs what is sent to <code>{made && addressOf(made)}</code>
        </p>
      </Secret>
      <Refused error={removal.error ?? pages.error} />
      <Table<Hook>
        caption="Hooks, newest first"
        rows={pages.rows as Hook[]}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None yet." : "Loading…"}
        columns={[
          {
            title: "Name",
            heads: true,
            cell: ({ id, name }) => <a href={to(["hooks", id])}>{name || id}</a>,
          },
          { title: "Source", cell: ({ source }) => source },
          { title: "Filter", cell: ({ filter }) => filterText(filter) },
          { title: "Recipe", cell: recipeText },
          { title: "Result to", cell: ({ deliver }) => deliver?.to },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
          deleteColumn("Delete it, and its log", removal),
        ]}
      />
      <MoreButton pages={pages} />
      <HookForm
        onMade={(hook) => {
          setMade(hook);
          pages.reload();
          scrollTo(0, 0);
        }}
      />
    </Page>
  );
}

/** Of a bucket, what the keys begin with. */
export const addressOf = ({ url }: Pick<Hook, "url">) =>
  url.startsWith("/") ? `${location.origin}${url}` : url;

export function filterText(filter: Hook["filter"]): string {
  const given = Object.entries(filter ?? {}).filter(([, glob]) => glob !== undefined);
  return given.map(([name, glob]) => `${name} ${glob}`).join(", ") || "all";
}

export function recipeText({ recipe, steps }: Pick<Hook, "recipe" | "steps">): string {
  return recipe ?? stepsText(steps);
}
