"""Answers as values, and the error bodies the documentation shows."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]
Applied = Literal["deleted", "delete pending", "replayed", ""]

_HELP = "See the error reference of the payment gateway's documentation"


class Response(NamedTuple):
    """What to send back, and what was done to the vault on the way.

    `applied` says what a request changed: it ``deleted`` the instrument, the delete takes effect
    later (``delete pending``), the answer to an earlier request was ``replayed``, or nothing.
    """

    status: int
    body: bytes
    headers: Headers = ()
    applied: Applied = ""
    content_type: bytes = b"application/json"


# status -> (code, type, message); what a status means when nothing more particular is known.
_USUAL_ERRORS: dict[int, tuple[str, str, str]] = {
    400: ("request_invalid", "invalid_request_error", "The request is malformed"),
    401: ("request_failed", "authentication_error", "authentication Failed"),
    403: ("request_failed", "invalid_request_error", "Token Vault is not enabled for this account"),
    404: ("instrument_not_found", "invalid_request_error", "Instrument does not exist"),
    405: ("method_not_allowed", "invalid_request_error", "Method is not allowed here"),
    409: ("instrument_already_deleted", "invalid_request_error", "Instrument is already deleted"),
    422: (
        "idempotency_key_reused",
        "idempotency_error",
        "The idempotency key was used for another request",
    ),
    429: ("request_failed", "rate_limit_error", "Too many requests from this app id"),
    500: ("internal_error", "api_error", "Internal server error"),
    502: (
        "tokenization_service_unavailable",
        "api_error",
        "The tokenization service is not available",
    ),
}


def error_answer(
    status: int, code: str | None = None, message: str | None = None, headers: Headers = ()
) -> Response:
    """Make the error body for a status, with its usual code and message unless others are given."""
    fallback = (
        "request_failed",
        "api_error" if status >= 500 else "invalid_request_error",
        "Failed",
    )
    usual_code, kind, usual_message = _USUAL_ERRORS.get(status, fallback)
    body = {
        "message": message or usual_message,
        "code": code or usual_code,
        "type": kind,
        "help": _HELP,
    }
    return Response(status, json.dumps(body, separators=(",", ":")).encode(), headers)
