"""Verifying what Hone sends to an endpoint: Standard Webhooks, with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE_S = 300


class WebhookVerificationError(Exception):
    """The request was not signed with the secret, or too long ago."""


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Any:
    """The event of a request that was signed with ``secret`` within five minutes.

    ``body`` is the raw body: parsed and written again it would have another signature.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent, signatures = (lower[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookVerificationError(f"the request has no header {missing}") from None
    if not sent.isdigit() or abs((time.time() if now is None else now) - int(sent)) > TOLERANCE_S:
        raise WebhookVerificationError("the request was signed too long ago, or the clocks differ")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{sent}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    if not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")):
        raise WebhookVerificationError("no signature of the request fits the secret")
    return json.loads(body)
