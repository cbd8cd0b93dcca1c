/** @file /healthz: whether the service and its catalogue answer. */
import { createRoute, z } from "@hono/zod-openapi";
import { createRouter } from "./context.ts";
import { problemsOnly } from "./schemas.ts";

const Health = z.object({ status: z.enum(["ok", "unavailable"]) }).openapi("Health");
const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: Health } },
});

const read = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  tags: ["Service"],
  summary: "Health",
  security: [],
  responses: {
    200: answer("All is well."),
    503: answer("The catalogue does not answer."),
    ...problemsOnly(405),
  },
});

export const health = createRouter().openapi(read, async (c) => {
  try {
    await c.env.DB.prepare("SELECT 1").first();
    return c.json({ status: "ok" as const }, 200);
  } catch {
    return c.json({ status: "unavailable" as const }, 503);
  }
});
