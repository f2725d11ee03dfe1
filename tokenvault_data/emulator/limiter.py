"""Four ways in which a service counts requests against a limit per minute.

The vault does not say how it counts, so the emulator can count in each of the ways in use:
a fixed window, a sliding log of every request, a sliding counter that weighs the window before
against the present one (the approximation used by large edge networks), and a token bucket.
All take the time as an argument; none reads a clock.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Protocol

WINDOWS = ("fixed", "log", "counter", "bucket")
DEFAULT_BURST = 10
# Sums of many fractions miss whole numbers by a hair; no request may be refused for that.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a limiter says of one request.

    Attributes
    ----------
    allowed : bool
        False when the request is to be answered with 429.
    limit : int
        The limit per minute.
    remaining : int
        Requests that would be allowed right after this one, at the same instant.
    retry_after_seconds : float
        After how many seconds the next request would be allowed; 0 when one is allowed now.
    reset_after_seconds : float
        Fixed window: until the window ends. Others: until the whole budget is back if no
        further request comes.
    """

    allowed: bool
    limit: int
    remaining: int
    retry_after_seconds: float
    reset_after_seconds: float


class Limiter(Protocol):
    """Decides on requests one at a time, in the order of their arrival."""

    def admit(self, now: float) -> Verdict:
        """Count a request that arrives at `now` (seconds, never going back) and judge it."""


class FixedWindow:
    """So many requests in each window; the count starts afresh at each boundary."""

    def __init__(
        self, limit: int, capacity: int, window: float, offset: _Offset, *, rejected_count: bool
    ) -> None:
        self._limit = limit
        self._capacity = capacity
        self._window = window
        self._offset = offset
        self._rejected_count = rejected_count
        self._index = -1
        self._count = 0

    def admit(self, now: float) -> Verdict:
        """Count a request that arrives at `now` and judge it."""
        index, elapsed = self._offset.locate(now, self._window)
        if index != self._index:
            self._index, self._count = index, 0
        allowed = self._count < self._capacity
        if allowed or self._rejected_count:
            self._count += 1
        left = self._window - elapsed
        remaining = max(0, self._capacity - self._count)
        return Verdict(allowed, self._limit, remaining, 0.0 if remaining else left, left)


class SlidingLog:
    """So many requests in any stretch of one window, each remembered by its time."""

    def __init__(self, limit: int, capacity: int, window: float, *, rejected_count: bool) -> None:
        self._limit = limit
        self._capacity = capacity
        self._window = window
        self._rejected_count = rejected_count
        self._times: deque[float] = deque()

    def admit(self, now: float) -> Verdict:
        """Count a request that arrives at `now` and judge it."""
        times = self._times
        while times and times[0] + self._window <= now:
            times.popleft()
        allowed = len(times) < self._capacity
        if allowed or self._rejected_count:
            times.append(now)
        remaining = max(0, self._capacity - len(times))
        wait = 0.0
        if not remaining:
            wait = times[len(times) - self._capacity] + self._window - now
        reset = times[-1] + self._window - now
        return Verdict(allowed, self._limit, remaining, wait, reset)


class SlidingCounter:
    """The present count, plus that of the window before weighed by how much of it still shows."""

    def __init__(
        self, limit: int, capacity: int, window: float, offset: _Offset, *, rejected_count: bool
    ) -> None:
        self._limit = limit
        self._capacity = capacity
        self._window = window
        self._offset = offset
        self._rejected_count = rejected_count
        self._index = -2
        self._before = 0
        self._count = 0

    def admit(self, now: float) -> Verdict:
        """Count a request that arrives at `now` and judge it."""
        index, elapsed = self._offset.locate(now, self._window)
        if index != self._index:
            self._before = self._count if index == self._index + 1 else 0
            self._index, self._count = index, 0
        weighed = self._before * (1.0 - elapsed / self._window)
        allowed = weighed + self._count + 1 <= self._capacity + _ROUNDING
        if allowed or self._rejected_count:
            self._count += 1
        free = self._capacity - weighed - self._count
        remaining = max(0, math.floor(free + _ROUNDING))
        wait = 0.0 if remaining else self._wait(elapsed)
        # What this window counted shows until the end of the next one.
        reset = self._window - elapsed + (self._window if self._count else 0.0)
        return Verdict(allowed, self._limit, remaining, wait, reset)

    def _wait(self, elapsed: float) -> float:
        room = self._capacity - 1 - self._count
        if room >= 0 and self._before:
            return max(0.0, (1.0 - room / self._before) * self._window - elapsed)
        in_next_window = max(0.0, 1.0 - (self._capacity - 1) / max(1, self._count))
        return self._window - elapsed + in_next_window * self._window


