/** @file /v1/webhook-endpoints: where a workspace's events are sent, signed by Standard Webhooks. */
import { createRoute, z } from "@hono/zod-openapi";
import { checkPublicUrl } from "../import/public-url.ts";
import { endpointObject } from "../jobs/webhooks/endpoint-object.ts";
import { EVENT_TYPES } from "../jobs/webhooks/event.ts";
import { ApiError } from "../problem/api-error.ts";
import { sha256Hex } from "../store/id.ts";
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
  .openapi(read, async (c) =>
    c.json(endpointBody(await requireEndpoint(c, c.req.valid("param").id)), 200),
  )
  .openapi(remove, async (c) => {
    const { id } = await requireEndpoint(c, c.req.valid("param").id);
    await deleteEndpoint(c.env.DB, c.get("workspace"), id);
    await endpointObject(c.env, id).remove();
    return c.body(null, 204);
  })
  .openapi(rotate, async (c) => {
    const endpoint = await requireEndpoint(c, c.req.valid("param").id);
    const secret = await endpointObject(c.env, endpoint.id).rotate(endpoint);
    return c.json({ ...endpointBody(endpoint), secret }, 200);
  })
  .openapi(enable, async (c) => {
    const endpoint = await requireEndpoint(c, c.req.valid("param").id);
    await setDisabled(c.env.DB, endpoint.id, null);
    await endpointObject(c.env, endpoint.id).resume();
    return c.json(endpointBody({ ...endpoint, disabled_reason: null }), 200);
  });

/** @throws ApiError `not_found` */
export async function requireEndpoint(c: AppContext, id: string): Promise<WebhookEndpointRow> {
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
