/** @file /v1/models/{id}/optimize: a recipe on a stored model, as one job; or only its plan. */
import { createRoute, z } from "@hono/zod-openapi";
import {
  bytesOf,
  checkGoal,
  orderOptimization,
  planOptimization,
} from "../jobs/recipes/order-optimization.ts";
import { planSearch } from "../jobs/recipes/plan-search.ts";
import { RECIPE_OPS, type RecipeStep } from "../jobs/recipes/recipe.ts";
import { requireRecipe } from "../jobs/recipes/stored-recipe.ts";
import { ApiError, problemOf } from "../problem/api-error.ts";
import { sha256Hex } from "../store/id.ts";
import type { StoredModel } from "../store/models.ts";
import { jsonBody } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { idempotent } from "./idempotency.ts";
import { JobSchema } from "./job-schema.ts";
import { requireModel } from "./models.ts";
import { jobAnswers, JobHeaders, waitFor } from "./prefer-wait.ts";
import {
  readSteps,
  RecipeReference,
  RecipeSteps,
  requireOneOf,
  requireSteps,
} from "./recipe-steps.ts";
import { requireGoal, SearchGoal, SearchPlan } from "./search-goal.ts";
import { idParam, problems, ProblemSchema, json } from "./schemas.ts";
import { invalidRequest } from "./validation.ts";

const OptimizeRequest = z
  .strictObject({
    steps: RecipeSteps.optional(),
    recipe: RecipeReference.optional(),
    goal: SearchGoal.optional().openapi({
      description:
        "Tries the methods that fit, and leaves out the nodes that cost most; the result is the smallest (or " +
        "fastest) model within the drop, and all that was tried.",
    }),
    name: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .openapi({ description: "Of the last model.", example: "resnet18.small.onnx" }),
    dry_run: z.boolean().default(false).openapi({
      description: "Only says what would be done, and what would be refused.",
    }),
  })
  .openapi("OptimizeRequest", { description: "One of `steps`, `recipe` and `goal`." });
const Fields = z.strictObject({
  ...OptimizeRequest.shape,
  steps: z.unknown().optional(),
  goal: z.unknown().optional(),
});

const Plan = z
  .object({
    object: z.literal("optimization_plan"),
    model_id: z.string(),
    ok: z.boolean().openapi({ description: "No step is refused, as far as is known before." }),
    steps: z.array(
      z.object({
        op: z.enum(RECIPE_OPS).nullable(),
        options: z.record(z.string(), z.unknown()),
        bytes: z.number().int().nullable().openapi({
          description: "Of the step's model, where it is there already.",
        }),
        cached: z.boolean().openapi({ description: "Its result is there already." }),
        model_id: z.string().nullable().openapi({ description: "That result." }),
        refusal: z.union([ProblemSchema, z.null()]),
      }),
    ),
    search: SearchPlan.optional().openapi({ description: "Of a goal." }),
  })
  .openapi("OptimizationPlan");

const optimizeRoute = createRoute({
  hide: true,
  method: "post",
  path: "/v1/models/{id}/optimize",
  operationId: "optimizeModel",
  tags: ["Recipes"],
  summary: "Carry out a recipe on a stored model",
  description:
    "One job for all steps: each step is a job of its own, on the model that the step before made. A step that was " +
    "done before on the same bytes with the same options is not done again. A step that fails ends the recipe, and " +
    "the error names it. With `goal` the steps are found by searching. With `dry_run` the answer is the plan, and " +
    "nothing is stored.",
  request: {
    params: idParam("model", "model_4k2v9x"),
    query: z.strictObject({ dry_run: z.enum(["true", "false"]).optional() }),
    headers: JobHeaders,
  },
  responses: {
    200: {
      description: "The plan; or the job, over within the time that `Prefer: wait` gave it.",
      ...json(z.union([Plan, JobSchema])),
    },
    202: jobAnswers[202],
    ...problems(400, 404, 409, 422, 503),
  },
});

export const optimize = createRouter().openapi(optimizeRoute, async (c) => {
  const { text, value } = await jsonBody(c);
  const given = Fields.safeParse(value);
  if (!given.success) throw invalidRequest(given.error.issues, "json", Object.keys(Fields.shape));
  const { steps, recipe, goal, name = null, dry_run: asked } = given.data;
  requireOneOf({ steps, recipe, goal });
  const workspace = c.get("workspace");
  const model = await requireModel(c, c.req.valid("param").id);
  const stored = recipe === undefined ? undefined : await requireRecipe(c.env, workspace, recipe);
  const searched = stored?.goal ?? (goal === undefined ? undefined : requireGoal(goal));
  if (asked || c.req.valid("query").dry_run === "true") {
    if (searched) return c.json(await searchPlan(c, model, searched), 200);
    return c.json(await plan(c, model, stored?.steps ?? readSteps(steps), steps), 200);
  }
  const content = stored ?? {
    ...(searched ? { steps: [], goal: searched } : { steps: requireSteps(steps) }),
    recipe: null,
  };
  return await idempotent(c, await sha256Hex(text), async () =>
    waitFor(c, await orderOptimization(c.env, workspace, { model, name, ...content })),
  );
});

documentBody(optimize, optimizeRoute, { "application/json": { schema: OptimizeRequest } });

/** A search is held against model and rows, as before it is accepted. */
async function searchPlan(
  c: AppContext,
  model: StoredModel,
  goal: SearchGoal,
): Promise<z.infer<typeof Plan>> {
  const workspace = c.get("workspace");
  await checkGoal(c.env, workspace, model, goal);
  const order = { workspace, modelId: model.id, bytes: bytesOf(model), goal };
  const { methods, refused } = await planSearch(c.env, order);
  const candidates = methods.map(({ what, options, bytes, nodes }) => ({
    method: what,
    options,
    bytes,
    nodes: nodes.length,
  }));
  const { max_evaluations } = goal;
  const reasons = refused.map(({ what, reason }) => ({ method: what, reason }));
  const search = { max_evaluations, candidates, refused: reasons };
  const ok = candidates.length > 0;
  return { object: "optimization_plan", model_id: model.id, ok, steps: [], search };
}

/** @param given the steps before they were read */
async function plan(
  c: AppContext,
  model: StoredModel,
  read: readonly (RecipeStep | ApiError)[],
  given: unknown,
): Promise<z.infer<typeof Plan>> {
  // What follows a step that is not understood is not known either, but its own options are.
  const refusedFrom = read.findIndex((each) => each instanceof ApiError);
  const known = read.slice(0, refusedFrom < 0 ? undefined : refusedFrom) as RecipeStep[];
  const planned = await planOptimization(c.env, c.get("workspace"), model, known);
  const steps = read.map((each, index) => {
    const found = planned[index];
    if (each instanceof ApiError) {
      const raw = (given as Record<string, unknown>[])[index];
      const op = RECIPE_OPS.find((name) => name === raw?.["op"]) ?? null;
      return {
        op,
        options: {},
        bytes: null,
        cached: false,
        model_id: null,
        refusal: problemOf(each),
      };
    }
    return {
      op: each.op,
      options: each.options,
      bytes: found?.bytes ?? null,
      cached: Boolean(found?.cachedModel),
      model_id: found?.cachedModel ?? null,
      refusal: found?.refusal ?? null,
    };
  });
  const ok = steps.every(({ refusal }) => refusal === null);
  return { object: "optimization_plan", model_id: model.id, ok, steps } as z.infer<typeof Plan>;
}
