/** @file /v1/recipes: steps, or a goal, under a name, in versions. */
import { createRoute, z } from "@hono/zod-openapi";
import type { RecipeContent } from "../jobs/recipes/recipe.ts";
import { ApiError } from "../problem/api-error.ts";
import { sha256Hex } from "../store/id.ts";
import {
  addRecipe,
  deleteRecipe,
  findRecipe,
  listRecipes,
  type RecipeRow,
} from "../store/recipes.ts";
import { jsonBody } from "./body.ts";
import { createRouter, documentBody } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { RecipeSteps, requireOneOf, requireSteps, stepBody } from "./recipe-steps.ts";
import {
  IdempotencyHeaders,
  idParam,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  seconds,
  Timestamp,
  json,
} from "./schemas.ts";
import { requireGoal, SearchGoal } from "./search-goal.ts";
import { invalidRequest } from "./validation.ts";

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "must be 1 to 64 of a-z, 0-9, dot, dash and underscore")
  .openapi({ example: "small" });

const content = {
  steps: RecipeSteps.optional(),
  goal: SearchGoal.optional().openapi({ description: "Instead of steps: a search finds them." }),
};

const Recipe = z
  .object({
    id: z.string().openapi({ example: "recipe_7h3m" }),
    object: z.literal("recipe"),
    name,
    version: z.number().int().openapi({ description: "1, 2, … under one name." }),
    description: z.string(),
    ...content,
    created_at: Timestamp,
  })
  .openapi("Recipe");

const NewRecipe = z
  .strictObject({ name, description: z.string().max(500).default(""), ...content })
  .openapi("NewRecipeRequest", { description: "One of `steps` and `goal`." });
/** Steps and goal are read by hand, so that refusals name step and option. */
const Fields = z.strictObject({
  ...NewRecipe.shape,
  steps: z.unknown().optional(),
  goal: z.unknown().optional(),
});

const params = idParam("recipe", "recipe_7h3m");

const create = createRoute({
  hide: true,
  method: "post",
  path: "/v1/recipes",
  operationId: "createRecipe",
  tags: ["Recipes"],
  summary: "Store a recipe",
  description: "Under a name that is there already it is the next version; versions never change.",
  request: { headers: IdempotencyHeaders },
  responses: { 201: { description: "The recipe.", ...json(Recipe) }, ...problems(400, 409, 422) },
});

const list = createRoute({
  method: "get",
  path: "/v1/recipes",
  operationId: "listRecipes",
  tags: ["Recipes"],
  summary: "List recipes",
  request: { query: PageQuery.extend({ name: name.optional() }) },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(Recipe, "RecipeList")) },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/recipes/{id}",
  operationId: "getRecipe",
  tags: ["Recipes"],
  summary: "Get a recipe",
  description: "By id, by name (the latest version) or `name@version`.",
  request: { params },
  responses: { 200: { description: "The recipe.", ...json(Recipe) }, ...problems(404) },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/recipes/{id}",
  operationId: "deleteRecipe",
  tags: ["Recipes"],
  summary: "Delete a version of a recipe",
  description: "By its id. Jobs that were ordered with it go on.",
  request: { params },
  responses: { 204: { description: "Deleted." }, ...problems(404) },
});

export const recipes = createRouter()
  .openapi(create, async (c) => {
    const { text, value } = await jsonBody(c);
    const given = Fields.safeParse(value);
    if (!given.success) {
      throw invalidRequest(given.error.issues, "json", Object.keys(Fields.shape));
    }
    const { steps, goal, ...named } = given.data;
    requireOneOf({ steps, goal });
    const content: RecipeContent =
      goal === undefined ? { steps: requireSteps(steps) } : { steps: [], goal: requireGoal(goal) };
    return await idempotent(c, await sha256Hex(text), async () => {
      const row = await addRecipe(c.env.DB, c.get("workspace"), { ...named, ...content });
      return c.json(recipeBody(row), 201);
    });
  })
  .openapi(list, async (c) => {
    const { limit, cursor, name: only } = c.req.valid("query");
    const page = await listRecipes(c.env.DB, c.get("workspace"), only, { limit, cursor });
    return c.json(pageBody(page, recipeBody), 200);
  })
  .openapi(read, async (c) => {
    const { id } = c.req.valid("param");
    const row = await findRecipe(c.env.DB, c.get("workspace"), id);
    if (!row) throw new ApiError("not_found", `there is no recipe ${id}`);
    return c.json(recipeBody(row), 200);
  })
  .openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await deleteRecipe(c.env.DB, c.get("workspace"), id))) {
      throw new ApiError("not_found", `there is no recipe ${id}`);
    }
    return c.body(null, 204);
  });

documentBody(recipes, create, { "application/json": { schema: NewRecipe } });

function recipeBody(row: RecipeRow): z.infer<typeof Recipe> {
  return {
    id: row.id,
    object: "recipe",
    name: row.name,
    version: row.version,
    description: row.description,
    ...(row.goal
      ? { goal: row.goal as SearchGoal }
      : { steps: row.steps.map(stepBody) as z.infer<typeof RecipeSteps> }),
    created_at: seconds(row.created_at),
  };
}
