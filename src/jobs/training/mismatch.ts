/** @file What does not fit together in a training, as the caller is told. */
import { ApiError } from "../../problem/api-error.ts";
import { apiErrorOf } from "../../problem/from-error.ts";

export function mismatch(message: string): ApiError {
  return new ApiError("training_mismatch", message);
}

/** What the builders refuse is the caller's to change; what nobody knows is ours. */
export async function checking<T>(build: () => T | Promise<T>): Promise<T> {
  try {
    return await build();
  } catch (error) {
    const mine = error instanceof Error && error.name === "RangeError" && !apiErrorOf(error);
    if (mine) throw mismatch(error.message.replace(/^(train|data): /, ""));
    throw error;
  }
}
