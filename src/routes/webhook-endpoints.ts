/** @file /v1/webhook-endpoints: where a workspace's events are sent, signed by Standard Webhooks. */
import { createRoute, z } from "@hono/zod-openapi";
import { checkPublicUrl } from "../import/public-url.ts";
import type { Delivery } from "../jobs/webhooks/delivery-record.ts";
import { endpointObject } from "../jobs/webhooks/endpoint-object.ts";
import { EVENT_TYPES } from "../jobs/webhooks/event.ts";
import { ApiError } from "../problem/api-error.ts";
import { newId, sha256Hex } from "../store/id.ts";
import {
  addEndpoint,
  deleteEndpoint,
  findEndpoint,
  listEndpoints,
  setDisabled,
  type WebhookEndpointRow,
} from "../store/webhook-endpoints.ts";
import { type AppContext, createRouter } from "./context.ts";
import { idempotent } from "./idempotency.ts";
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

const Endpoint = z
  .object({
    id: z.string().openapi({ example: "whe_5t2c" }),
    object: z.literal("webhook_endpoint"),
    url: z.url().openapi({ example: "https://example.com/hone" }),
    events: z.array(z.enum([...EVENT_TYPES, "*"])).openapi({ example: ["job.succeeded"] }),
    description: z.string(),
    disabled_reason: z
      .string()
      .nullable()
      .openapi({ description: "Why nothing is sent any more; null while it is." }),
    created_at: Timestamp,
  })
  .openapi("WebhookEndpoint");

const NewEndpoint = Endpoint.extend({
  secret: z.string().openapi({
    description: "Verifies signatures. It is shown only now.",
    example: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
  }),
}).openapi("NewWebhookEndpoint");

const Delivery = z
  .object({
    id: z.string().openapi({ example: "whd_17" }),
    object: z.literal("webhook_delivery"),
    event_id: z.string().openapi({ example: "evt_0c3f" }),
    type: z.string().openapi({ example: "job.succeeded" }),
    sequence: z.number().int(),
    state: z.enum(["pending", "delivered", "failed"]),
    attempts: z.number().int(),
    status: z.number().int().nullable().openapi({ description: "Of the last attempt's answer." }),
    error: z.string().nullable(),
    next_attempt_at: Timestamp.nullable(),
    created_at: Timestamp,
    payload: z.record(z.string(), z.unknown()),
  })
  .openapi("WebhookDelivery");

const params = idParam("whe", "whe_5t2c");

const create = createRoute({
  method: "post",
  path: "/v1/webhook-endpoints",
  operationId: "createWebhookEndpoint",
  tags: ["Webhooks"],
  summary: "Make a webhook endpoint",
  description:
    "Events are POSTed to it as JSON under 20 KB, signed by Standard Webhooks (`webhook-id`, `webhook-timestamp`, " +
    "`webhook-signature`). An answer of 2xx takes an event; else it is sent again, up to ten times within four days, " +
    "and 410 disables the endpoint. Events may come twice and out of order: `id` and `sequence` tell.",
  request: {
    headers: IdempotencyHeaders,
    body: {
      required: true,
      ...json(
        z
          .strictObject({
            url: z.url().max(2000).openapi({ example: "https://example.com/hone" }),
            events: z
              .array(z.enum([...EVENT_TYPES, "*"]))
              .min(1)
              .default(["*"])
              .openapi({ example: ["job.succeeded", "job.failed"] }),
            description: z.string().max(200).default(""),
          })
          .openapi("NewWebhookEndpointRequest"),
      ),
    },
  },
  responses: {
    201: { description: "The endpoint.", ...json(NewEndpoint) },
    ...problems(400, 403, 409, 422),
  },
});

const list = createRoute({
  method: "get",
  path: "/v1/webhook-endpoints",
  operationId: "listWebhookEndpoints",
  tags: ["Webhooks"],
  summary: "List webhook endpoints",
  request: { query: PageQuery },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(Endpoint, "WebhookEndpointList")) },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/webhook-endpoints/{id}",
  operationId: "getWebhookEndpoint",
  tags: ["Webhooks"],
  summary: "Get a webhook endpoint",
  request: { params },
  responses: { 200: { description: "The endpoint.", ...json(Endpoint) }, ...problems(404) },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/webhook-endpoints/{id}",
  operationId: "deleteWebhookEndpoint",
  tags: ["Webhooks"],
  summary: "Delete a webhook endpoint",
  request: { params },
  responses: { 204: { description: "It is gone, with its deliveries." }, ...problems(404) },
});

const rotate = createRoute({
  method: "post",
  path: "/v1/webhook-endpoints/{id}/rotate",
  operationId: "rotateWebhookSecret",
  tags: ["Webhooks"],
  summary: "Make a new secret",
  description: "For 24 hours every event has two signatures, by the new secret and the old one.",
  request: { params },
  responses: { 200: { description: "The new secret.", ...json(NewEndpoint) }, ...problems(404) },
});

const enable = createRoute({
  method: "post",
  path: "/v1/webhook-endpoints/{id}/enable",
  operationId: "enableWebhookEndpoint",
  tags: ["Webhooks"],
  summary: "Send again to a disabled endpoint",
  request: { params },
  responses: { 200: { description: "The endpoint.", ...json(Endpoint) }, ...problems(404) },
});

