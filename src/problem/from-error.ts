/** @file What the core throws, as the problem that a caller can act on. */
import { CompressRefusal } from "../compress/types.ts";
import { DatasetError } from "../data/dataset.ts";
import { UnknownNameError } from "../graph/selection.ts";
import { ArenaFullError } from "../kernels/arena.ts";
import { OnnxError } from "../onnx/errors.ts";
import { CursorError } from "../store/page.ts";
import { StoredObjectError } from "../store/r2-source.ts";
import { ApiError } from "./api-error.ts";
import { reportBody } from "./report-body.ts";

/** R2 gives its error code at the end: `get: We encountered an internal error. (10001)`. */
const R2_FAILURE = /\(10\d{3}\)$/;

/** `undefined` for an error that is nobody's fault but ours. */
export function apiErrorOf(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof OnnxError) {
    return new ApiError(
      error.code,
      error.message,
      error.offset === undefined ? {} : { offset: error.offset },
    );
  }
  if (error instanceof CompressRefusal) {
    const { report } = error;
    return new ApiError(error.code, error.message, report ? { report: reportBody(report) } : {});
  }
  if (error instanceof ArenaFullError) return new ApiError("limit_exceeded", error.message);
  if (error instanceof DatasetError) return new ApiError(error.code, error.message);
  if (error instanceof UnknownNameError) return new ApiError("unknown_name", error.message);
  if (error instanceof CursorError) return new ApiError("invalid_cursor", error.message);
  if (
    error instanceof StoredObjectError ||
    (error instanceof Error && R2_FAILURE.test(error.message))
  ) {
    return new ApiError(
      "storage_unavailable",
      "the storage did not answer as it should",
      {},
      {
        "Retry-After": "5",
      },
    );
  }
  return undefined;
}
