/** @file What every route shares: bindings, the caller, and the router that validates by schema. */
import { OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { Context } from "hono";
import { invalidRequest } from "./validation.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** Set by authentication, on every path but the public ones. */
    workspace: string;
    keyId: string;
    /** The middleware holds the call's Idempotency-Key. */
    isClaimed: boolean;
    /** Of the body, counted where the client did not say it. */
    bytesIn: number;
    /** Of the answer, where its headers do not have it yet. */
    bytesOut: number;
  };
}

export type AppContext = Context<AppEnv>;

/** A router whose schemas refuse by one problem, listing every field at fault. */
export function createRouter(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error.issues, result.target);
    },
  });
}

/**
 * Documents a route whose body streams, so that no schema may read it: the route itself is made with
 * `hide` and without a body.
 */
export function documentBody(
  router: OpenAPIHono<AppEnv>,
  route: RouteConfig & { hide?: boolean },
  content: NonNullable<NonNullable<RouteConfig["request"]>["body"]>["content"],
): void {
  const { hide: _, ...documented } = route;
  router.openAPIRegistry.registerPath({
    ...documented,
    request: { ...documented.request, body: { required: true, content } },
  });
}
