"""Counting the cards of a source into the cells of a cube, batch by batch.

Of each card a packed key (the codes of its values, side by side in 64 bits) and, of each run of
cards of one customer, the customer's id are held until all are read; nothing else. Customers need
not be contiguous: ids are compared as they are, whatever their order.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.cube.cells import (
    DIMENSIONS,
    Cells,
    Codes,
    first_of_equals,
    narrowed,
    value_type,
)
from tokenvault_data.dataset.durable_files import ROW_GROUP_ROWS
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from tokenvault_data.analysis.cards.source import Source

_CUSTOMER = "customer_id"
_KEY_BITS = 63


def build_cells(source: Source) -> Cells:
    """Count all cards of a source.

    Parameters
    ----------
    source : Source
        With ``customer_id`` and any of `DIMENSIONS`; those it has become the cube's.

    Raises
    ------
    UsageError
        A column holds another type than a table of instruments has, a card has no customer, or
        the dimensions together take more different values than fit into 64 bits.
    """
    dimensions = [_Dimension(name) for name in DIMENSIONS if name in source.schema.names]
    keys = _Keys(dimensions)
    customers = _Customers()
    for whole in source.batches([_CUSTOMER, *(one.name for one in dimensions)]):
        for start in range(0, whole.num_rows, ROW_GROUP_ROWS):
            batch = whole.slice(start, ROW_GROUP_ROWS)  # small enough for the processor's caches
            keys.add(batch)
            customers.add(batch.column(_CUSTOMER))
    with ThreadPoolExecutor(1) as beside:  # Arrow hashes the keys and the ids at the same time
        numbered = beside.submit(customers.numbers)
        codes, values, cell_of_card = keys.finish()
    cells = int(cell_of_card.max(initial=-1)) + 1
    cards = np.bincount(cell_of_card, minlength=cells)
    alone, spread_customer, spread_cell = _spread(numbered.result(), cell_of_card, cells)
    return Cells(
        codes, values, narrowed(cards), narrowed(alone), narrowed(spread_customer), spread_cell
    )


@dataclass(slots=True)
class _Dimension:
    """Codes given to the values of one column in the order in which they were met."""

    name: str
    places: dict[object, int] = field(default_factory=lambda: {None: 0})
    bits: int = 0
    shift: int = 0
    _dictionary: pa.Array | None = None
    _codes: Codes = field(default_factory=lambda: np.zeros(1, np.int64))

    def read(self, column: pa.Array) -> tuple[Codes, Codes]:
        """Return the codes of the batch's dictionary, missing first, and each row's place in it."""
        encoded = _encoded(column, self.name)
        if self._dictionary is None or not self._dictionary.equals(encoded.dictionary):
            self._dictionary = encoded.dictionary
            values = encoded.dictionary.to_pylist()
            codes = [0, *(self.places.setdefault(value, len(self.places)) for value in values)]
            self._codes = np.array(codes, np.int64)
        indices = encoded.indices.cast(pa.int32())
        if indices.null_count:
            indices = indices.fill_null(-1)
        return self._codes, indices.to_numpy() + 1

    @property
    def bits_needed(self) -> int:
        return (len(self.places) - 1).bit_length()

    def codes_in(self, keys: Codes) -> Codes:
        return (keys >> self.shift) & ((1 << self.bits) - 1)


class _Keys:
    """One 64-bit key a card, in which each dimension has bits of its own."""

    def __init__(self, dimensions: list[_Dimension]) -> None:
        self._dimensions = dimensions
        self._batches: list[Codes] = []

    def add(self, batch: pa.RecordBatch) -> None:
        read = [one.read(batch.column(one.name)) for one in self._dimensions]
        if any(one.bits_needed > one.bits for one in self._dimensions):
            self._widen()
        key = np.zeros(batch.num_rows, np.int64)
        for one, (codes, rows) in zip(self._dimensions, read, strict=True):
            if one.bits:
                key |= (codes << one.shift)[rows]
        self._batches.append(key)

    def finish(self) -> tuple[dict[str, Codes], dict[str, pa.Array], Codes]:
        """Return the codes and values of the cells, and the cell of each card."""
        if not self._batches:
            none = np.zeros(0, np.uint8)
            empty = {one.name: pa.array([], value_type(one.name)) for one in self._dimensions}
            return dict.fromkeys(empty, none), empty, none.astype(np.int32)
        met = pa.chunked_array(self._batches).dictionary_encode()
        self._batches.clear()
        cell_of_card = np.concatenate([chunk.indices.to_numpy() for chunk in met.chunks])
        keys = met.chunk(0).dictionary.to_numpy()
        del met
        codes, values, order_key = {}, {}, np.zeros(len(keys), np.int64)
        for one in self._dimensions:
            codes[one.name], values[one.name] = _sorted_codes(one, one.codes_in(keys))
            order_key = (order_key << one.bits) | codes[one.name]
        order = np.argsort(order_key)
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return {name: of[order] for name, of in codes.items()}, values, rank[cell_of_card]

    def _widen(self) -> None:
        """Give each dimension the bits it needs, and move what was packed to its new places."""
        bits = [one.bits_needed for one in self._dimensions]
        if sum(bits) > _KEY_BITS:
            widest = max(self._dimensions, key=lambda one: one.bits_needed)
            raise UsageError(
                "The columns that cards are counted by hold too many different values together,"
                f" most of them {widest.name}; nothing was counted; leave that column out of the"
                " table."
            )
        shifts = [sum(bits[place + 1 :]) for place in range(len(bits))]
        for at, keys in enumerate(self._batches):
            moved = np.zeros(len(keys), np.int64)
            for one, shift in zip(self._dimensions, shifts, strict=True):
                moved |= one.codes_in(keys) << shift
            self._batches[at] = moved
        for one, width, shift in zip(self._dimensions, bits, shifts, strict=True):
            one.bits, one.shift = width, shift


class _Customers:
    """Whose the cards are: the id of each run of cards of one customer, and the run's length."""

    def __init__(self) -> None:
        self._ids: list[pa.Array] = []
        self._lengths: list[Codes] = []

    def add(self, ids: pa.Array) -> None:
        if ids.null_count:
            raise UsageError(
                f"The table has {ids.null_count} or more rows without {_CUSTOMER}; nothing was"
                " counted; give every card its customer."
            )
        ids = _cast(ids, pa.large_string(), _CUSTOMER)
        differs = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
        starts = np.concatenate(([0], np.flatnonzero(differs) + 1))
        self._ids.append(ids.take(pa.array(starts)))
        self._lengths.append(np.diff(starts, append=len(ids)).astype(np.int32))

    def numbers(self) -> Codes:
        """Return a number a card, the same for the cards of one customer and only for those."""
        if not self._ids:
            return np.zeros(0, np.int64)
        met = pa.chunked_array(self._ids).dictionary_encode()
        self._ids.clear()
        runs = np.concatenate([chunk.indices.to_numpy() for chunk in met.chunks])
        return np.repeat(runs, np.concatenate(self._lengths))


