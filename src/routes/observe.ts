/** @file What is kept of every request: a line of the log, counters, and for changes an entry of the audit log. */
import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import { addAuditEntry } from "../store/audit.ts";
import { declaredBytes } from "./body.ts";
import type { AppContext, AppEnv } from "./context.ts";
import { countRequest } from "./request-counters.ts";
import { countUsage } from "./usage-meter.ts";

export const observe = createMiddleware<AppEnv>(async (c, next) => {
  const start = Date.now();
  await next();
  const ms = Date.now() - start;
  // Set by authentication, so of those that it let through alone.
  const workspace: string | undefined = c.get("workspace");
  const route = routeOf(c);
  countRequest(c.req.method, route, c.res.status, ms);
  if (c.env.LOG_REQUESTS === "1") log(c, route, ms);
  if (workspace === undefined) return;
  const answered = Number(c.res.headers.get("Content-Length") ?? c.get("bytesOut") ?? 0);
  countUsage(c, workspace, {
    requests: 1,
    bytes_in: c.get("bytesIn") ?? declaredBytes(c) ?? 0,
    bytes_out: answered,
  });
  if (c.req.method !== "GET" && c.req.method !== "HEAD") await audit(c, workspace, route);
});

/** The route as it was declared, so that no id is in it: `/v1/models/:id`; `*` where none fits. */
function routeOf(c: AppContext): string {
  return routePath(c, -1);
}

/** One line of JSON. Nothing that a client wrote is in it but the request's id: no query, no header, no body. */
function log(c: AppContext, route: string, ms: number): void {
  console.log(
    JSON.stringify({
      time: new Date().toISOString(),
      method: c.req.method,
      route,
      status: c.res.status,
      ms,
      request_id: c.get("requestId"),
      workspace: c.get("workspace"),
      key: c.get("keyId"),
    }),
  );
}

async function audit(c: AppContext, workspace: string, route: string): Promise<void> {
  const entry = {
    key_id: c.get("keyId"),
    action: `${c.req.method} ${route}`,
    resource: (c.res.headers.get("Location") ?? c.req.path).slice(0, 500),
    status: c.res.status,
    request_id: c.get("requestId"),
  };
  try {
    await addAuditEntry(c.env.DB, workspace, entry);
  } catch (error) {
    // The change is made: the answer must not say otherwise. The log has what the table has not.
    console.error(JSON.stringify({ audit: entry, workspace }), error);
  }
}
