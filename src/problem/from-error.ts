/** @file What the core throws, as the problem that a caller can act on. */
import { CompressRefusal } from "../compress/types.ts";
import { UnknownNameError } from "../graph/selection.ts";
import { OnnxError } from "../onnx/errors.ts";
import { CursorError } from "../store/page.ts";
import { ApiError } from "./api-error.ts";
import { reportBody } from "./report-body.ts";

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
  if (error instanceof UnknownNameError) return new ApiError("unknown_name", error.message);
  if (error instanceof CursorError) return new ApiError("invalid_cursor", error.message);
  return undefined;
}
