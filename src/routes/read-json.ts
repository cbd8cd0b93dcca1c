/** @file JSON is read before its route is reached: so it has a bound, whatever the route does with it. */
import { createMiddleware } from "hono/factory";
import { isJson, jsonText } from "./body.ts";
import type { AppEnv } from "./context.ts";

export const readJson = createMiddleware<AppEnv>(async (c, next) => {
  // Webhooks in have no workspace, and a bound of their own.
  const isOurs = c.get("workspace") !== undefined && isJson(c);
  if (isOurs) await jsonText(c);
  return await next();
});
