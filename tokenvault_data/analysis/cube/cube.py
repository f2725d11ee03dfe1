"""Counts of all cards over all low-cardinality columns at once, which answer every breakdown.

A cube is made once of a snapshot and kept beside it; afterwards neither a filter nor a grouping
touches the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.cards.source import Source, open_source
from tokenvault_data.analysis.cube.building import build_cells
from tokenvault_data.analysis.cube.cells import (
    DIMENSIONS,
    Cells,
    Codes,
    first_of_equals,
    keep_cells,
    read_cells,
)
from tokenvault_data.dataset.derived_dimensions import DERIVED, derive, in_order
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream


_KEY_LIMIT = 1 << 62
_DENSE = 4
_NO_GROUP = -1


@dataclass(frozen=True, slots=True)
class Coded:
    """A dimension as a cube holds or derives it.

    Attributes
    ----------
    name : str
    codes : numpy.ndarray
        A code a cell: 0 is missing, ``k`` is ``values[k - 1]``.
    values : pyarrow.Array
        The values in the dimension's order, none missing.
    """

    name: str
    codes: Codes
    values: pa.Array

    def dictionary(self) -> pa.DictionaryArray:
        """Return the value of each cell, as a condition is put to it."""
        return self._dictionary_of(self.codes)

    def decoded(self, codes: Codes) -> pa.Array:
        """Return the values of some codes."""
        return self._dictionary_of(codes).dictionary_decode()

    def _dictionary_of(self, codes: Codes) -> pa.DictionaryArray:
        indices = pa.array(codes.astype(np.int32) - 1, mask=codes == 0)
        return pa.DictionaryArray.from_arrays(indices, self.values)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Cells put into groups.

    Attributes
    ----------
    group_of_cell : numpy.ndarray
        Number of the group of each cell, from 0; -1 for a cell in none.
    count : int
        How many groups there are.
    keys : tuple of numpy.ndarray
        By dimension, the code of each group.
    """

    group_of_cell: Codes
    count: int
    keys: tuple[Codes, ...]

    def merged(self, groups: Codes, count: int) -> Grouping:
        """Return the grouping in which group ``i`` is part of ``groups[i]``, of `count` groups."""
        merged = np.append(groups, _NO_GROUP)[self.group_of_cell]
        return Grouping(merged, count, ())


def group_cells(dimensions: Sequence[Coded], passing: Codes | None, cells: int) -> Grouping:
    """Put cells into groups of equal values, sorted by their codes.

    Parameters
    ----------
    dimensions : sequence of Coded
        With none, all cells are one group.
    passing : numpy.ndarray of bool, optional
        The cells that belong to any group; all when not given.
    cells : int
        How many cells there are.
    """
    chosen = None if passing is None else np.flatnonzero(passing)
    key = np.zeros(cells if chosen is None else len(chosen), np.int64)
    size = 1
    for one in dimensions:
        radix = len(one.values) + 1
        if size * radix > _KEY_LIMIT:
            key, size = _compact(key, size)[::2]
        key *= radix
        key += one.codes if chosen is None else one.codes[chosen]
        size *= radix
    groups, first, count = _compact(key, size)
    keys = tuple((one.codes if chosen is None else one.codes[chosen])[first] for one in dimensions)
    if chosen is None:
        return Grouping(groups, count, keys)
    group_of_cell = np.full(cells, _NO_GROUP, np.int64)
    group_of_cell[chosen] = groups
    return Grouping(group_of_cell, count, keys)


def count_cards(cells: Cells, grouping: Grouping) -> Codes:
    """Return the cards of each group."""
    return _summed(cells.cards, grouping)


def count_customers(cells: Cells, grouping: Grouping) -> Codes:
    """Return the distinct customers of each group, exactly."""
    alone = _summed(cells.customers_alone, grouping)
    groups = grouping.group_of_cell[cells.spread_cell]
    in_one = groups != _NO_GROUP
    bits = max(grouping.count - 1, 1).bit_length()
    pairs = cells.spread_customer[in_one].astype(np.int64)
    pairs <<= bits
    pairs |= groups[in_one]
    pairs.sort(kind="stable")  # sorted but for the groups of each customer
    distinct = pairs[first_of_equals(pairs)] & ((1 << bits) - 1)
    return alone + np.bincount(distinct, minlength=grouping.count)


