"""What the service refuses, as exceptions by kind. Each carries the problem (RFC 9457) that the service answered."""

from __future__ import annotations

from typing import Any


class HoneError(Exception):
    """An answer of 400 or above: ``code`` says what, the message where, ``hint`` what to do next."""

    def __init__(self, status: int, problem: dict[str, Any], request_id: str | None) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or f"the service answered {status}")
        self.status = status
        self.code: str = problem.get("code", "unknown")
        self.hint: str | None = problem.get("hint")
        self.request_id = request_id
        self.problem = problem


class AuthenticationError(HoneError):
    """401: no key, or one that is not known."""


class PermissionDeniedError(HoneError):
    """403: the key may not do this."""


class NotFoundError(HoneError):
    """404: there is no such thing in this workspace."""


class ConflictError(HoneError):
    """409 and 412: the state of things forbids it."""


class InvalidRequestError(HoneError):
    """400, 413, 415 and 422: the request, the model or the data is at fault."""

    @property
    def report(self) -> dict[str, Any] | None:
        """Of a compression that was refused, as far as it got."""
        return self.problem.get("report")


class RateLimitError(HoneError):
    """429."""


class ServerError(HoneError):
    """500 and above."""


class ConnectionFailedError(Exception):
    """No answer: the network failed, or the time was over. ``__cause__`` has httpx's exception."""


class JobError(Exception):
    """The job ended, and not well."""

    def __init__(self, job: dict[str, Any]) -> None:
        problem = job.get("error") or {}
        said = problem.get("detail") or problem.get("title")
        what = "failed" if job["state"] == "failed" else "was canceled"
        super().__init__(f"{job['id']} {what}" + (f": {said}" if said else ""))
        self.job = job
        self.problem: dict[str, Any] = problem


_KINDS: dict[int, type[HoneError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    429: RateLimitError,
}


def error_of(status: int, problem: dict[str, Any], request_id: str | None) -> HoneError:
    kind = _KINDS.get(status) or (ServerError if status >= 500 else InvalidRequestError)
    return kind(status, problem, request_id)