class TokenBucket:
    """Tokens drip in at an even rate up to a burst; a request takes one."""

    def __init__(self, limit: int, per_second: float, burst: int, *, rejected_count: bool) -> None:
        self._limit = limit
        self._per_second = per_second
        self._burst = burst
        self._rejected_count = rejected_count
        self._tokens = float(burst)
        self._filled_at: float | None = None

    def admit(self, now: float) -> Verdict:
        """Count a request that arrives at `now` and judge it."""
        if self._filled_at is not None:
            dripped = (now - self._filled_at) * self._per_second
            self._tokens = min(float(self._burst), self._tokens + dripped)
        self._filled_at = now
        allowed = self._tokens >= 1.0 - _ROUNDING
        if allowed:
            self._tokens -= 1.0
        elif self._rejected_count:
            # The debt is bounded, or a client that never pauses would be shut out for hours.
            self._tokens = max(-float(self._burst), self._tokens - 1.0)
        tokens = self._tokens
        remaining = max(0, math.floor(tokens + _ROUNDING))
        wait = 0.0 if remaining else (1.0 - tokens) / self._per_second
        return Verdict(
            allowed, self._limit, remaining, wait, (self._burst - tokens) / self._per_second
        )


class _Offset:
    """Where windows begin: at a given time, or at a seeded place before the first request."""

    def __init__(self, offset_seconds: float | None, seed: int) -> None:
        self._start = offset_seconds
        self._seed = seed

    def locate(self, now: float, window: float) -> tuple[int, float]:
        """Tell the number of the window that holds `now`, and the seconds since it began."""
        if self._start is None:
            # Seeded draws place test scenarios; nothing secret depends on them.
            self._start = now - random.Random(self._seed).random() * window  # noqa: S311 see above
        index = math.floor((now - self._start) / window)
        return index, now - self._start - index * window


def make_limiter(
    window: str,
    per_minute: int,
    *,
    window_seconds: float = 60.0,
    burst: int | None = None,
    rejected_count: bool = False,
    offset_seconds: float | None = None,
    seed: int = 0,
) -> Limiter:
    """Make a limiter by the name of its kind.

    Parameters
    ----------
    window : str
        ``fixed``, ``log`` (sliding log), ``counter`` (sliding counter) or ``bucket``.
    per_minute : int
        Requests allowed a minute, at least 1.
    window_seconds : float
        Length of the window; its allowance is in proportion, at least one request.
    burst : int or None
        Size of the token bucket, 10 when None; the other kinds take none.
    rejected_count : bool
        Whether requests that are refused are counted too.
    offset_seconds : float or None
        A time, on the clock given to `admit`, at which a window begins (``fixed`` and
        ``counter``); None places it at random relative to the first request.
    seed : int
        Seed of that random place.

    Raises
    ------
    ValueError
        The kind is unknown, a number is out of range, or `burst` is given for another kind.
    """
    if per_minute < 1:
        raise ValueError(f"a limit has to be at least 1 a minute, not {per_minute}")
    if not (math.isfinite(window_seconds) and window_seconds > 0):
        raise ValueError(f"a window has to last some seconds, not {window_seconds}")
    if burst is not None and (window != "bucket" or burst < 1):
        raise ValueError("a burst of at least 1 goes with a token bucket only")
    capacity = max(1, round(per_minute * window_seconds / 60.0))
    offset = _Offset(offset_seconds, seed)
    match window:
        case "fixed":
            return FixedWindow(
                per_minute, capacity, window_seconds, offset, rejected_count=rejected_count
            )
        case "log":
            return SlidingLog(per_minute, capacity, window_seconds, rejected_count=rejected_count)
        case "counter":
            return SlidingCounter(
                per_minute, capacity, window_seconds, offset, rejected_count=rejected_count
            )
        case "bucket":
            return TokenBucket(
                per_minute,
                per_minute / 60.0,
                burst or DEFAULT_BURST,
                rejected_count=rejected_count,
            )
    raise ValueError(f"unknown kind of window {window!r}; known are {', '.join(WINDOWS)}")


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
