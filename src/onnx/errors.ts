/** @file What reading a model can refuse, with the reason as a code and the place as a byte offset. */

/** Codes are stable: the API passes them on as the problem's `code`. */
export type OnnxErrorCode =
  /** The bytes are another format, or none. */
  | "not_onnx"
  /** The bytes end before the message does. */
  | "truncated"
  /** The protobuf wire is malformed. */
  | "malformed"
  /** Well-formed, but not a model: what ONNX's specification forbids. */
  | "invalid_model"
  /** A valid model that goes past a named limit (`limits.ts`). */
  | "limit_exceeded"
  /** A valid model that uses what Hone cannot carry faithfully. */
  | "unsupported"
  /** External data that is missing, or whose path leaves the model's folder. */
  | "external_data";

export class OnnxError extends RangeError {
  override readonly name = "OnnxError";
  readonly code: OnnxErrorCode;
  /** Byte offset in the file where the reader stood, if it is known. */
  readonly offset: number | undefined;

  constructor(code: OnnxErrorCode, message: string, offset?: number) {
    super(`onnx: ${message}${offset === undefined ? "" : ` (at byte ${offset})`}`);
    this.code = code;
    this.offset = offset;
  }
}
