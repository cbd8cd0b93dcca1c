/** @file /v1/hooks: triggers. POST /v1/hooks/{id} is open to whoever can sign; the rest needs a key. */
import { createRoute, z } from "@hono/zod-openapi";
import { Webhook } from "standardwebhooks";
import type { HookConfig, HookSource } from "../jobs/hooks/hook.ts";
import { decide, receive, receiveTest, type Received } from "../jobs/hooks/receive.ts";
import { verifySender } from "../jobs/hooks/verify-sender.ts";
import { newWebhookSecret } from "../jobs/webhooks/send.ts";
import { ApiError } from "../problem/api-error.ts";
import { listDeliveries } from "../store/hook-deliveries.ts";
import {
  addHook,
  deleteHook,
  findHook,
  type HookRow,
  listHooks,
  openHook,
} from "../store/hooks.ts";
import { sha256Hex } from "../store/id.ts";
import { randomSecret } from "../store/keys.ts";
import { declaredBytes, jsonBody, limited } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import {
  deliveryBody,
  Hook,
  hookBody,
  HookDelivery,
  HookReceipt,
  NewHook,
  NewHookFields,
  NewHookRequest,
} from "./hook-schema.ts";
import { idempotent } from "./idempotency.ts";
import { requireRecipe, requireSteps } from "./recipe-steps.ts";
import {
  IdempotencyHeaders,
  idParam,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  problemsOnly,
  json,
} from "./schemas.ts";
import { invalidRequest } from "./validation.ts";

const MAX_DELIVERY_BYTES = 1 << 20;

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
    ...problems(400, 404, 409, 422, 503),
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

const deliver = createRoute({
  hide: true,
  method: "post",
  path: "/v1/hooks/{id}",
  operationId: "triggerHook",
  tags: ["Hooks"],
  summary: "Trigger",
  description:
    "For the hook's source, without a key: `standard` signs by Standard Webhooks and is taken within five minutes of " +
    "its time, `github` by X-Hub-Signature-256, `huggingface` sends X-Webhook-Secret. At most 1 MiB. What comes " +
    "again is answered alike and done once.",
  security: [],
  request: { params },
  responses: {
    202: {
      description: "It is stored, and will be done unless it is ignored.",
      ...json(HookReceipt),
    },
    ...problemsOnly(400, 401, 404, 413, 429, 500, 503),
  },
});

const TestRequest = z
  .strictObject({
    event: z.string().max(100).default("").openapi({
      description: "github: as in X-GitHub-Event.",
      example: "release",
    }),
    payload: z.record(z.string(), z.unknown()).openapi({
      description: "As the source would send it.",
      example: { type: "model.published", data: { url: "https://example.com/model.onnx" } },
    }),
    dry_run: z.boolean().default(false).openapi({ description: "Only says what would be done." }),
  })
  .openapi("TestHookRequest");

const test = createRoute({
  method: "post",
  path: "/v1/hooks/{id}/test",
  operationId: "testHook",
  tags: ["Hooks"],
  summary: "Try a trigger",
  description: "As if the source had sent the payload: without a signature, and anew each time.",
  request: { params, body: { required: true, ...json(TestRequest) } },
  responses: {
    200: { description: "The decision, of a dry run.", ...json(HookReceipt) },
    202: {
      description: "It is stored, and will be done unless it is ignored.",
      ...json(HookReceipt),
    },
    ...problems(400, 404),
  },
});

const deliveries = createRoute({
  method: "get",
  path: "/v1/hooks/{id}/deliveries",
  operationId: "listHookDeliveries",
  tags: ["Hooks"],
  summary: "List what a trigger received",
  description: "What was verified, in the last 30 days; one entry for each model.",
  request: { params, query: PageQuery },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(HookDelivery, "HookDeliveryList")) },
    ...problems(400, 404),
  },
});

