"""What the headers of one answer say about the rate limit; any of them may be missing or nonsense.

The names are those of Cashfree's rate limit pages (``x-ratelimit-limit``, ``-remaining``,
``-retry``, ``-type``, ``-reset``), the ``RateLimit`` fields of the IETF drafts (see
`ratelimit_fields`) and the standard ``Retry-After`` (RFC 9110, 10.2.3), in seconds or as a date.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from tokenvault_data.client.pacing.ratelimit_fields import NAMES, FieldsReading, read_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHORTEST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 900.0
# Beyond these a value is no count or delay at all (an epoch time, an overflow) and is ignored.
_LARGEST_COUNT = 10_000_000
_LARGEST_DELAY_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class LimitReading:
    """What one answer said; None means that it did not say, or nothing usable.

    Attributes
    ----------
    limit_per_minute : int or None
        Requests allowed a minute, at least 1; by the strictest of several policies.
    limit_is_guessed : bool
        Whether the length of the limit's window was not told, so that it may be lower.
    remaining : int or None
        Requests left when the answer was made.
    wait_seconds : float or None
        How long to wait before the next call: 0 when told that there is no need, else between
        1 and 900.
    reset_after_seconds : float or None
        Until the window resets, 0 to 900.
    counted_by : str or None
        ``app_id`` or ``ip``.
    """

    limit_per_minute: int | None = None
    limit_is_guessed: bool = False
    remaining: int | None = None
    wait_seconds: float | None = None
    reset_after_seconds: float | None = None
    counted_by: str | None = None


_NOTHING = LimitReading()
_SPEAKING = frozenset(
    {
        *(f"x-ratelimit-{name}" for name in ("limit", "remaining", "retry", "reset", "type")),
        *NAMES,
        "retry-after",
    }
)


def read_limits(
    headers: Mapping[str, str], *, wall_clock: Callable[[], float] = time.time
) -> LimitReading:
    """Read whatever limit headers an answer has.

    Parameters
    ----------
    headers : mapping of str to str
        Headers of the answer, names in lower case.
    wall_clock : callable
        Seconds since 1970; asked only when ``Retry-After`` is a date and the answer has no
        ``Date`` of its own to measure it from.
    """
    if not _SPEAKING.intersection(headers):
        return _NOTHING
    limit = _count(headers.get("x-ratelimit-limit"))
    remaining = _count(headers.get("x-ratelimit-remaining"))
    retry = _delay(headers.get("x-ratelimit-retry"))
    reset = _delay(headers.get("x-ratelimit-reset"))
    counted_by = headers.get("x-ratelimit-type")
    is_guessed = False
    waits = [retry, _retry_after(headers.get("retry-after"), headers, wall_clock)]
    fields = read_fields(headers)
    if fields != FieldsReading():
        if fields.limit_per_minute is not None:
            by_fields = max(1, int(fields.limit_per_minute))
            if not limit or by_fields < limit:
                limit, is_guessed = by_fields, fields.is_guessed
                remaining, reset = fields.remaining, fields.reset_after_seconds
        if waits == [None, None]:
            waits = [fields.exhausted_seconds]
    told = [wait for wait in waits if wait is not None]
    return LimitReading(
        limit_per_minute=limit or None,
        limit_is_guessed=is_guessed,
        remaining=remaining,
        wait_seconds=_clamped(max(told)) if told else None,
        reset_after_seconds=None if reset is None else min(reset, LONGEST_WAIT_SECONDS),
        counted_by=counted_by if counted_by in ("app_id", "ip") else None,
    )


def _clamped(wait: float) -> float:
    if wait == 0:
        return 0.0
    return min(max(wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)


def _number(text: str | None) -> float | None:
    # float() also takes "nan", "1_000" and digits of other scripts, which no server means.
    if text is None or len(text) > 20 or not text.isascii() or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _count(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None or number > _LARGEST_COUNT else int(number)


def _delay(text: str | None) -> float | None:
    number = _number(text)
    return None if number is None or number > _LARGEST_DELAY_SECONDS else number


def _retry_after(
    text: str | None, headers: Mapping[str, str], wall_clock: Callable[[], float]
) -> float | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(min(int(text[:20]), LONGEST_WAIT_SECONDS))  # however long: the longest
    seconds = _delay(text)
    if seconds is not None:
        return seconds
    until = _http_date(text)
    if until is None:
        return None
    # The server's own clock is the one its date was made with; ours may be hours off.
    since = _http_date(headers.get("date", ""))
    seconds = until - (wall_clock() if since is None else since)
    return seconds if 0 <= seconds <= _LARGEST_DELAY_SECONDS else None


def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # it loads a good part of `email`

    try:
        moment = parsedate_to_datetime(text)
        # An HTTP date is in GMT even where its zone was left out.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
