"""What the headers of one answer say about the rate limit; any of them may be missing or nonsense.

The names are those of Cashfree's rate limit pages (``x-ratelimit-limit``, ``-remaining``,
``-retry``, ``-type``, ``-reset``), the ``RateLimit`` fields of the IETF drafts (see
`read_fields`) and the standard ``Retry-After`` (RFC 9110, 10.2.3), in seconds or as a date.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


NAMES = (
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
)
_MINUTE = 60
_LONGEST_FIELD = 4096
_LARGEST = 10_000_000
# Commas and semicolons inside of quotes part nothing.
_members = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+').findall
_parts = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^";])+').findall
_is_integer = re.compile(r"[0-9]{1,15}").fullmatch


class FieldsReading(NamedTuple):
    """What the fields of one answer say; None where they do not.

    Attributes
    ----------
    limit_per_minute : float or None
        Of the strictest policy.
    is_guessed : bool
        Whether the length of its window was not told.
    remaining : int or None
        Left of that policy, if it counts by the minute.
    reset_after_seconds : int or None
        Until that policy's window resets.
    exhausted_seconds : int or None
        Until the last of the policies of which nothing is left resets.
    """

    limit_per_minute: float | None = None
    is_guessed: bool = False
    remaining: int | None = None
    reset_after_seconds: int | None = None
    exhausted_seconds: int | None = None


class _Policy(NamedTuple):
    name: str | None
    quota: int
    window: int | None


class _Left(NamedTuple):
    name: str | None
    remaining: int | None
    reset: int | None


def read_fields(headers: Mapping[str, str]) -> FieldsReading:
    """Read the fields from headers whose names are in lower case."""
    lefts = list(_lefts(headers))
    resets = [left.reset for left in lefts if left.reset is not None]
    guess = max([_MINUTE, *resets])
    policies = list(_policies(headers))
    told = {policy.quota for policy in policies if policy.window}
    # A bare figure is one of the policies, as a rule, which say over what time it counts.
    candidates = [
        (policy.quota * _MINUTE / (policy.window or guess), policy)
        for policy in policies
        if policy.window or policy.quota not in told
    ]
    spent = [left.reset for left in lefts if left.remaining == 0 and left.reset is not None]
    exhausted = max(spent, default=None)
    if not candidates:
        return FieldsReading(exhausted_seconds=exhausted)
    rate, strictest = min(candidates, key=lambda each: each[0])
    of_it = [left for left in lefts if left.name in {None, strictest.name}]
    left = of_it[0] if len(of_it) == 1 else _Left(None, None, None)
    remaining = left.remaining if (strictest.window or guess) == _MINUTE else None
    return FieldsReading(rate, strictest.window is None, remaining, left.reset, exhausted)


def _policies(headers: Mapping[str, str]) -> Iterator[_Policy]:
    for field in ("ratelimit-policy", "ratelimit-limit"):
        for key, parameters in _items(headers.get(field)):
            if parameters.get("qu", '"requests"').strip('"') != "requests":
                continue  # counts bytes, or calls at one time
            is_named = "q" in parameters
            quota = _integer(parameters.get("q") if is_named else key)
            window = _integer(parameters.get("w"))
            if quota and (window or "w" not in parameters):
                yield _Policy(key if is_named else None, quota, window)
    limit = _integer(_draft_7(headers).get("limit"))
    if limit:
        yield _Policy(None, limit, None)


def _lefts(headers: Mapping[str, str]) -> Iterator[_Left]:
    figures = _draft_7(headers)
    if figures.keys() & {"remaining", "reset"}:
        yield _Left(None, _integer(figures.get("remaining")), _integer(figures.get("reset")))
    for key, parameters in _items(headers.get("ratelimit")):
        if parameters.keys() & {"r", "t"}:
            yield _Left(key, _integer(parameters.get("r")), _integer(parameters.get("t")))
    if "ratelimit-remaining" in headers or "ratelimit-reset" in headers:
        yield _Left(
            None,
            _integer(headers.get("ratelimit-remaining")),
            _integer(headers.get("ratelimit-reset")),
        )


def _draft_7(headers: Mapping[str, str]) -> dict[str, str]:
    figures: dict[str, str] = {}
    for key, _ in _items(headers.get("ratelimit")):
        name, is_figure, value = key.partition("=")
        if is_figure and not key.startswith('"'):
            figures[name.strip().lower()] = value
    return figures


def _items(field: str | None) -> Iterator[tuple[str, dict[str, str]]]:
    """The members of a list, each with its parameters."""
    if not field or len(field) > _LONGEST_FIELD:
        return
    for member in _members(field):
        key, *rest = _parts(member) or [""]
        pairs = (part.partition("=") for part in rest)
        yield key.strip(), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _integer(text: str | None) -> int | None:
    text = "" if text is None else text.strip()
    if not _is_integer(text):
        return None
    number = int(text)
    return number if number <= _LARGEST else None


# Whoever is at it asks again so soon after the wait that a refusal asks for; later, he was idle.
_ASKS_WITHIN_SECONDS = 60.0


class RefusedTime:
    """Time that has passed in refusals and in the waits after them.

    Neither what is still to be waited for counts, nor time in which nothing was asked.
    """

    def __init__(self) -> None:
        self._counted = 0.0
        self._refused_at: float | None = None
        self._counts_until = 0.0

    def refused(self, now: float, closed_until: float) -> None:
        """Take in a 429, after which nothing is sent up to `closed_until`."""
        self._counted = self.seconds(now)
        self._refused_at = now
        self._counts_until = max(closed_until, now + _ASKS_WITHIN_SECONDS)

    def answered(self) -> None:
        """Take in any other answer."""
        self._counted, self._refused_at = 0.0, None

    def seconds(self, now: float) -> float:
        """How long it has been so; 0 while something is answered."""
        if self._refused_at is None:
            return 0.0
        return self._counted + max(0.0, min(now, self._counts_until) - self._refused_at)

    def follow_clock(self, jump: float) -> None:
        """Keep times as long as they were though the clock was put back."""
        if self._refused_at is not None:
            self._refused_at += jump
            self._counts_until += jump


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