def _summed(numbers: Codes, grouping: Grouping) -> Codes:
    # A float holds whole numbers up to 2 ** 53 exactly.
    sums = np.bincount(grouping.group_of_cell + 1, numbers, minlength=grouping.count + 1)
    return sums[1:].astype(np.int64)


def _compact(key: Codes, size: int) -> tuple[Codes, Codes, int]:
    """Number the different keys in their order; return numbers, a place of each, and how many."""
    if size <= _DENSE * len(key) + 1024:
        place = np.full(size, -1, np.int64)
        place[key] = np.arange(len(key))
        present = place >= 0
        number = np.cumsum(present) - 1
        first = place[present]
        return number[key], first, len(first)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    new = first_of_equals(ordered)
    numbers = np.empty(len(key), np.int64)
    numbers[order] = np.cumsum(new) - 1
    first = order[new]
    return numbers, first, len(first)


class Cube:
    """All cards of a source, counted over all its dimensions; made by `cube_of`.

    Parameters
    ----------
    cells : Cells
        The counts.
    source : Source, optional
        What was counted.
    """

    def __init__(self, cells: Cells, source: Source | None = None) -> None:
        self._cells = cells
        self.sources: tuple[Source, ...] = () if source is None else (source,)

    @property
    def cells(self) -> Cells:
        """The counts themselves."""
        return self._cells

    @property
    def cards(self) -> int:
        """All cards."""
        return self._cells.total_cards

    @property
    def customers(self) -> int:
        """All distinct customers with a card."""
        return self._cells.total_customers

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What can be grouped by and filtered on: columns of the source, then derived ones."""
        held = tuple(name for name in DIMENSIONS if name in self._cells.codes)
        return (*held, *(name for name, column in DERIVED.items() if column in held))

    def __repr__(self) -> str:
        return f"<Cube: {self.cards:,} cards of {self.customers:,} customers>"

    def values(
        self, dimension: str, *, banks: BankNames | None = None, as_of: date | str | None = None
    ) -> list[object]:
        """Return the values of a dimension in its order, None last if it is missing anywhere.

        Raises
        ------
        UsageError
            The cube has no such dimension.
        """
        coded = self.coded(dimension, banks=banks, as_of=as_of)
        missing = [None] if bool((coded.codes == 0).any()) else []
        return [*coded.values.to_pylist(), *missing]

    def counts(
        self,
        by: Sequence[str],
        where: Predicate | None = None,
        *,
        customers: bool = True,
        banks: BankNames | None = None,
        as_of: date | str | None = None,
    ) -> pa.Table:
        """Count cards and customers by the values of some dimensions.

        Parameters
        ----------
        by : sequence of str
            Of `dimensions`; with none, the one row is the total.
        where : Predicate, optional
            Only cards for which it is true.
        customers : bool
            Whether to count customers too, which takes longer.
        banks : BankNames, optional
            Names of banks, for the dimension ``bank``; those of the package when not given.
        as_of : date or str, optional
            The day that ``expires_in`` counts from; today in India when not given.

        Returns
        -------
        pyarrow.Table
            The columns `by`, ``cards`` and ``customers`` (int64; a customer counts in every group
            that holds a card of theirs, once). One row a group that has cards, in the order of
            the values, missing first.

        Raises
        ------
        UsageError
            A dimension is not the cube's, or named twice.
        """
        dimensions, grouping = self.grouped(by, where, banks=banks, as_of=as_of)
        columns: dict[str, pa.Array] = {
            one.name: one.decoded(codes)
            for one, codes in zip(dimensions, grouping.keys, strict=True)
        }
        columns["cards"] = pa.array(count_cards(self._cells, grouping), pa.int64())
        if customers:
            columns["customers"] = pa.array(count_customers(self._cells, grouping), pa.int64())
        return pa.table(columns)

    def grouped(
        self,
        by: Sequence[str],
        where: Predicate | None = None,
        *,
        banks: BankNames | None = None,
        as_of: date | str | None = None,
    ) -> tuple[list[Coded], Grouping]:
        """Put the cells that pass a filter into groups; the parameters are those of `counts`."""
        if len(set(by)) < len(by):
            raise UsageError(
                f"{', '.join(by)} names a column twice; nothing was counted; name each once."
            )
        dimensions = [self.coded(name, banks=banks, as_of=as_of) for name in by]
        passing = None if where is None else self._passing(where, banks=banks, as_of=as_of)
        grouping = group_cells(dimensions, passing, self._cells.count)
        if not by and not grouping.count:  # a total of nothing is still a total
            grouping = Grouping(grouping.group_of_cell, 1, ())
        return dimensions, grouping

    def coded(
        self, dimension: str, *, banks: BankNames | None = None, as_of: date | str | None = None
    ) -> Coded:
        """Return a dimension, derived if need be, with its code of each cell.

        Raises
        ------
        UsageError
            The cube has no such dimension.
        """
        held = self._cells.codes
        if dimension in held:
            return Coded(dimension, held[dimension], self._cells.values[dimension])
        column = DERIVED.get(dimension)
        if column is None or column not in held:
            raise self._unknown(dimension)
        texts = derive(dimension, self._cells.values[column], banks=banks, as_of=day_of(as_of))
        ordered = in_order(dimension, {text for text in texts if text is not None})
        place = {text: code for code, text in enumerate(ordered, 1)}
        recoded = np.array([0, *(0 if text is None else place[text] for text in texts)], np.int32)
        return Coded(dimension, recoded[held[column]], pa.array(ordered, pa.string()))

    def _passing(
        self, where: Predicate, *, banks: BankNames | None, as_of: date | str | None
    ) -> Codes:
        names = sorted(where.columns)
        columns = {name: self.coded(name, banks=banks, as_of=as_of).dictionary() for name in names}
        # A table without columns has no rows, so a condition on nothing is put to a null a cell.
        rows = pa.table(columns or {"": pa.nulls(self._cells.count)})
        truth = where.mask(rows).combine_chunks().fill_null(False)
        passing: Codes = truth.to_numpy(zero_copy_only=False)
        return passing

    def _unknown(self, dimension: str) -> UsageError:
        near = get_close_matches(dimension, self.dimensions, n=1)
        meant = f"did you mean {near[0]}? There are" if near else "there are"
        column = DERIVED.get(dimension)
        if column is not None:
            return UsageError(
                f"{dimension} is made of the column {column}, which the table does not have;"
                f" nothing was counted; give the table {column}."
            )
        if not self.dimensions:
            return UsageError(
                "The table has no column that cards are counted by; nothing was counted; give it"
                f" one of {', '.join(DIMENSIONS)}."
            )
        return UsageError(
            f"{dimension!r} is not a column that cards are counted by; nothing was counted;"
            f" {meant} {', '.join(self.dimensions)}."
        )


def cube_of(source: ArrowStream | Source | Cube, *, keep: bool = True) -> Cube:
    """Count a source, or load the counts kept of it.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
        Tables need ``customer_id``; those of the dimensions that they have are counted by.
    keep : bool
        Keep the cube of a snapshot in the folder ``cubes`` of its store, and use a kept one. A
        store that cannot be written is no error.

    Raises
    ------
    UsageError
        The source cannot be counted.
    """
    if isinstance(source, Cube):
        return source
    opened = open_source(source, needs=["customer_id"])
    if opened.snapshot is None or not keep:
        return Cube(build_cells(opened), opened)
    kept = read_cells(opened.snapshot)
    if kept is not None:
        return Cube(kept, opened)
    cells = build_cells(opened)
    keep_cells(opened.snapshot, cells)
    return Cube(cells, opened)
