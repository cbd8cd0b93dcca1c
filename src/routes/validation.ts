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
  const single = issues.flatMap((issue) => meant(issue));
  const errors = single.flatMap((issue) => fieldErrors(issue, known));
  const unknown = single.some((issue) => issue.code === "unrecognized_keys");
  const where = target === "json" ? "body" : target === "param" ? "path" : target;
  const detail = errors.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  return new ApiError(
    unknown ? "unknown_option" : "invalid_request",
    `${where}: ${detail.slice(0, 5).join("; ")}`,
    { errors },
  );
}

/**
 * Of a value that may have several forms, what is wrong with the form that was meant: the one of its type; what has
 * the type of none stays one issue.
 */
function meant(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const isOther = ({ code, path }: Issue) =>
    path.length === 0 && ["invalid_type", "invalid_value", "invalid_format"].includes(code);
  const forms = issue.errors as Issue[][];
  const form =
    forms.find((issues) => !issues.some(isOther)) ??
    forms.find((issues) => issues.every(({ code }) => code === "invalid_value"));
  if (!form) return [issue];
  return form.flatMap((inner) => meant({ ...inner, path: [...issue.path, ...inner.path] }));
}

function fieldErrors(issue: Issue, known: readonly string[]): FieldError[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ path: pathText(issue.path), message: issue.message }];
  }
  return issue.keys.map((name) => {
    // The known names are the body's own.
    const among = issue.path.length === 0 ? known : [];
    const near = nearestNames(name, among, 2).map((candidate) => `"${candidate}"`);
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
