/** @file The one place where errors become answers. */
import type { ErrorHandler, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { ApiError, problemOf } from "../problem/api-error.ts";
import { apiErrorOf } from "../problem/from-error.ts";
import type { AppContext, AppEnv } from "./context.ts";

export const onError: ErrorHandler<AppEnv> = (error, c) => {
  const known = apiErrorOf(error) ?? httpException(error);
  if (known) return problemResponse(known, c);
  // The log has the details; the answer has the id that finds them there.
  console.error(JSON.stringify({ request_id: c.get("requestId"), path: c.req.path }), error);
  return problemResponse(
    new ApiError("internal_error", "The request failed through no fault of yours."),
    c,
  );
};

/** @param allowed the methods that `path` answers to, empty for an unknown path */
export function onNotFound(allowed: (path: string) => string[]): NotFoundHandler<AppEnv> {
  return (c) => {
    const methods = allowed(c.req.path);
    const error =
      methods.length === 0
        ? new ApiError("not_found", `there is nothing at ${c.req.path}`)
        : new ApiError(
            "method_not_allowed",
            `${c.req.path} answers to ${methods.join(", ")}, not to ${c.req.method}`,
            {},
            { Allow: methods.join(", ") },
          );
    return problemResponse(error, c);
  };
}

function problemResponse(error: ApiError, c: AppContext): Response {
  return new Response(JSON.stringify(problemOf(error, c.get("requestId"))), {
    status: error.status,
    headers: { ...error.headers, "Content-Type": "application/problem+json" },
  });
}

/** What Hono's validators throw by themselves: JSON that does not parse, a body of a type that the route has not. */
function httpException(error: Error): ApiError | undefined {
  if (!(error instanceof HTTPException)) return undefined;
  if (error.status === 400) return new ApiError("invalid_json", error.message);
  if (error.status !== 415) return undefined;
  return new ApiError("unsupported_media_type", "the body has to be application/json");
}
