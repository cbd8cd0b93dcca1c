/** @file /v1/hooks/{id}/deliveries: what a trigger received, and what became of it. */
import { createRoute } from "@hono/zod-openapi";
import { listDeliveries } from "../store/hook-deliveries.ts";
import { createRouter } from "./context.ts";
import { deliveryBody, HookDelivery } from "./hook-schema.ts";
import { requireHook } from "./hooks.ts";
import { idParam, json, pageBody, pageOf, PageQuery, problems } from "./schemas.ts";

const params = idParam("hook", "hook_3k9d");

const list = createRoute({
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

export const hookDeliveries = createRouter().openapi(list, async (c) => {
  const { id } = await requireHook(c, c.req.valid("param").id);
  const { limit, cursor } = c.req.valid("query");
  return c.json(pageBody(await listDeliveries(c.env.DB, id, { limit, cursor }), deliveryBody), 200);
});
