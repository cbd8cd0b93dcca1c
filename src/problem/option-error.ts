/** @file Options that a pass refuses, as the problem of the request that gave them. */
import { ApiError } from "./api-error.ts";

/** The passes check their options against each other and the model, and say so under their name. */
export function optionError(error: unknown): ApiError | undefined {
  const mine =
    error instanceof Error &&
    error.name === "RangeError" &&
    /^(quantize|prune|simplify): /.test(error.message);
  return mine ? new ApiError("invalid_request", error.message) : undefined;
}
