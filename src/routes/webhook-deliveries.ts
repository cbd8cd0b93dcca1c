/** @file /v1/webhook-endpoints/{id}/deliveries: what an endpoint was told, or is to be; again by hand; a test event. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Delivery } from "../jobs/webhooks/delivery-record.ts";
import { endpointObject } from "../jobs/webhooks/endpoint-object.ts";
import { ApiError } from "../problem/api-error.ts";
import { newId } from "../store/id.ts";
import { cut, numberOf } from "../store/page.ts";
import { createRouter } from "./context.ts";
import {
  idParam,
  json,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  seconds,
  Timestamp,
} from "./schemas.ts";
import { requireEndpoint } from "./webhook-endpoints.ts";

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

export const webhookDeliveries = createRouter()
  .openapi(test, async (c) => {
    const { id } = await requireEndpoint(c, c.req.valid("param").id);
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
    const { id } = await requireEndpoint(c, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const found = await endpointObject(c.env, id).deliveries(numberOf(cursor), limit + 1);
    const page = cut(found, limit, ({ number }) => String(number));
    return c.json(pageBody(page, deliveryBody), 200);
  })
  .openapi(redeliver, async (c) => {
    const { id, delivery } = c.req.valid("param");
    const endpoint = await requireEndpoint(c, id);
    if (!(await endpointObject(c.env, endpoint.id).redeliver(delivery))) {
      throw new ApiError("not_found", `there is no delivery ${delivery}`);
    }
    return c.body(null, 204);
  });

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
