"""Figures on expiry: cards by days left, by month, by bank and month, and expired ACTIVE ones.

A month is a part of a bucket of days, a cell of the heat map a part of both a month and a bank, and
expired ACTIVE cards are a part of both the expired and the ACTIVE ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.analysis.breakdown import breakdown
from tokenvault_data.analysis.filters.filters import Not, where
from tokenvault_data.dataset.derived_dimensions import EXPIRES_IN, expires_in
from tokenvault_data.dataset.labels import OTHER
from tokenvault_data.reports.disclosure.counted_groups import (
    ALL,
    add_group,
    cards_of,
    customers_of,
    divide,
    line,
)
from tokenvault_data.reports.disclosure.published_breakdowns import finished, in_order
from tokenvault_data.reports.labels import is_missing

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import pandas as pd

    from tokenvault_data.analysis.cube.cube import Cube
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.reports.disclosure.suppression import Figures

MONTHS: Final = 12
BUCKETS: Final = (*EXPIRES_IN, None)
EXPIRED_ACTIVE: Final = ("standing", EXPIRES_IN[0], "ACTIVE")

_BUCKET_WEIGHT: Final = 12.0
_MONTH_WEIGHT: Final = 6.0
_TILE_WEIGHT: Final = 1.0
_EXPIRED_ACTIVE_WEIGHT: Final = 40.0


@dataclass(frozen=True, slots=True)
class PublishedExpiry:
    """Tables on expiry; figures are null where ``hidden``.

    Attributes
    ----------
    outlook : pandas.DataFrame
        ``bucket`` (null: expiry not known), ``cards``, ``customers``, ``share``, ``hidden``.
    calendar : pandas.DataFrame
        ``expiry``, ``cards``, ``customers``, ``share``, ``hidden`` for twelve months.
    heat_map : pandas.DataFrame
        ``bank``, ``expiry``, ``cards``, ``hidden``.
    unknown : int or None
        Cards of unknown expiry; None when hidden.
    expired_active : int or None
        Expired cards that the vault lists as ACTIVE; None when hidden.
    """

    outlook: pd.DataFrame
    calendar: pd.DataFrame
    heat_map: pd.DataFrame
    unknown: int | None
    expired_active: int | None


def coming_months(as_of: date, months: int = MONTHS) -> list[str]:
    """Return months as ``YYYY-MM``, that of `as_of` first.

    >>> coming_months(date(2026, 12, 5), 2)
    ['2026-12', '2027-01']
    """
    numbers = range(as_of.year * 12 + as_of.month - 1, as_of.year * 12 + as_of.month - 1 + months)
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


class ExpiryFigures:
    """The figures on expiry of a page.

    Parameters
    ----------
    figures : Figures
        Holds the breakdowns by ``bank`` and ``instrument_status`` already.
    cube : Cube
    as_of : date
    banks_alone : sequence of str or None
        Banks that the page names; all others are one row.
    banks : BankNames, optional
        Names of banks.
    """

    def __init__(
        self,
        figures: Figures,
        cube: Cube,
        *,
        as_of: date,
        banks_alone: Sequence[str | None],
        banks: BankNames | None = None,
    ) -> None:
        self.figures = figures
        self.months = coming_months(as_of)
        self._add_buckets(breakdown(cube, "expires_in", as_of=as_of))
        self._add_standings(
            breakdown(cube, ["expires_in", "instrument_status"], as_of=as_of),
            breakdown(cube, "instrument_status"),
        )
        later = Not(where(expiry=[*self.months, None]))
        beyond = breakdown(cube, "expires_in", where=later, as_of=as_of)
        self._add_months(breakdown(cube, "expiry"), beyond, as_of)
        self.rows = self._add_banks(
            breakdown(cube, ["bank", "expiry"], banks=banks),
            breakdown(cube, "bank", banks=banks),
            breakdown(cube, "bank", where=later | where(expiry=None), banks=banks),
            banks_alone,
        )

    def published(self) -> PublishedExpiry:
        """Return the tables, once it is decided what may be shown."""
        outlook = [
            {"bucket": bucket, **line(self.figures, ("bucket", bucket))} for bucket in BUCKETS
        ]
        calendar = [
            {"expiry": month, **line(self.figures, ("month", month))} for month in self.months
        ]
        tiles = [
            {"bank": bank, "expiry": month, "cards": self._shown(("tile", bank, month))}
            for bank in in_order(self.rows, lambda row: row, self._bank_shown)
            for month in self.months
        ]
        return PublishedExpiry(
            finished(outlook),
            finished(calendar),
            finished(tiles),
            self._shown(("bucket", None)),
            self._shown(EXPIRED_ACTIVE),
        )

    def _shown(self, group: Hashable) -> int | None:
        return self.figures.published(cards_of(group))

    def _bank_shown(self, row: str | None) -> int | None:
        return None if row == OTHER else self._shown(("bank", row))

    def _add_buckets(self, counts: pd.DataFrame) -> None:
        found = {values[0]: rest for values, *rest in _cells(counts, 1)}
        for bucket in BUCKETS:
            cards, customers = found.get(bucket, (0, 0))
            add_group(
                self.figures,
                ("bucket", bucket),
                cards,
                customers,
                shown=_BUCKET_WEIGHT,
                customers=customers,
            )
        divide(self.figures, ALL, [("bucket", bucket) for bucket in BUCKETS])

    def _add_standings(self, counts: pd.DataFrame, totals: pd.DataFrame) -> None:
        """Add cards by bucket and status; of these only the expired ACTIVE ones are shown."""
        statuses = [values[0] for values, *_ in _cells(totals, 1)]
        found = {values: rest for values, *rest in _cells(counts, 2)}
        for bucket in BUCKETS:
            for status in dict.fromkeys([*statuses, "ACTIVE"]):
                group = ("standing", bucket, status)
                cards, customers = found.get((bucket, status), (0, 0))
                weight = _EXPIRED_ACTIVE_WEIGHT if group == EXPIRED_ACTIVE else None
                add_group(self.figures, group, cards, customers, shown=weight)
        for bucket in BUCKETS:
            divide(self.figures, ("bucket", bucket), [("standing", bucket, s) for s in statuses])
        for status in statuses:
            divide(
                self.figures,
                ("instrument_status", status),
                [("standing", bucket, status) for bucket in BUCKETS],
            )

    def _add_months(self, counts: pd.DataFrame, beyond: pd.DataFrame, as_of: date) -> None:
        found = {values[0]: rest for values, *rest in _cells(counts, 1)}
        inside: dict[str, list[Hashable]] = {}
        for month in self.months:
            cards, customers = found.get(month, (0, 0))
            bucket = expires_in(_last_day(month), as_of)
            add_group(
                self.figures,
                ("month", month),
                cards,
                customers,
                shown=_MONTH_WEIGHT,
                customers=customers,
                of=("bucket", bucket),
            )
            self.figures.rest(customers_of(ALL), [customers_of(("month", month))])
            inside.setdefault(bucket, []).append(("month", month))
        for bucket, months in inside.items():
            if bucket == EXPIRES_IN[-1]:
                after = {values[0]: rest for values, *rest in _cells(beyond, 1)}
                cards, customers = after.get(bucket, (0, 0))
                add_group(self.figures, "beyond", cards, customers)
                months.append("beyond")
            divide(self.figures, ("bucket", bucket), months)

    def _add_banks(
        self,
        counts: pd.DataFrame,
        totals: pd.DataFrame,
        elsewhen: pd.DataFrame,
        alone: Sequence[str | None],
    ) -> list[str | None]:
        """Add banks by month; return the rows of the heat map."""
        found: dict[Hashable, list[int]] = {}
        together: list[Hashable] = []
        for (bank,), cards, customers in _cells(totals, 1):
            if bank not in alone:
                together.append(bank)
                _gather(found, OTHER, cards, customers)
        for (bank, month), cards, customers in _cells(counts, 2):
            _gather(found, (bank if bank in alone else OTHER, month), cards, customers)
        for (bank,), cards, customers in _cells(elsewhen, 1):
            _gather(found, ("rest of", bank if bank in alone else OTHER), cards, customers)
        rows = [*alone, OTHER] if together else list(alone)
        totals_of = {row: ("bank", row) for row in alone}
        if together:
            totals_of[OTHER] = ("bank row", OTHER)
            cards, customers = found[OTHER]
            add_group(self.figures, ("bank row", OTHER), cards, customers)
            divide(self.figures, ALL, list(totals_of.values()))
        for row in rows:
            tiles = [("tile", row, month) for month in self.months]
            for tile in tiles:
                cards, customers = found.get(tile[1:], (0, 0))
                add_group(self.figures, tile, cards, customers, shown=_TILE_WEIGHT)
            rest = ("rest of", row)
            add_group(self.figures, rest, *found.get(rest, (0, 0)))
            divide(self.figures, totals_of[row], [*tiles, rest])
        for month in self.months:
            divide(self.figures, ("month", month), [("tile", row, month) for row in rows])
        return rows


def _gather(found: dict[Hashable, list[int]], key: Hashable, cards: int, customers: int) -> None:
    """Add to what is gathered under a key; of several groups it is not known who is in both."""
    so_far, certain = found.get(key, (0, 0))
    found[key] = [so_far + cards, max(certain, customers)]


def _cells(counts: pd.DataFrame, keys: int) -> list[tuple[tuple[Any, ...], int, int]]:
    return [
        (
            tuple(None if is_missing(value) else value for value in row[:keys]),
            int(row[keys]),
            int(row[keys + 1]),
        )
        for row in counts.itertuples(index=False, name=None)
    ]


def _last_day(month: str) -> date:
    year, number = map(int, month.split("-"))
    return date(year + number // 12, number % 12 + 1, 1) - timedelta(days=1)
