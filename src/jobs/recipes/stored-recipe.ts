/** @file A stored recipe as an optimization takes it, found by id, by name or as `name@version`. */
import { ApiError } from "../../problem/api-error.ts";
import { findRecipe } from "../../store/recipes.ts";
import type { RecipeContent, RecipeName } from "./recipe.ts";

/** @throws ApiError `not_found` */
export async function requireRecipe(
  env: Env,
  workspace: string,
  reference: string,
): Promise<RecipeContent & { recipe: RecipeName }> {
  const found = await findRecipe(env.DB, workspace, reference);
  if (!found) throw new ApiError("not_found", `there is no recipe ${reference}`);
  const { id, name, version, steps, goal } = found;
  return { steps, goal, recipe: { id, name, version } };
}
