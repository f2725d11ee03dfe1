"""Figures on expiry that can stand side by side in one report without giving a small group away.

A report shows cards by days left, by month, and by bank and month, and beside them the totals of
banks and statuses. A month is a part of a bucket of days, a cell of the heat map a part of both a
month and a bank; so all of them are decided upon together, as one system of sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tokenvault_data.analysis.breakdown import OTHER, breakdown
from tokenvault_data.analysis.derived_dimensions import EXPIRES_IN, expires_in
from tokenvault_data.reports.chart_text import is_missing
from tokenvault_data.reports.small_cells import MARK
from tokenvault_data.reports.suppression import Cell, Mark, Sum, may_be_published

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tokenvault_data.analysis.bank_names import BankNames
    from tokenvault_data.analysis.cube import Cube

MONTHS: Final = 12
_BUCKETS: Final = (*EXPIRES_IN, None)
_EXPIRED_ACTIVE: Final = ("standing", "expired", "ACTIVE")


@dataclass(frozen=True, slots=True)
class PublishedExpiry:
    """Tables on expiry; figures are null where ``mark`` is not ``published``.

    Attributes
    ----------
    outlook : pandas.DataFrame
        ``bucket`` (null: expiry not known), ``cards``, ``customers``, ``share``, ``mark``.
    calendar : pandas.DataFrame
        ``expiry``, ``cards``, ``customers``, ``mark`` for twelve months.
    heat_map : pandas.DataFrame
        ``bank``, ``expiry``, ``cards``, ``mark``.
    unknown : int or None
        Cards of unknown expiry; None when hidden.
    expired_active : int or None
        Expired cards that the vault lists as ACTIVE; None when hidden.
    hidden : int
        How many figures of the three tables are hidden.
    """

    outlook: pd.DataFrame
    calendar: pd.DataFrame
    heat_map: pd.DataFrame
    unknown: int | None
    expired_active: int | None
    hidden: int


def coming_months(as_of: date, months: int = MONTHS) -> list[str]:
    """Return months as ``YYYY-MM``, that of `as_of` first.

    >>> coming_months(date(2026, 12, 5), 2)
    ['2026-12', '2027-01']
    """
    numbers = range(as_of.year * 12 + as_of.month - 1, as_of.year * 12 + as_of.month - 1 + months)
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


def published_expiry(
    cube: Cube,
    *,
    as_of: date,
    smallest_cell: int,
    shown_banks: Sequence[str | None],
    shown_statuses: Sequence[str | None],
    banks: BankNames | None = None,
) -> PublishedExpiry:
    """Count by days left, month, and bank and month, and hide what must not be shown.

    Parameters
    ----------
    cube : Cube
    as_of : date
    smallest_cell : int
        Customers.
    shown_banks : sequence of str or None
        Banks whose totals the report shows, and which are the rows of the heat map; all others are
        one row. None is the missing bank.
    shown_statuses : sequence of str or None
        Statuses whose totals the report shows.
    banks : BankNames, optional
        Names of banks.
    """
    months = coming_months(as_of)
    system = _System(cube.cards, cube.customers)
    system.add_buckets(breakdown(cube, "expires_in", as_of=as_of))
    system.add_statuses(
        breakdown(cube, ["expires_in", "instrument_status"], as_of=as_of),
        breakdown(cube, "instrument_status"),
        shown_statuses,
    )
    system.add_months(breakdown(cube, "expiry"), months, as_of)
    rows = system.add_banks(
        breakdown(cube, ["bank", "expiry"], banks=banks),
        breakdown(cube, "bank", banks=banks),
        shown_banks,
        months,
    )
    marks = may_be_published(
        system.cells, system.sums, smallest_cell, unpublished=system.unpublished
    )

    def line(key: Hashable) -> dict[str, Any]:
        cell, open_ = system.cells[key], marks[key] is Mark.PUBLISHED
        return {
            "cards": cell.cards if open_ else None,
            "customers": cell.customers if open_ and cell.exact else None,
            "share": cell.cards / max(cube.cards, 1) if open_ else None,
            MARK: str(marks[key]),
        }

    outlook = [{"bucket": bucket, **line(("bucket", bucket))} for bucket in _BUCKETS]
    calendar = [{"expiry": month, **line(("month", month))} for month in months]
    tiles = [
        {"bank": bank, "expiry": month, **line(("tile", bank, month))}
        for bank in rows
        for month in months
    ]
    shown = [*outlook, *calendar, *tiles]
    return PublishedExpiry(
        _frame(outlook),
        _frame(calendar),
        _frame(tiles),
        line(("bucket", None))["cards"],
        line(_EXPIRED_ACTIVE)["cards"],
        sum(one["cards"] is None for one in shown),
    )


class _System:
    """Cells and the sums they stand in, all of which together make up all cards."""

    def __init__(self, cards: int, customers: int) -> None:
        self.cells: dict[Hashable, Cell] = {"all": Cell(cards, customers)}
        self.sums: list[Sum] = []
        self.unpublished: set[Hashable] = set()

    def add_buckets(self, counts: pd.DataFrame) -> None:
        for bucket in _BUCKETS:
            self.cells["bucket", bucket] = Cell(0, 0)
        for values, cell in _cells(counts, 1):
            self.cells["bucket", values[0]] = cell
        self._sum("all", [("bucket", bucket) for bucket in _BUCKETS])

    def add_statuses(
        self, standings: pd.DataFrame, totals: pd.DataFrame, shown: Sequence[str | None]
    ) -> None:
        """Add cards by bucket and status; of these only the expired ACTIVE ones are shown."""
        statuses = []
        for (status,), cell in _cells(totals, 1):
            statuses.append(status)
            self.cells["status", status] = cell
            if status not in shown:
                self.unpublished.add(("status", status))
        for bucket in _BUCKETS:
            for status in {*statuses, "ACTIVE"}:
                self.cells["standing", bucket, status] = Cell(0, 0)
        for values, cell in _cells(standings, 2):
            self.cells["standing", *values] = cell
        self.unpublished |= {
            key
            for key in self.cells
            if isinstance(key, tuple) and key[0] == "standing" and key != _EXPIRED_ACTIVE
        }
        self._sum("all", [("status", status) for status in statuses])
        for bucket in _BUCKETS:
            self._sum(("bucket", bucket), [("standing", bucket, one) for one in statuses])
        for status in statuses:
            self._sum(("status", status), [("standing", bucket, status) for bucket in _BUCKETS])

    def add_months(self, counts: pd.DataFrame, months: Sequence[str], as_of: date) -> None:
        known = {values[0]: cell for values, cell in _cells(counts, 1)}
        inside: dict[str, list[Hashable]] = {}
        for month in months:
            self.cells["month", month] = known.get(month, Cell(0, 0))
            inside.setdefault(expires_in(_last_day(month), as_of), []).append(("month", month))
        for bucket, keys in inside.items():
            if bucket == EXPIRES_IN[-1]:
                keys.append(self._rest(("beyond",), ("bucket", bucket), keys))
            self._sum(("bucket", bucket), keys)

    def add_banks(
        self,
        counts: pd.DataFrame,
        totals: pd.DataFrame,
        shown: Sequence[str | None],
        months: Sequence[str],
    ) -> list[str | None]:
        """Add banks and their months; return the rows of the heat map."""
        rows: list[str | None] = []
        for (bank,), cell in _cells(totals, 1):
            row = bank if bank in shown else OTHER
            self._gather(("bank", row), cell, alone=row == bank)
            rows.append(row)
        rows = list(dict.fromkeys(rows))
        for (bank, month), cell in _cells(counts, 2):
            row = bank if bank in shown else OTHER
            if month in months:
                self._gather(("tile", row, month), cell, alone=row == bank)
        for row in rows:
            tiles: list[Hashable] = [("tile", row, month) for month in months]
            for tile in tiles:
                self.cells.setdefault(tile, Cell(0, 0))
            self._sum(("bank", row), [*tiles, self._rest(("rest", row), ("bank", row), tiles)])
        for month in months:
            self._sum(("month", month), [("tile", row, month) for row in rows])
        self._sum("all", [("bank", row) for row in rows])
        return rows

    def _gather(self, key: Hashable, cell: Cell, *, alone: bool) -> None:
        """Add a cell to those gathered under a key; of several it is not known who is in both."""
        old = self.cells.get(key, Cell(0, 0))
        self.cells[key] = Cell(
            old.cards + cell.cards, max(old.customers, cell.customers), exact=alone
        )

    def _rest(self, key: Hashable, total: Hashable, parts: Sequence[Hashable]) -> Hashable:
        """Add what is in the total and in none of the parts; it is not shown."""
        cards = sum(self.cells[part].cards for part in parts)
        whole = self.cells[total]
        certain = max(0, whole.customers - cards)
        self.cells[key] = Cell(whole.cards - cards, certain, exact=False)
        self.unpublished.add(key)
        return key

    def _sum(self, total: Hashable, parts: Sequence[Hashable]) -> None:
        self.sums.append(Sum(total, tuple(parts)))


def _cells(counts: pd.DataFrame, keys: int) -> list[tuple[tuple[Any, ...], Cell]]:
    rows = counts.itertuples(index=False, name=None)
    return [
        (
            tuple(None if is_missing(value) else value for value in row[:keys]),
            Cell(int(row[keys]), int(row[keys + 1])),
        )
        for row in rows
    ]


def _last_day(month: str) -> date:
    year, number = map(int, month.split("-"))
    return date(year + number // 12, number % 12 + 1, 1) - timedelta(days=1)


def _frame(lines: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(lines)
    for name in ("cards", "customers"):
        frame[name] = frame[name].astype("Int64")
    frame["share"] = frame["share"].astype("Float64")
    return frame
