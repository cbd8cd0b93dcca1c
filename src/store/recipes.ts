/** @file Stored recipes, of steps or of a goal: rows that never change, a new version for each change. */
import type { RecipeContent } from "../jobs/recipes/recipe.ts";
import { newId } from "./id.ts";
import { type Page, page, type PageRequest } from "./page.ts";

export interface RecipeRow extends RecipeContent {
  id: string;
  name: string;
  version: number;
  description: string;
  created_at: number;
}

type Row = Omit<RecipeRow, "steps" | "goal"> & { steps: string; goal: string | null };

const COLUMNS = "id, name, version, description, steps, goal, created_at";
const SELECT = `SELECT ${COLUMNS} FROM recipes
  WHERE workspace_id = ? AND deleted_at IS NULL`;

const fromRow = ({ steps, goal, ...row }: Row): RecipeRow => ({
  ...row,
  steps: JSON.parse(steps),
  goal: goal === null ? undefined : JSON.parse(goal),
});

/** Stores the next version of that name. */
export async function addRecipe(
  db: D1Database,
  workspace: string,
  { name, description, steps, goal }: RecipeContent & Pick<RecipeRow, "name" | "description">,
): Promise<RecipeRow> {
  const row = await db
    .prepare(
      `INSERT INTO recipes (id, workspace_id, name, version, description, steps, goal, created_at)
       SELECT ?1, ?2, ?3, coalesce(max(version), 0) + 1, ?4, ?5, ?6, ?7 FROM recipes
       WHERE workspace_id = ?2 AND name = ?3
       RETURNING ${COLUMNS}`,
    )
    .bind(
      newId("recipe"),
      workspace,
      name,
      description,
      JSON.stringify(steps),
      goal ? JSON.stringify(goal) : null,
      Date.now(),
    )
    .first<Row>();
  if (!row) throw new Error("store: a recipe was not stored");
  return fromRow(row);
}

/** @param reference an id, a name (its latest version), or `name@version` */
export async function findRecipe(
  db: D1Database,
  workspace: string,
  reference: string,
): Promise<RecipeRow | undefined> {
  const [name, version] = reference.split("@");
  const row = await db
    .prepare(
      `${SELECT} AND (id = ?2 OR name = ?3 AND (?4 IS NULL OR version = ?4))
       ORDER BY id = ?2 DESC, version DESC LIMIT 1`.replace(
        "workspace_id = ?",
        "workspace_id = ?1",
      ),
    )
    .bind(workspace, reference, name ?? "", version === undefined ? null : Number(version))
    .first<Row>();
  return row ? fromRow(row) : undefined;
}

export async function listRecipes(
  db: D1Database,
  workspace: string,
  name: string | undefined,
  request: PageRequest,
): Promise<Page<RecipeRow>> {
  const select = name === undefined ? SELECT : `${SELECT} AND name = ?`;
  const bindings = name === undefined ? [workspace] : [workspace, name];
  const { rows, next } = await page<Row>(db, select, bindings, request);
  return { rows: rows.map(fromRow), next };
}

export async function deleteRecipe(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      "UPDATE recipes SET deleted_at = ? WHERE id = ? AND workspace_id = ? AND deleted_at IS NULL",
    )
    .bind(Date.now(), id, workspace)
    .run();
  return meta.changes > 0;
}
