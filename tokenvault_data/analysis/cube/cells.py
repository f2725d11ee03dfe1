"""The data of a cube: cards counted by every combination of values that occurs.

A *cell* is one such combination. Values are held as small codes: 0 is missing, ``k`` the ``k``-th
of the sorted values of the dimension. Distinct customers of any set of cells can be counted exactly
because customers are of two kinds: those all of whose cards lie in one cell are a number of that
cell, and the others, the *spread* customers, are listed with each cell that they touch. Customers
are numbered for that; no id of theirs is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from tokenvault_data.dataset.schema import CATEGORIES, INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

Codes: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""One whole number a cell, a group or a card."""

DIMENSIONS: tuple[str, ...] = (
    *(name for name in CATEGORIES if not name.endswith("_received")),
    "expiry_year",
    "expiry_month",
    "expires_on",
)
"""The columns of the instruments that a cube counts by, in the order of its cells."""


def value_type(dimension: str) -> pa.DataType:
    """Return the Arrow type of the values of a dimension."""
    pinned = INSTRUMENTS.field(dimension).type
    return pinned.value_type if pa.types.is_dictionary(pinned) else pinned


def narrowed(numbers: Codes) -> Codes:
    """Return whole numbers of 0 or more in the smallest type that holds them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))), copy=False)


def first_of_equals(numbers: Codes) -> Codes:
    """Return for each of some sorted numbers whether it is not the one before it again."""
    first = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
    return first


@dataclass(frozen=True, eq=False)
class Cells:
    """All cells of a cube, sorted by their codes in the order of the dimensions.

    Attributes
    ----------
    codes : mapping of str to numpy.ndarray
        By dimension the code of each cell; 0 is missing, ``k`` is ``values[dimension][k - 1]``.
    values : mapping of str to pyarrow.Array
        By dimension its values, sorted, none twice, none missing.
    cards : numpy.ndarray
        Cards of each cell, 1 or more.
    customers_alone : numpy.ndarray
        By cell, the customers all of whose cards lie in it.
    spread_customer, spread_cell : numpy.ndarray
        The other customers with the cells they touch, one pair each, sorted by customer, then
        cell. Customers are numbered from 0 without gaps.
    """

    codes: Mapping[str, Codes]
    values: Mapping[str, pa.Array]
    cards: Codes
    customers_alone: Codes
    spread_customer: Codes
    spread_cell: Codes

    @property
    def count(self) -> int:
        """How many cells there are."""
        return len(self.cards)

    @property
    def size_bytes(self) -> int:
        """Memory that the numbers take, in bytes."""
        arrays = (self.cards, self.customers_alone, self.spread_customer, self.spread_cell)
        return sum(array.nbytes for array in (*arrays, *self.codes.values()))

    @cached_property
    def total_cards(self) -> int:
        """All cards."""
        return int(self.cards.sum(dtype=np.int64))

    @cached_property
    def total_customers(self) -> int:
        """All distinct customers."""
        spread = int(self.spread_customer[-1]) + 1 if len(self.spread_customer) else 0
        return int(self.customers_alone.sum(dtype=np.int64)) + spread
