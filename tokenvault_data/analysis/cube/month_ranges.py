"""Ranges of expiry months."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tokenvault_data.analysis.filters.filters import All, Compare, IsIn, Not, Predicate
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MONTH = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class MonthRange:
    """The months from `first` through `last`, ``YYYY-MM``; None leaves an end open."""

    first: str | None
    last: str | None

    def holds(self, month: str) -> bool:
        """Say whether a month lies in the range.

        >>> MonthRange("2026-12", None).holds("2027-01")
        True
        """
        return (self.first is None or month >= self.first) and (
            self.last is None or month <= self.last
        )

    def predicate(self) -> Predicate:
        """Return the condition that a card's last day lies in the range.

        >>> MonthRange("2026-12", "2027-02").predicate().sentence()
        'expires on or after 1 December 2026 and expires on or before 28 February 2027'
        """
        ends: list[Predicate] = []
        if self.first is not None:
            ends.append(Compare("expires_on", ">=", date.fromisoformat(f"{self.first}-01")))
        if self.last is not None:
            ends.append(Compare("expires_on", "<=", _last_day(self.last)))
        if not ends:
            return Not(IsIn("expires_on", (None,)))
        return ends[0] if len(ends) == 1 else All(tuple(ends))


def read_month_range(ends: Sequence[Any]) -> MonthRange:
    """Read the first and last month of a range.

    Raises
    ------
    UsageError
        They are not two months, or in the wrong order.
    """
    readable = len(ends) == 2 and all(
        end is None or (isinstance(end, str) and _MONTH.fullmatch(end)) for end in ends
    )
    if not readable:
        raise UsageError(
            f"{ends!r} is no range of months; nothing was filtered; give the first and the last"
            " one as YYYY-MM, or None for an open end."
        )
    first, last = ends
    if first is not None and last is not None and first > last:
        raise UsageError(
            f"The range of months begins behind its end ({first}, {last}); nothing was filtered;"
            " exchange the two."
        )
    return MonthRange(first, last)


def _last_day(month: str) -> date:
    year, number = int(month[:4]), int(month[5:])
    if number == 12:
        return date(year, 12, 31)
    return date(year, number + 1, 1) - timedelta(days=1)
