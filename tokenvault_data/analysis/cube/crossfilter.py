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

    from tokenvault_data.analysis.cube.cells import Cells, Codes
    from tokenvault_data.analysis.cube.cube import Coded, Cube
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


MOST_ENTRIES = 75_000_000
"""Sums held at most, 300 MB; a cube with more is counted from its cells, which takes longer."""

_FEW = 4


class Slabs:
    """Cards by combination and month.

    Parameters
    ----------
    cells : Cells
    dimensions : sequence of Coded
        All but the expiry.
    months : Coded or None
        The expiry; None to leave it out, and then there is one slab.
    most_entries : int
        Hold the sums along the months only if they are no more than this.

    Attributes
    ----------
    codes : tuple of numpy.ndarray
        By dimension, the code of each combination.
    combinations, slots : int
        How many combinations there are, and how many slabs: slab 0 holds unknown expiry.
    """

    def __init__(
        self,
        cells: Cells,
        dimensions: Sequence[Coded],
        months: Coded | None,
        *,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        grouped = [*dimensions] if months is None else [*dimensions, months]
        grouping = group_cells(grouped, None, cells.count)
        keys = grouping.keys[: len(dimensions)]
        self._cards = count_cards(cells, grouping)
        new = np.zeros(grouping.count, bool)
        new[:1] = True
        for key in keys:
            new[1:] |= key[1:] != key[:-1]
        starts = np.flatnonzero(new)
        self.codes = tuple(key[starts] for key in keys)
        self.combinations = len(starts)
        self._starts = np.append(starts, grouping.count)
        self._combination = (np.cumsum(new) - 1).astype(np.int32)
        if months is None:
            self.slots = 1
            self._slot = np.zeros(grouping.count, np.uint8)
        else:
            self.slots = len(months.values) + 1
            self._slot = grouping.keys[-1]
        fits = (self.slots + 1) * self.combinations <= most_entries
        self._sums = self._added_up() if fits else None

    @property
    def size_bytes(self) -> int:
        """Memory that the numbers take, in bytes."""
        sums = 0 if self._sums is None else self._sums.nbytes
        cells = self._cards.nbytes + self._combination.nbytes + self._slot.nbytes
        return sums + cells + self._starts.nbytes + sum(codes.nbytes for codes in self.codes)

    def within(self, wanted: Codes) -> Codes:
        """Return the cards of each combination in the slabs for which `wanted` is true."""
        edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
        if self._sums is not None:
            found = np.zeros(self.combinations, self._sums.dtype)
            for first, behind in edges.reshape(-1, 2):
                found += self._sums[behind] - self._sums[first]
            return found
        picked = wanted[self._slot]
        counted = np.bincount(
            self._combination[picked], self._cards[picked], minlength=self.combinations
        )
        return counted.astype(np.int64)

    def by_slot(self, selected: Codes) -> Codes:
        """Return the cards of each slab in the combinations for which `selected` is true."""
        chosen = np.flatnonzero(selected)
        if len(chosen) * _FEW < self.combinations:
            return self.by_slot_of(chosen)
        picked = selected[self._combination]
        return self._counted(self._slot[picked], self._cards[picked])

    def by_slot_of(self, chosen: Codes) -> Codes:
        """Return the cards of each slab in some combinations, given by number."""
        starts = self._starts[chosen]
        lengths = self._starts[chosen + 1] - starts
        behind = np.cumsum(lengths)
        cells = np.arange(behind[-1] if len(behind) else 0)
        cells += np.repeat(starts - behind + lengths, lengths)
        return self._counted(self._slot[cells], self._cards[cells])

    def _counted(self, slots: Codes, cards: Codes) -> Codes:
        return np.bincount(slots, cards, minlength=self.slots).astype(np.int64)

    def _added_up(self) -> Codes:
        """Return, by slab and combination, the cards of all slabs before it."""
        total = int(self._cards.sum())
        kind = np.int32 if total <= np.iinfo(np.int32).max else np.int64
        sums = np.zeros((self.slots + 1, self.combinations), kind)
        sums[self._slot.astype(np.int64) + 1, self._combination] = self._cards
        return np.cumsum(sums, axis=0, out=sums)


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
    most_entries : int
        Sums held at most to answer quickly, 4 bytes each.

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
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        names = tuple(dimensions)
        if len(set(names)) < len(names):
            raise UsageError(
                f"{', '.join(names)} names a column twice; nothing was counted; name each once."
            )
        coded = {name: cube.coded(name, banks=banks, as_of=as_of) for name in names}
        months = coded.get(EXPIRY)
        flat = [one for name, one in coded.items() if name != EXPIRY]
        self._slabs = Slabs(cube.cells, flat, months, most_entries=most_entries)
        self._codes = {one.name: codes for one, codes in zip(flat, self._slabs.codes, strict=True)}
        self._values = {name: one.values.to_pylist() for name, one in coded.items()}
        self._has_missing = {name: bool((one.codes == 0).any()) for name, one in coded.items()}
        self._names = names

        combinations = self._slabs.combinations
        self._filters: dict[str, Filter] = {}
        self._refused: dict[str, Codes] = {}
        self._refusals = np.zeros(combinations, np.uint8)
        self._cards = self._slabs.within(np.ones(self._slabs.slots, bool))
        self._bars: dict[str, Codes] = {}
        # The expiry bars and the combinations they were counted for, to go on from.
        self._by_slot = np.zeros(self._slabs.slots, np.int64)
        self._slots_are_of = np.zeros(combinations, bool)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that have bars."""
        return self._names

    @property
    def size_bytes(self) -> int:
        """Memory that the numbers take beside the cube, in bytes."""
        return self._slabs.size_bytes + self._refusals.nbytes + self._cards.nbytes

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
        passing = self._passing_codes(dimension, wanted)
        if dimension == EXPIRY:
            self._cards = self._slabs.within(passing)
            return
        before = self._refused.pop(dimension, None)
        if before is not None:
            self._refusals -= before
        if wanted is not None:
            refused = ~passing[self._codes[dimension]]
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
        stale = [name for name in self._names if name not in self._bars]
        selected = self._refusals == 0 if stale else np.zeros(0, bool)
        chosen: tuple[Codes, Codes] | None = None
        for name in stale:
            if name == EXPIRY:
                self._bars[name] = self._expiry_bars(selected)
            elif name in self._refused:
                # Those that no other dimension refuses.
                others = self._chosen(self._refusals == self._refused[name])
                self._bars[name] = self._counted(name, *others)
            else:
                chosen = self._chosen(selected) if chosen is None else chosen
                self._bars[name] = self._counted(name, *chosen)
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

    def _passing_codes(self, dimension: str, wanted: Filter | None) -> Codes:
        """Return whether the filter keeps each code of a dimension, that of missing first."""
        known = self._values[dimension]
        if wanted is None:
            return np.ones(len(known) + 1, bool)
        if isinstance(wanted, MonthRange):
            return np.array([False, *(wanted.holds(month) for month in known)])
        return np.array([None in wanted, *(value in wanted for value in known)])

    def _chosen(self, passing: Codes) -> tuple[Codes, Codes]:
        chosen = np.flatnonzero(passing)
        return chosen, self._cards[chosen]

    def _counted(self, name: str, chosen: Codes, cards: Codes) -> Codes:
        size = len(self._values[name]) + 1
        return np.bincount(self._codes[name][chosen], cards, minlength=size).astype(np.int64)

    def _expiry_bars(self, selected: Codes) -> Codes:
        changed = np.flatnonzero(selected != self._slots_are_of)
        if 4 * len(changed) < self._slabs.combinations:
            added = selected[changed]
            self._by_slot = (
                self._by_slot
                + self._slabs.by_slot_of(changed[added])
                - self._slabs.by_slot_of(changed[~added])
            )
        else:
            self._by_slot = self._slabs.by_slot(selected)
        self._slots_are_of = selected
        return self._by_slot

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
