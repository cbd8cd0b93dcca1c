/** @file Schema issues as one problem: where, what, and the nearest name for one that does not exist. */
import type { z } from "@hono/zod-openapi";
import { nearestNames } from "../graph/selection.ts";
import { ApiError, type FieldError } from "../problem/api-error.ts";

type Issue = z.core.$ZodIssue;

/**
 * @param known the names there are, for hints on unknown ones
 * @param target `query`, `json`, `param` or `header`
 */
export function invalidRequest(
  issues: readonly Issue[],
  target: string,
  known: readonly string[] = [],
): ApiError {
  const errors = issues.flatMap((issue) => fieldErrors(issue, known));
  const unknown = issues.some((issue) => issue.code === "unrecognized_keys");
  const where = target === "json" ? "body" : target === "param" ? "path" : target;
  const detail = errors.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  return new ApiError(
    unknown ? "unknown_option" : "invalid_request",
    `${where}: ${detail.slice(0, 5).join("; ")}`,
    { errors },
  );
}

function fieldErrors(issue: Issue, known: readonly string[]): FieldError[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ path: pathText(issue.path), message: issue.message }];
  }
  return issue.keys.map((name) => {
    const near = nearestNames(name, known, 2).map((candidate) => `"${candidate}"`);
    const hint = near.length > 0 ? `; nearest: ${near.join(", ")}` : "";
    return {
      path: pathText([...issue.path, name]),
      message: `there is no option "${name}"${hint}`,
    };
  });
}

/** `amounts["fc1.weight"]`, `nodes[2]`, `bits`. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`;
      const name = String(step);
      if (!/^\w+$/.test(name)) return `["${name}"]`;
      return index === 0 ? name : `.${name}`;
    })
    .join("");
}
