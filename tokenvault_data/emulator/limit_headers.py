"""The response headers in which a service speaks of its rate limit, in any subset of dialects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenvault_data.emulator.limiter import Verdict

DIALECTS = frozenset({"limit", "remaining", "retry", "type", "reset", "retry-after"})


def limit_headers(verdict: Verdict, dialects: frozenset[str]) -> list[tuple[bytes, bytes]]:
    """Headers for an answer, names in lower case as ASGI wants them.

    Seconds are whole and rounded up, so that who waits as told has waited long enough.

    Parameters
    ----------
    verdict : Verdict
        The limiter's verdict on the request.
    dialects : frozenset of str
        Any of ``limit``, ``remaining``, ``retry``, ``type``, ``reset`` (each
        ``x-ratelimit-...``, on every answer) and ``retry-after`` (the standard header, on
        refused requests only).

    Raises
    ------
    ValueError
        A dialect is unknown.
    """
    if not dialects <= DIALECTS:
        unknown = ", ".join(sorted(dialects - DIALECTS))
        raise ValueError(f"unknown header dialect {unknown}; known are {sorted(DIALECTS)}")
    headers: list[tuple[bytes, bytes]] = []
    if "limit" in dialects:
        headers.append((b"x-ratelimit-limit", b"%d" % verdict.limit))
    if "remaining" in dialects:
        headers.append((b"x-ratelimit-remaining", b"%d" % verdict.remaining))
    if "retry" in dialects:
        headers.append((b"x-ratelimit-retry", b"%d" % math.ceil(verdict.retry_after_seconds)))
    if "type" in dialects:
        headers.append((b"x-ratelimit-type", b"app_id"))
    if "reset" in dialects:
        headers.append((b"x-ratelimit-reset", b"%d" % math.ceil(verdict.reset_after_seconds)))
    if "retry-after" in dialects and not verdict.allowed:
        # A whole second at least: 0 would read as leave to come back at once.
        seconds = max(1, math.ceil(verdict.retry_after_seconds))
        headers.append((b"retry-after", b"%d" % seconds))
    return headers
