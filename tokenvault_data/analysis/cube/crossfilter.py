"""Linked bars: each dimension's counts under the filters of all the other dimensions.

A filter changes one dimension; only what that can change is counted again. The bars of a dimension
ignore its own filter, so that what was left out can be chosen again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tokenvault_data.analysis.cube.cube import count_cards, group_cells
from tokenvault_data.analysis.filters.filters import All, Compare, IsIn, Not, Predicate
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tokenvault_data.analysis.cube.cells import Codes
    from tokenvault_data.analysis.cube.cube import Cube
    from tokenvault_data.dataset.bank_names import BankNames


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


Filter: TypeAlias = "frozenset[object] | MonthRange"

EXPIRY = "expiry"

DEFAULT_DIMENSIONS = (
    "card_network",
    "bank",
    "card_type",
    "card_country",
    "instrument_status",
    EXPIRY,
)


class CrossFilter:
    """The bars of some dimensions, each under the filters of the others.

    Parameters
    ----------
    cube : Cube
    dimensions : sequence of str
        Of the cube's dimensions, derived ones too.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    as_of : date or str, optional
        The day that ``expires_in`` counts from; today in India when not given.

    Raises
    ------
    UsageError
        The cube has no such dimension, or one is named twice.

    Examples
    --------
    ::

        bars = CrossFilter(cube_of(snapshot))
        bars.set("card_network", ["visa"])
        bars.set("expiry", ("2026-12", "2027-03"))
        values, cards = bars.counts()["bank"]
    """

    def __init__(
        self,
        cube: Cube,
        dimensions: Collection[str] = DEFAULT_DIMENSIONS,
        *,
        banks: BankNames | None = None,
        as_of: date | str | None = None,
    ) -> None:
        names = tuple(dimensions)
        if len(set(names)) < len(names):
            raise UsageError(
                f"{', '.join(names)} names a column twice; nothing was counted; name each once."
            )
        coded = {name: cube.coded(name, banks=banks, as_of=as_of) for name in names}
        grouping = group_cells(list(coded.values()), None, cube.cells.count)
        self._cards = count_cards(cube.cells, grouping)
        self._codes = dict(zip(names, grouping.keys, strict=True))
        self._values = {name: one.values.to_pylist() for name, one in coded.items()}
        self._has_missing = {name: bool((one.codes == 0).any()) for name, one in coded.items()}
        self._names = names

        self._filters: dict[str, Filter] = {}
        self._refused: dict[str, Codes] = {}
        self._refusals = np.zeros(grouping.count, np.uint8)
        self._bars: dict[str, Codes] = {}

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that have bars."""
        return self._names

    @property
    def total(self) -> int:
        """Cards that pass all filters."""
        return int(self._cards[self._refusals == 0].sum(dtype=np.int64))

    def set(self, dimension: str, values: object | None) -> None:
        """Filter on a dimension, in place of the filter it has.

        Parameters
        ----------
        dimension : str
        values : list or set, tuple of two months, or None
            The values to keep, None among them for missing; with an empty list no card passes.
            For ``expiry`` a tuple is a range of months, both ends included, ``("2026-12",
            "2027-03")``, in which None leaves an end open; unknown expiry lies in no range. None
            takes the filter away.

        Raises
        ------
        UsageError
            There are no bars of this dimension, or the values are no such list or range.
        """
        if dimension not in self._names:
            raise UsageError(
                f"There are no bars of {dimension!r}; nothing was filtered; there are"
                f" {', '.join(self._names)}."
            )
        wanted = None if values is None else _filter(dimension, values)
        if wanted == self._filters.get(dimension):
            return
        if wanted is None:
            del self._filters[dimension]
        else:
            self._filters[dimension] = wanted
        self._bars = {name: bars for name, bars in self._bars.items() if name == dimension}
        before = self._refused.pop(dimension, None)
        if before is not None:
            self._refusals -= before
        if wanted is not None:
            refused = ~self._passing_codes(dimension, wanted)[self._codes[dimension]]
            self._refused[dimension] = refused
            self._refusals += refused

    def counts(self) -> dict[str, tuple[list[object], Codes]]:
        """Return the bars of every dimension.

        Returns
        -------
        dict of str to tuple
            By dimension its values in their order, None last if it is missing anywhere, and the
            cards of each (int64) that pass the filters of all other dimensions. Values stay when
            they have no cards left.
        """
        passing: tuple[Codes, Codes] | None = None
        for name in self._names:
            if name in self._bars:
                continue
            if name in self._refused:  # those that no other dimension refuses
                self._bars[name] = self._counted(name, *self._of(self._refused[name]))
            else:
                passing = self._of(0) if passing is None else passing
                self._bars[name] = self._counted(name, *passing)
        return {name: self._shown(name) for name in self._names}

    def predicate(self) -> Predicate:
        """Return all filters as one condition, for a table of rows or to become a rule.

        Raises
        ------
        UsageError
            A filter holds a value that the column of a snapshot can never have.
        """
        joined: Predicate = All(())
        for name, wanted in self._filters.items():
            if isinstance(wanted, MonthRange):
                joined = joined & wanted.predicate()
            else:
                joined = joined & IsIn(name, tuple(wanted))  # type: ignore[arg-type]  # checked there
        return joined

    def _passing_codes(self, dimension: str, wanted: Filter) -> Codes:
        """Return whether the filter keeps each code of a dimension, that of missing first."""
        known = self._values[dimension]
        if isinstance(wanted, MonthRange):
            return np.array([False, *(wanted.holds(month) for month in known)])
        return np.array([None in wanted, *(value in wanted for value in known)])

    def _of(self, refusals: Codes | int) -> tuple[Codes, Codes]:
        """Return the cells with so many refusals, and their cards."""
        cells = np.flatnonzero(self._refusals == refusals)
        return cells, self._cards[cells]

    def _counted(self, name: str, cells: Codes, cards: Codes) -> Codes:
        size = len(self._values[name]) + 1
        return np.bincount(self._codes[name][cells], cards, minlength=size).astype(np.int64)

    def _shown(self, name: str) -> tuple[list[object], Codes]:
        bars, values = self._bars[name], self._values[name]
        if self._has_missing[name]:
            return [*values, None], np.concatenate((bars[1:], bars[:1]))
        return list(values), bars[1:].copy()


def _filter(dimension: str, values: object) -> Filter:
    if dimension == EXPIRY and isinstance(values, tuple):
        return read_month_range(values)
    if isinstance(values, str) or not isinstance(values, list | tuple | set | frozenset):
        raise UsageError(
            f"A filter on {dimension} is a list of values; nothing was filtered; give a list, or"
            " None for no filter."
        )
    return frozenset(values)