export const hooks = createRouter()
  .openapi(create, async (c) => {
    const { text, value } = await jsonBody(c);
    const given = NewHookFields.safeParse(value);
    if (!given.success) {
      throw invalidRequest(given.error.issues, "json", Object.keys(NewHookFields.shape));
    }
    const { name, source, filter, model, deliver: target, steps, recipe } = given.data;
    const secret = given.data.secret ?? newSecretFor(source);
    refuseUnfit(given.data, secret);
    const config: HookConfig = {
      filter,
      model,
      recipe: recipe === undefined ? { steps: requireSteps(steps) } : { reference: recipe },
      deliver: target,
    };
    if (recipe !== undefined) await requireRecipe(c.env, c.get("workspace"), recipe);
    return await idempotent(c, await sha256Hex(text), async () => {
      const hook = await addHook(c.env, c.get("workspace"), { name, source, config }, secret);
      return c.json({ ...hookBody(hook), secret }, 201);
    });
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listHooks(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, hookBody), 200);
  })
  .openapi(read, async (c) => c.json(hookBody(await required(c, c.req.valid("param").id)), 200))
  .openapi(remove, async (c) => {
    const { id } = await required(c, c.req.valid("param").id);
    await deleteHook(c.env.DB, c.get("workspace"), id);
    return c.body(null, 204);
  })
  .openapi(deliver, async (c) => {
    const { id } = c.req.valid("param");
    const { success } = await c.env.RATE_LIMIT.limit({ key: `hook/${id}` });
    if (!success) {
      const detail = "this hook was called too often within a minute";
      throw new ApiError("rate_limited", detail, {}, { "Retry-After": "60" });
    }
    const body = await bytesOf(c);
    const hook = await openHook(c.env, id);
    if (!hook) throw new ApiError("not_found", `there is no hook ${id}`);
    const { headers } = c.req.raw;
    await verifySender(hook.source, hook.secret, headers, body);
    return c.json(receiptBody(await receive(c.env, hook, headers, body)), 202);
  })
  .openapi(test, async (c) => {
    const hook = await required(c, c.req.valid("param").id);
    const { event, payload, dry_run: dryRun } = c.req.valid("json");
    if (!dryRun) return c.json(receiptBody(await receiveTest(c.env, hook, event, payload)), 202);
    const decision = decide(c.env, hook, event, payload);
    const ignored = "ignored" in decision;
    return c.json(
      {
        object: "hook_receipt" as const,
        decision: ignored ? ("ignored" as const) : ("accepted" as const),
        duplicate: false,
        deliveries: [],
        reason: ignored ? decision.ignored : null,
      },
      200,
    );
  })
  .openapi(deliveries, async (c) => {
    const { id } = await required(c, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    return c.json(
      pageBody(await listDeliveries(c.env.DB, id, { limit, cursor }), deliveryBody),
      200,
    );
  });

documentBody(hooks, create, { "application/json": { schema: NewHookRequest } });
documentBody(hooks, deliver, {
  "application/json": { schema: z.record(z.string(), z.unknown()) },
});

async function required(c: AppContext, id: string): Promise<HookRow> {
  const hook = await findHook(c.env.DB, c.get("workspace"), id);
  if (!hook) throw new ApiError("not_found", `there is no hook ${id}`);
  return hook;
}

function newSecretFor(source: HookSource): string {
  return source === "standard" ? newWebhookSecret() : randomSecret("hook");
}

/** @throws ApiError for a recipe that is none or two, for a model that is nowhere, and for a secret that cannot sign */
function refuseUnfit(
  { source, model, steps, recipe }: z.infer<typeof NewHookFields>,
  secret: string,
): void {
  const refuse = (path: string, message: string) => {
    throw new ApiError("invalid_request", `body: ${path}: ${message}`, {
      errors: [{ path, message }],
    });
  };
  if ((steps === undefined) === (recipe === undefined)) {
    refuse("recipe", "give either steps or recipe");
  }
  if (source !== "standard") return;
  if (model.url === undefined) refuse("model.url", "says where the model is, and is needed");
  try {
    new Webhook(secret).sign("id", new Date(), "");
  } catch {
    refuse("secret", "must be whsec_ and base64, as Standard Webhooks has it");
  }
}

/** @throws ApiError `body_too_large` before more than that is read */
async function bytesOf(c: AppContext): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of limited(c.req.raw.body, MAX_DELIVERY_BYTES, declaredBytes(c))) {
    parts.push(chunk.slice());
    length += chunk.length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function receiptBody({ rows, duplicate }: Received): z.infer<typeof HookReceipt> {
  const ignored = rows.find(({ state }) => state === "ignored");
  return {
    object: "hook_receipt",
    decision: ignored ? "ignored" : "accepted",
    duplicate,
    deliveries: rows.map(({ id }) => id),
    reason: ignored?.reason ?? null,
  };
}
