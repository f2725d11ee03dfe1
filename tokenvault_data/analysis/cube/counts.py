"""Counting cards and distinct customers of groups of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.cube.cells import first_of_equals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.analysis.cube.cells import Cells, Codes

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
