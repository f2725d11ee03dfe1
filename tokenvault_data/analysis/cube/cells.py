"""The data of a cube: cards counted by every combination of values that occurs.

A *cell* is one such combination. Values are held as small codes: 0 is missing, ``k`` the ``k``-th
of the sorted values of the dimension. Distinct customers of any set of cells can be counted exactly
because customers are of two kinds: those all of whose cards lie in one cell are a number of that
cell, and the others, the *spread* customers, are listed with each cell that they touch. Customers
are numbered for that; no id of theirs is held.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.cards.source import path_beside
from tokenvault_data.dataset.durable_files import write_parquet
from tokenvault_data.dataset.readers import open_parquet
from tokenvault_data.dataset.schema import CATEGORIES, INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tokenvault_data.dataset.snapshots import Snapshot


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


FORMAT_VERSION = 1
"""Version of the files; another one is not read."""

CUBES_FOLDER = "cubes"

_CELLS, _SPREAD = "cells.parquet", "spread.parquet"
_FACTS = b"tokenvault_cube"


def cube_folder(snapshot: Snapshot) -> Path:
    """Return where the cube of a snapshot is kept."""
    return path_beside(snapshot, CUBES_FOLDER, FORMAT_VERSION)


def read_cells(snapshot: Snapshot) -> Cells | None:
    """Return the kept cells of a snapshot; None where there are none that can be trusted."""
    folder = cube_folder(snapshot)
    try:
        table, spread = _read(folder / _CELLS), _read(folder / _SPREAD)
        facts = json.loads(table.schema.metadata[_FACTS])
        if _identity(snapshot) != {name: facts.get(name) for name in _identity(snapshot)}:
            return None
        cells = Cells(
            {name: _numbers(table, name) for name in DIMENSIONS},
            {name: _decoded(facts["values"][name], name) for name in DIMENSIONS},
            _numbers(table, "cards"),
            _numbers(table, "customers_alone"),
            _numbers(spread, "customer"),
            _numbers(spread, "cell"),
        )
        sound = _is_sound(cells, snapshot) and cells.total_customers == facts["customers"]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError):
        return None
    return cells if sound else None


def keep_cells(snapshot: Snapshot, cells: Cells) -> bool:
    """Keep the cells of a snapshot beside it, in place of what is there; False if it cannot be."""
    folder = cube_folder(snapshot)
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    facts = {
        **_identity(snapshot),
        "customers": cells.total_customers,
        "values": {name: _encoded(values) for name, values in cells.values.items()},
    }
    table = pa.table(
        {**cells.codes, "cards": cells.cards, "customers_alone": cells.customers_alone}
    ).replace_schema_metadata({_FACTS: json.dumps(facts)})
    spread = pa.table({"customer": cells.spread_customer, "cell": cells.spread_cell})
    try:
        beside.mkdir(parents=True)
        write_parquet(beside / _CELLS, table)
        write_parquet(beside / _SPREAD, spread)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except OSError:
        # Another process may have kept it just now, or nothing can be written here.
        with contextlib.suppress(OSError):
            shutil.rmtree(beside)
        return False
    return True


def _identity(snapshot: Snapshot) -> dict[str, Any]:
    return {"format": FORMAT_VERSION, "digest": snapshot.digest}


def _read(path: Path) -> pa.Table:
    with open_parquet(path, check_pages=True) as file:
        return file.read()


def _numbers(table: pa.Table, name: str) -> Codes:
    column = table.column(name)
    numbers: Codes = column.to_numpy()
    if column.null_count or numbers.dtype.kind not in "ui" or int(numbers.min(initial=0)) < 0:
        raise ValueError(name)
    return numbers


def _encoded(values: pa.Array) -> list[object]:
    return [one.isoformat() if isinstance(one, date) else one for one in values.to_pylist()]


def _decoded(values: list[Any], name: str) -> pa.Array:
    kind = value_type(name)
    if pa.types.is_date(kind):
        values = [date.fromisoformat(text) for text in values]
    return pa.array(values, kind)


def _is_sound(cells: Cells, snapshot: Snapshot) -> bool:
    """Whether the numbers fit together, so that counting can neither fail nor lose a card."""
    in_range = all(
        int(codes.max(initial=0)) <= len(cells.values[name]) for name, codes in cells.codes.items()
    )
    return (
        in_range
        and cells.total_cards == snapshot.manifest.instruments
        and (not len(cells.spread_cell) or int(cells.spread_cell.max()) < cells.count)
        and len(cells.spread_cell) == len(cells.spread_customer)
        and bool(np.all(cells.spread_customer[1:] >= cells.spread_customer[:-1]))
    )
