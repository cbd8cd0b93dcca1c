/** @file What a key needs for a request: by method, and by path where it is about the workspace itself. */
import type { Scope } from "../store/keys.ts";

/** All below them too. */
const ADMIN = ["/v1/keys", "/v1/webhook-endpoints", "/v1/workspace", "/v1/audit-log", "/metrics"];

export function neededScope(method: string, path: string): Scope {
  if (ADMIN.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) return "admin";
  return method === "GET" || method === "HEAD" ? "read" : "write";
}