const test = createRoute({
  method: "post",
  path: "/v1/webhook-endpoints/{id}/test",
  operationId: "testWebhookEndpoint",
  tags: ["Webhooks"],
  summary: "Send a test event",
  description: "Its type is `test`; the deliveries tell what became of it.",
  request: { params },
  responses: {
    202: {
      description: "It is on its way.",
      ...json(z.object({ event_id: z.string() }).openapi("TestEvent")),
    },
    ...problems(404),
  },
});

const deliveries = createRoute({
  method: "get",
  path: "/v1/webhook-endpoints/{id}/deliveries",
  operationId: "listWebhookDeliveries",
  tags: ["Webhooks"],
  summary: "List an endpoint's deliveries",
  description: "The latest 500, and all that are pending.",
  request: { params, query: PageQuery },
  responses: {
    200: { description: "Newest first.", ...json(pageOf(Delivery, "WebhookDeliveryList")) },
    ...problems(400, 404),
  },
});

const redeliver = createRoute({
  method: "post",
  path: "/v1/webhook-endpoints/{id}/deliveries/{delivery}/redeliver",
  operationId: "redeliverWebhook",
  tags: ["Webhooks"],
  summary: "Send an event again",
  request: {
    params: params.extend({
      delivery: z
        .string()
        .regex(/^whd_\d{1,15}$/, "must be an id of a delivery")
        .openapi({ example: "whd_17" }),
    }),
  },
  responses: { 204: { description: "It is due now." }, ...problems(400, 404) },
});

export const webhookEndpoints = createRouter()
  .openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    return await idempotent(c, await sha256Hex(JSON.stringify(wanted)), async () => {
      await checkPublicUrl(new URL(wanted.url), c.env);
      const endpoint = await addEndpoint(c.env.DB, c.get("workspace"), wanted);
      const secret = await endpointObject(c.env, endpoint.id).configure(endpoint);
      return c.json({ ...endpointBody(endpoint), secret }, 201);
    });
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listEndpoints(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, endpointBody), 200);
  })
  .openapi(read, async (c) => c.json(endpointBody(await required(c, c.req.valid("param").id)), 200))
  .openapi(remove, async (c) => {
    const { id } = await required(c, c.req.valid("param").id);
    await deleteEndpoint(c.env.DB, c.get("workspace"), id);
    await endpointObject(c.env, id).remove();
    return c.body(null, 204);
  })
  .openapi(rotate, async (c) => {
    const endpoint = await required(c, c.req.valid("param").id);
    const secret = await endpointObject(c.env, endpoint.id).rotate();
    return c.json({ ...endpointBody(endpoint), secret }, 200);
  })
  .openapi(enable, async (c) => {
    const endpoint = await required(c, c.req.valid("param").id);
    await setDisabled(c.env.DB, endpoint.id, null);
    await endpointObject(c.env, endpoint.id).resume();
    return c.json(endpointBody({ ...endpoint, disabled_reason: null }), 200);
  })
  .openapi(test, async (c) => {
    const { id } = await required(c, c.req.valid("param").id);
    const event = {
      id: newId("evt"),
      type: "test" as const,
      createdAt: Date.now(),
      data: { message: "It works." },
    };
    await endpointObject(c.env, id).push([event]);
    return c.json({ event_id: event.id }, 202);
  })
  .openapi(deliveries, async (c) => {
    const { id } = await required(c, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) {
      throw new ApiError("invalid_cursor", `"${cursor}" is no cursor of this list`);
    }
    const before = cursor === undefined ? undefined : Number(cursor);
    const found = await endpointObject(c.env, id).deliveries(before, limit + 1);
    const rows = found.slice(0, limit);
    const next = found.length > limit ? String(rows.at(-1)?.number) : undefined;
    return c.json(pageBody({ rows, next }, deliveryBody), 200);
  })
  .openapi(redeliver, async (c) => {
    const { id, delivery } = c.req.valid("param");
    const endpoint = await required(c, id);
    if (!(await endpointObject(c.env, endpoint.id).redeliver(delivery))) {
      throw new ApiError("not_found", `there is no delivery ${delivery}`);
    }
    return c.body(null, 204);
  });

async function required(c: AppContext, id: string): Promise<WebhookEndpointRow> {
  const endpoint = await findEndpoint(c.env.DB, c.get("workspace"), id);
  if (!endpoint) throw new ApiError("not_found", `there is no webhook endpoint ${id}`);
  return endpoint;
}

function endpointBody(row: WebhookEndpointRow): z.infer<typeof Endpoint> {
  return {
    id: row.id,
    object: "webhook_endpoint",
    url: row.url,
    events: row.events as z.infer<typeof Endpoint>["events"],
    description: row.description,
    disabled_reason: row.disabled_reason,
    created_at: seconds(row.created_at),
  };
}

function deliveryBody(row: Delivery): z.infer<typeof Delivery> {
  return {
    id: row.id,
    object: "webhook_delivery",
    event_id: row.event_id,
    type: row.type,
    sequence: row.number,
    state: row.state,
    attempts: row.attempts,
    status: row.status,
    error: row.error,
    next_attempt_at: row.state === "pending" ? seconds(row.next_at) : null,
    created_at: seconds(row.created_at),
    payload: JSON.parse(row.payload),
  };
}
