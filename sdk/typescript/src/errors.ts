/** @file What the service refuses, as errors by kind. Each carries the problem (RFC 9457) that the service answered. */
import type { Problem, Report } from "./generated/schema.d.ts";

/** An answer of 400 or above. `code` says what, `message` where, `hint` what to do next. */
export class HoneError extends Error {
  override readonly name: string = "HoneError";
  readonly status: number;
  /** `not_found`, `invalid_model`, …; the service's documentation has the table. */
  readonly code: string;
  readonly hint: string | undefined;
  /** Names the call in the service's logs. */
  readonly requestId: string | undefined;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>, requestId: string | undefined) {
    super(problem.detail ?? problem.title ?? `the service answered ${status}`);
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.hint = problem.hint;
    this.requestId = requestId;
    this.problem = problem;
  }
}

/** 401: no key, or one that is not known. */
export class AuthenticationError extends HoneError {
  override readonly name = "AuthenticationError";
}

/** 403: the key may not do this. */
export class PermissionError extends HoneError {
  override readonly name = "PermissionError";
}

/** 404: there is no such thing in this workspace. */
export class NotFoundError extends HoneError {
  override readonly name = "NotFoundError";
}

/** 409 and 412: the state of things forbids it. */
export class ConflictError extends HoneError {
  override readonly name = "ConflictError";
}

/** 400, 413, 415 and 422: the request, the model or the data is at fault. */
export class InvalidRequestError extends HoneError {
  override readonly name = "InvalidRequestError";

  /** Of a compression that was refused, as far as it got. */
  get report(): Report | undefined {
    return (this.problem as { report?: Report }).report;
  }
}

/** 429. */
export class RateLimitError extends HoneError {
  override readonly name = "RateLimitError";
}

/** 500 and above. */
export class ServerError extends HoneError {
  override readonly name = "ServerError";
}

/** No answer: the network failed, or the time was over. `cause` has the error of `fetch`. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

/** The job ended, and not well. */
export class JobError extends Error {
  override readonly name = "JobError";
  readonly jobId: string;
  readonly state: "failed" | "canceled";
  readonly problem: Partial<Problem>;

  constructor(jobId: string, state: "failed" | "canceled", problem: Partial<Problem>) {
    super(`${jobId} ${state === "failed" ? "failed" : "was canceled"}${detailOf(problem)}`);
    this.jobId = jobId;
    this.state = state;
    this.problem = problem;
  }
}

function detailOf({ detail, title }: Partial<Problem>): string {
  const said = detail ?? title;
  return said ? `: ${said}` : "";
}

const KINDS: Readonly<Record<number, typeof HoneError>> = {
  401: AuthenticationError,
  403: PermissionError,
  404: NotFoundError,
  409: ConflictError,
  412: ConflictError,
  429: RateLimitError,
};

/** The error of an answer whose status is 400 or above; reads its body. */
export async function errorOf(response: Response): Promise<HoneError> {
  const { status, headers } = response;
  const text = await response.text().catch(() => "");
  const requestId = headers.get("Request-Id") ?? headers.get("X-Request-Id") ?? undefined;
  const Kind = KINDS[status] ?? (status >= 500 ? ServerError : InvalidRequestError);
  return new Kind(status, parseProblem(text), requestId);
}

function parseProblem(text: string): Partial<Problem> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
