/** @file The one error that the routes answer with, and its form on the wire. */
import { PROBLEMS, type ProblemCode } from "./table.ts";

export interface FieldError {
  /** Where in the query or body: `bits`, `amounts["fc1"]`, `headers.prefer`. */
  path: string;
  message: string;
}

export interface ProblemMembers {
  errors?: FieldError[];
  /** Byte of the model where the reader stood. */
  offset?: number;
  /** The compression's report, as far as it got. */
  report?: unknown;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ProblemCode;
  readonly members: ProblemMembers;
  readonly headers: Record<string, string>;

  constructor(
    code: ProblemCode,
    detail: string,
    members: ProblemMembers = {},
    headers: Record<string, string> = {},
  ) {
    super(detail);
    this.code = code;
    this.members = members;
    this.headers = headers;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}

/** `application/problem+json` of RFC 9457, with Hone's members. */
export interface Problem extends ProblemMembers {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  hint: string;
  request_id?: string;
}

export function problemOf(error: ApiError, requestId?: string): Problem {
  const { status, title, hint } = PROBLEMS[error.code];
  return {
    type: `/docs#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    hint,
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...error.members,
  };
}
