/** @file /v1/hooks/{id}/deliveries: what a trigger received, and what became of it. */
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { findDelivery, listDeliveries } from "../store/hook-deliveries.ts";
import { findResult, findResults } from "../store/hook-results.ts";
import { createRouter } from "./context.ts";
import { deliveryBody, HookDelivery, HookDeliveryWithPayload } from "./hook-schema.ts";
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

const read = createRoute({
  method: "get",
  path: "/v1/hooks/{id}/deliveries/{delivery}",
  operationId: "getHookDelivery",
  tags: ["Hooks"],
  summary: "Get a delivery with its payload",
  request: {
    params: params.extend({ delivery: z.string().openapi({ example: "hkd_8s1w" }) }),
  },
  responses: {
    200: { description: "The delivery.", ...json(HookDeliveryWithPayload) },
    ...problems(404),
  },
});

export const hookDeliveries = createRouter()
  .openapi(list, async (c) => {
    const { id } = await requireHook(c, c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const page = await listDeliveries(c.env.DB, id, { limit, cursor });
    const results = await findResults(
      c.env.DB,
      page.rows.map((row) => row.id),
    );
    return c.json(
      pageBody(page, (row) => deliveryBody(row, results.get(row.id))),
      200,
    );
  })
  .openapi(read, async (c) => {
    const { id, delivery } = c.req.valid("param");
    const hook = await requireHook(c, id);
    const row = await findDelivery(c.env.DB, hook.id, delivery);
    if (!row) throw new ApiError("not_found", `there is no delivery ${delivery}`);
    const result = await findResult(c.env.DB, delivery);
    return c.json({ ...deliveryBody(row, result), payload: row.payload }, 200);
  });
