/** @file A name for every request: in the answer, in problems, in the log. A caller may give its own. */
import { createMiddleware } from "hono/factory";
import { newId } from "../store/id.ts";
import type { AppEnv } from "./context.ts";

/** What is safe in a log, in a header and in an address. */
const WELL_FORMED = /^[\w.:-]{8,128}$/;

export const identify = createMiddleware<AppEnv>(async (c, next) => {
  const given = c.req.header("X-Request-Id");
  const id = given !== undefined && WELL_FORMED.test(given) ? given : newId("req");
  c.set("requestId", id);
  await next();
  c.header("Request-Id", id);
});
