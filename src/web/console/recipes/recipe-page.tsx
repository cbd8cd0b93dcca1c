/** @file #/recipes: stored recipes, by name and version; what is sent under a name again is its next version. */
import { useState } from "preact/hooks";
import type {
  NewRecipeRequest,
  Recipe,
} from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { when } from "../format.ts";
import { deleteColumn } from "../parts/delete-column.tsx";
import { TextArea, TextField } from "../parts/fields.tsx";
import { indented, jsonOf } from "../parts/json.ts";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { RowForm } from "../parts/row-form.tsx";
import { Table } from "../parts/table.tsx";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";
import { stepsText } from "./steps-text.ts";

type Steps = NonNullable<NewRecipeRequest["steps"]>;

const EXAMPLE: Steps = [
  { op: "simplify" },
  { op: "quantize", method: "weight_only" },
  { op: "verify" },
];

export function RecipePage() {
  const hone = useHone();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [steps, setSteps] = useState(indented(EXAMPLE));
  const pages = usePages(async (query) => {
    return (await hone.api.GET("/v1/recipes", { params: { query } })).data;
  }, []);
  const creation = useAction(async () => {
    const body = { name, description, steps: jsonOf<Steps>("Steps", steps) };
    await hone.api.POST("/v1/recipes", { body });
    pages.reload();
  });
  const removal = useAction(async (id: string) => {
    await hone.api.DELETE("/v1/recipes/{id}", { params: { path: { id } } });
    pages.reload();
  });
  return (
    <Page title="Recipes">
      <p>
        Steps that are done one after another, each on what the one before made. A model's page runs
        them, and so does a hook. <a href="/docs">The documentation</a> has each step's options.
      </p>
      <RowForm send="Store the recipe" action={creation} wide>
        <TextField label="Name" value={name} onChange={setName} maxLength={64} required />
        <TextField label="Description" value={description} onChange={setDescription} />
        <TextArea label="Steps, as JSON" value={steps} onChange={setSteps} rows={9} />
      </RowForm>
      <Refused error={removal.error ?? pages.error} />
      <Table<Recipe>
        caption="Recipes, newest first"
        rows={pages.rows as Recipe[]}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None yet." : "Loading…"}
        columns={[
          { title: "Name", heads: true, cell: (recipe) => `${recipe.name}@${recipe.version}` },
          { title: "Steps", cell: (recipe) => stepsText(recipe.steps) },
          { title: "Description", cell: (recipe) => recipe.description },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
          deleteColumn("Delete this version", removal),
        ]}
      />
      <MoreButton pages={pages} />
    </Page>
  );
}
