/** @file R2's rules for parts, said before R2 says them. */
import { ApiError } from "../problem/api-error.ts";
import type { UploadFile } from "../store/uploads.ts";

export const MAX_PARTS = 10_000;
const MIN_PART_BYTES = 5 << 20;

/** @throws ApiError `upload_incomplete` for a gap, `part_size_invalid` for sizes that do not go together */
export function checkParts({ location, parts }: Pick<UploadFile, "location" | "parts">): void {
  const of = location === "" ? "" : ` of "${location}"`;
  for (const [index, { number }] of parts.entries()) {
    if (number !== index + 1)
      throw new ApiError("upload_incomplete", `part ${index + 1}${of} has not arrived`);
  }
  const [first] = parts;
  const last = parts.at(-1);
  if (!first || !last) throw new ApiError("upload_incomplete", `no part${of} has arrived`);
  for (const { number, bytes } of parts.slice(0, -1)) {
    if (bytes < MIN_PART_BYTES) {
      throw new ApiError(
        "part_size_invalid",
        `part ${number}${of} has ${bytes} bytes; all but the last need ${MIN_PART_BYTES}`,
      );
    }
    if (bytes !== first.bytes) {
      throw new ApiError(
        "part_size_invalid",
        `part ${number}${of} has ${bytes} bytes, part 1 has ${first.bytes}; all but the last need the same`,
      );
    }
  }
  if (last.bytes > first.bytes) {
    throw new ApiError(
      "part_size_invalid",
      `the last part${of} has ${last.bytes} bytes, more than the ${first.bytes} of the others`,
    );
  }
}
