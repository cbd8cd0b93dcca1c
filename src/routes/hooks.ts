/** @file /v1/hooks: triggers, made, listed and deleted. */
import { createRoute, z } from "@hono/zod-openapi";
import { Webhook } from "standardwebhooks";
import type { HookConfig, HookSource } from "../jobs/hooks/hook.ts";
import { requireRecipe } from "../jobs/recipes/stored-recipe.ts";
import { newWebhookSecret } from "../jobs/webhooks/send.ts";
import { encodedPath, placed } from "../jobs/hooks/result-files.ts";
import { checkPublicUrl } from "../import/public-url.ts";
import { ApiError } from "../problem/api-error.ts";
import { addHook, deleteHook, findHook, type HookRow, listHooks } from "../store/hooks.ts";
import { sha256Hex } from "../store/id.ts";
import { randomSecret } from "../store/keys.ts";
import { jsonBody } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { Hook, hookBody, NewHook, NewHookFields, NewHookRequest } from "./hook-schema.ts";
import { idempotent } from "./idempotency.ts";
import { requireOneOf, requireSteps } from "./recipe-steps.ts";
import {
  IdempotencyHeaders,
  idParam,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  json,
} from "./schemas.ts";
import { invalidRequest } from "./validation.ts";

const params = idParam("hook", "hook_3k9d");

const create = createRoute({
  hide: true,
  method: "post",
  path: "/v1/hooks",
  operationId: "createHook",
  tags: ["Hooks"],
  summary: "Make a trigger",
  description:
    "What its source sends to POST /v1/hooks/{id} is verified, filtered, and starts a recipe on the model that it " +
    "names. The secret is shown in this answer only.",
  request: { headers: IdempotencyHeaders },
  responses: {
    201: { description: "The hook.", ...json(NewHook) },
    ...problems(400, 403, 404, 409, 422, 503),
  },
});

const list = createRoute({
  method: "get",
  path: "/v1/hooks",
  operationId: "listHooks",
  tags: ["Hooks"],
  summary: "List triggers",
  request: { query: PageQuery },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(Hook, "HookList")) },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/hooks/{id}",
  operationId: "getHook",
  tags: ["Hooks"],
  summary: "Get a trigger",
  request: { params },
  responses: { 200: { description: "The hook.", ...json(Hook) }, ...problems(404) },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/hooks/{id}",
  operationId: "deleteHook",
  tags: ["Hooks"],
  summary: "Delete a trigger",
  description: "Its deliveries go too; jobs that were ordered go on.",
  request: { params },
  responses: { 204: { description: "Deleted." }, ...problems(404) },
});

export const hooks = createRouter()
  .openapi(create, async (c) => {
    const { text, value } = await jsonBody(c);
    const given = NewHookFields.safeParse(value);
    if (!given.success) {
      throw invalidRequest(given.error.issues, "json", Object.keys(NewHookFields.shape));
    }
    const { name, source, filter, model, deliver: target, steps, recipe } = given.data;
    const secret = source === "r2" ? null : (given.data.secret ?? newSecretFor(source));
    refuseUnfit(given.data, secret);
    if (target.to === "http_put") await checkPublicUrl(sampleUrl(target.url), c.env);
    const config: HookConfig = {
      filter,
      model,
      recipe: recipe === undefined ? { steps: requireSteps(steps) } : { reference: recipe },
      deliver: target,
      origin: new URL(c.req.url).origin,
    };
    if (recipe !== undefined) await requireRecipe(c.env, c.get("workspace"), recipe);
    return await idempotent(c, await sha256Hex(text), async () => {
      const hook = await addHook(c.env, c.get("workspace"), { name, source, config }, secret ?? "");
      return c.json({ ...hookBody(hook), secret }, 201);
    });
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listHooks(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, hookBody), 200);
  })
  .openapi(read, async (c) => c.json(hookBody(await requireHook(c, c.req.valid("param").id)), 200))
  .openapi(remove, async (c) => {
    const { id } = await requireHook(c, c.req.valid("param").id);
    await deleteHook(c.env.DB, c.get("workspace"), id);
    return c.body(null, 204);
  });

documentBody(hooks, create, { "application/json": { schema: NewHookRequest } });

/** @throws ApiError `not_found` */
export async function requireHook(c: AppContext, id: string): Promise<HookRow> {
  const hook = await findHook(c.env.DB, c.get("workspace"), id);
  if (!hook) throw new ApiError("not_found", `there is no hook ${id}`);
  return hook;
}

/** @throws ApiError for a template that gives no URL */
function sampleUrl(template: string): URL {
  const url = placed(template, { file: "model.onnx", job: "job" }, encodedPath);
  if (URL.canParse(url)) return new URL(url);
  return refuse("deliver.url", "must be a URL");
}

function refuse(path: string, message: string): never {
  throw new ApiError("invalid_request", `body: ${path}: ${message}`, {
    errors: [{ path, message }],
  });
}

function newSecretFor(source: HookSource): string {
  return source === "standard" ? newWebhookSecret() : randomSecret("hook");
}

/** @throws ApiError for a recipe that is none or two, for a model that is nowhere, and for a secret that cannot sign */
function refuseUnfit(
  { source, model, steps, recipe }: z.infer<typeof NewHookFields>,
  secret: string | null,
): void {
  requireOneOf({ recipe, steps });
  if (source !== "standard" || secret === null) return;
  if (model.url === undefined) refuse("model.url", "says where the model is, and is needed");
  try {
    new Webhook(secret).sign("id", new Date(), "");
  } catch {
    refuse("secret", "must be whsec_ and base64, as Standard Webhooks has it");
  }
}
