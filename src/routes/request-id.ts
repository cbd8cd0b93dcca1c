/** @file A name for every request: in the answer, in problems, in the log. */
import { createMiddleware } from "hono/factory";
import { newId } from "../store/id.ts";
import type { AppEnv } from "./context.ts";

export const identify = createMiddleware<AppEnv>(async (c, next) => {
  const id = newId("req");
  c.set("requestId", id);
  await next();
  c.header("Request-Id", id);
});
