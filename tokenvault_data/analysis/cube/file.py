"""Cubes kept beside their snapshots, so that the rows are counted once.

A cube is a folder ``cubes/<snapshot id>-<digest>-v1`` next to the folder of the snapshots, with
``cells.parquet`` and ``spread.parquet``. It is written under another name and then renamed. It is
a copy of what the snapshot says and may be deleted at any time: one that is missing, damaged,
of another snapshot or of another version is as none at all.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.cards.kept_beside import path_beside
from tokenvault_data.analysis.cube.cells import DIMENSIONS, Cells, Codes, value_type
from tokenvault_data.dataset.durable_files import write_parquet
from tokenvault_data.dataset.readers import open_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.dataset.snapshots import Snapshot

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