def _spread(customer: Codes, cell: Codes, cells: int) -> tuple[Codes, Codes, Codes]:
    """Return customers alone in a cell, by cell, and the pairs of the others."""
    bits = max(cells - 1, 1).bit_length()
    pairs = customer.astype(np.int64)
    pairs <<= bits
    pairs |= cell
    pairs.sort(kind="stable")  # nearly sorted where customers come in runs, as they mostly do
    pairs = pairs[first_of_equals(pairs)]
    first = first_of_equals(pairs >> bits)
    pairs &= (1 << bits) - 1
    touched = pairs.astype(np.int32)
    del pairs
    alone = first & np.append(first[1:], True)[: len(first)]
    spread = ~alone
    numbers = np.cumsum(first[spread]) - 1
    return np.bincount(touched[alone], minlength=cells), numbers, touched[spread]


def _sorted_codes(dimension: _Dimension, codes: Codes) -> tuple[Codes, pa.Array]:
    """Return codes that sort as their values do, and the values that occur."""
    kind = value_type(dimension.name)
    by_code = pa.array(list(dimension.places), kind)
    occurs = np.zeros(len(by_code), bool)
    occurs[codes] = True
    occurs[0] = False
    used = np.flatnonzero(occurs)
    used = used[pc.sort_indices(by_code.take(pa.array(used))).to_numpy()]
    new = np.zeros(len(by_code), np.min_scalar_type(len(used)))
    new[used] = np.arange(1, len(used) + 1)
    return new[codes], by_code.take(pa.array(used))


def _encoded(column: pa.Array, name: str) -> pa.DictionaryArray:
    if not pa.types.is_dictionary(column.type):
        return _cast(column, value_type(name), name).dictionary_encode()
    values = _cast(column.dictionary, value_type(name), name)
    return pa.DictionaryArray.from_arrays(column.indices, values, safe=False)


def _cast(column: pa.Array, kind: pa.DataType, name: str) -> Any:
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UsageError(
            f"{name} of the table holds {column.type} that cannot be read as {kind}; nothing was"
            " counted; cast the column to what a table of instruments has."
        ) from None
