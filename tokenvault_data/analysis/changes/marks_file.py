"""Marks kept beside their snapshots, so that the next comparison need not read all rows for them.

They are the file ``marks/<snapshot id>-<digest>-v1`` next to the folder of the snapshots: some five
bytes a row, Parquet, the recipe they were made by in its metadata. Like a cube they are a copy of
what the snapshot says and may be deleted at any time: a file that is missing, damaged, of another
snapshot or made by another recipe is as none at all.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tokenvault_data.analysis.cards.kept_beside import path_beside
from tokenvault_data.analysis.changes.marks import HASH_VALUES, Marks
from tokenvault_data.dataset.durable_files import durable_file
from tokenvault_data.dataset.readers import open_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tokenvault_data.dataset.snapshots import Snapshot

FORMAT_VERSION: Final = 1
"""Version of the file; another one is not read."""

MARKS_FOLDER: Final = "marks"

_FACTS: Final = b"tokenvault_marks"
_COLUMN: Final = "mark"
_ROW_GROUP_ROWS: Final = 1 << 20


def marks_path(snapshot: Snapshot) -> Path:
    """Return where the marks of a snapshot are kept."""
    return path_beside(snapshot, MARKS_FOLDER, FORMAT_VERSION)


def read_marks(snapshot: Snapshot, recipe: Mapping[str, object]) -> Marks | None:
    """Return the kept marks of a snapshot; None where there are none that can be trusted.

    Parameters
    ----------
    snapshot : Snapshot
    recipe : mapping
        Everything that marks depend on besides the rows, as it stands in JSON.
    """
    try:
        with open_parquet(marks_path(snapshot), check_pages=True) as file:
            facts = json.loads(file.schema_arrow.metadata[_FACTS])
            total, number = facts.pop("total"), facts.pop("marks")
            if facts != _facts(snapshot, recipe):
                return None
            if not file.metadata.num_rows == number <= snapshot.manifest.instruments:
                return None
            values = _values(file)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError):
        return None
    sound = (
        isinstance(total, int)
        and 0 <= total < HASH_VALUES
        and bool(np.all(values[1:] >= values[:-1]))
        and not bool(np.any(values & np.uint64(1)))
    )
    return Marks(values, total) if sound else None


def keep_marks(snapshot: Snapshot, recipe: Mapping[str, object], marks: Marks) -> bool:
    """Keep the marks of a snapshot beside it, in place of what is there; False if it cannot be."""
    path = marks_path(snapshot)
    facts = {**_facts(snapshot, recipe), "total": marks.total, "marks": len(marks.values)}
    table = pa.table({_COLUMN: marks.values}).replace_schema_metadata({_FACTS: json.dumps(facts)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with durable_file(path) as file:
            pq.write_table(
                table,
                pa.PythonFile(file, mode="w"),
                row_group_size=_ROW_GROUP_ROWS,
                compression="none",
                use_dictionary=False,
                column_encoding={_COLUMN: "DELTA_BINARY_PACKED"},  # a third less, and read faster
                write_statistics=False,
                write_page_checksum=True,
            )
    except OSError:  # for instance because the store may only be read
        return False
    return True


def _facts(snapshot: Snapshot, recipe: Mapping[str, object]) -> dict[str, object]:
    return {**recipe, "format": FORMAT_VERSION, "digest": snapshot.digest}


def _values(file: pq.ParquetFile) -> NDArray[np.uint64]:
    values = np.empty(file.metadata.num_rows, np.uint64)
    place = 0
    for batch in file.iter_batches(_ROW_GROUP_ROWS, columns=[_COLUMN]):
        column = batch.column(0)
        if column.null_count or column.type != pa.uint64():
            raise ValueError(_COLUMN)
        values[place : place + len(column)] = column.to_numpy()
        place += len(column)
    if place != len(values):
        raise ValueError(_COLUMN)
    pa.default_memory_pool().release_unused()  # of the decoder, as much as the marks themselves
    return values
