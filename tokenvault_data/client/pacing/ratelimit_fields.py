"""The ``RateLimit`` fields of the IETF drafts (draft-ietf-httpapi-ratelimit-headers), 6 to 11.

Draft 6 has one field a figure, draft 7 puts the figures into one, and from draft 8 on each policy
has a name, and items for what is left of it::

    RateLimit-Limit: 100, 100;w=60      RateLimit: limit=100, remaining=50, reset=5
    RateLimit-Remaining: 50             RateLimit-Policy: 100;w=60
    RateLimit-Reset: 5
                                        RateLimit: "default";r=50;t=30
                                        RateLimit-Policy: "default";q=100;w=60

A policy without a window is held to count by the minute, or by as long as its reset is away where
that is longer. Of several policies the strictest holds. What cannot be read is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
