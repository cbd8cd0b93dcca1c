/** @file POST /v1/hooks/{id}: open to whoever can sign; and the test button, which needs a key. */
import { createRoute, z } from "@hono/zod-openapi";
import { decide, receive, receiveTest, type Received } from "../jobs/hooks/receive.ts";
import { verifySender } from "../jobs/hooks/verify-sender.ts";
import { ApiError } from "../problem/api-error.ts";
import { openHook } from "../store/hooks.ts";
import { chunksOf } from "./body.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { HookReceipt } from "./hook-schema.ts";
import { requireHook } from "./hooks.ts";
import { isWithinLimit } from "./rate-limit.ts";
import { idParam, json, problems, problemsOnly } from "./schemas.ts";

const MAX_DELIVERY_BYTES = 1 << 20;
const MAX_DROPPED_BYTES = 32 << 20;

const params = idParam("hook", "hook_3k9d");

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

export const hookTriggers = createRouter()
  .openapi(deliver, async (c) => {
    const { id } = c.req.valid("param");
    if (!(await isWithinLimit(c.env, `hook/${id}`))) {
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
    const hook = await requireHook(c, c.req.valid("param").id);
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
  });

documentBody(hookTriggers, deliver, {
  "application/json": { schema: z.record(z.string(), z.unknown()) },
});

/** @throws ApiError `body_too_large`, without keeping more than that */
async function bytesOf(c: AppContext): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunksOf(c.req.raw.body)) {
    length += chunk.length;
    if (length <= MAX_DELIVERY_BYTES) parts.push(chunk.slice());
    // Who is still sending reads no answer: what is a little too large is taken, and dropped.
    else if (length > MAX_DROPPED_BYTES) break;
  }
  if (length > MAX_DELIVERY_BYTES) {
    const detail = `there are ${length} bytes or more, a delivery may have ${MAX_DELIVERY_BYTES}`;
    throw new ApiError("body_too_large", detail);
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
