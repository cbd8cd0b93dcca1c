"""Client of Hone, the model-optimization API."""

from ._async_client import AsyncCompressedModel, AsyncHone
from ._errors import (
    AuthenticationError,
    ConflictError,
    ConnectionFailedError,
    HoneError,
    InvalidRequestError,
    JobError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from ._request import Event
from ._sync_client import CompressedModel, Hone
from ._webhooks import WebhookVerificationError, verify_webhook

__all__ = [
    "AsyncCompressedModel",
    "AsyncHone",
    "AuthenticationError",
    "CompressedModel",
    "ConflictError",
    "ConnectionFailedError",
    "Event",
    "Hone",
    "HoneError",
    "InvalidRequestError",
    "JobError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "ServerError",
    "WebhookVerificationError",
    "verify_webhook",
]
