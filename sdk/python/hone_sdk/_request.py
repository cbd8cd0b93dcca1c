"""What both clients share and that waits for nothing: addresses, headers, pauses, events."""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_URL = "http://127.0.0.1:8787"
PART_BYTES = 16 << 20
MIN_PART_BYTES = 5 << 20
_RETRIED = {408, 429, 502, 503, 504}
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0


def api_key_of(given: str | None) -> str:
    key = given or os.environ.get("HONE_API_KEY")
    if not key:
        raise ValueError("hone: no API key: give api_key, or set HONE_API_KEY")
    return key


def base_url_of(given: str | None) -> str:
    return (given or os.environ.get("HONE_URL") or DEFAULT_URL).rstrip("/")


def once(key: str | None = None) -> dict[str, str]:
    """The header of calls that create something: repeated by a retry, they create it once."""
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def query_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as query text: lists as JSON, so that names may hold commas."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}


def may_repeat(method: str, headers: Mapping[str, str]) -> bool:
    return method != "POST" or "Idempotency-Key" in headers


def is_retried(status: int, headers: Mapping[str, str]) -> bool:
    return status in _RETRIED or (status == 409 and "Retry-After" in headers)


def pause_s(attempt: int, retry_after: str | None) -> float:
    """As the service asks, else growing, with full jitter."""
    if retry_after is not None and retry_after.isdigit() and int(retry_after) <= 60:
        return float(retry_after)
    longest: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1))
    return random.random() * longest


def problem_of(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def is_over(job: Mapping[str, Any]) -> bool:
    return job.get("state") in ("succeeded", "failed", "canceled")


@dataclass
class Event:
    """A server-sent event; ``state`` events carry the job."""

    id: str | None
    type: str
    data: Any


@dataclass
class EventParser:
    """Lines to events, by the HTML standard's rules for event streams."""

    _id: str | None = None
    _type: str = "message"
    _data: list[str] = field(default_factory=list)

    def feed(self, line: str) -> Iterator[Event]:
        if line == "":
            if self._data:
                yield Event(self._id, self._type, json.loads("\n".join(self._data)))
            self._type, self._data = "message", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id = value
        elif name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
