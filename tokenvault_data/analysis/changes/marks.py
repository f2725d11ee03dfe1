"""One number a row, a *mark*, and which marks of two lists do not cancel out.

A mark has a hash of the row's key in its upper bits and one of its content in the others, but for
the lowest, which is left for the side. Marks are kept sorted. What is sorted is also merged and
compared in slices of equal upper bits: they fit a processor's cache, and two are done at a time.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tokenvault_data.analysis.cards.source import path_beside
from tokenvault_data.dataset.durable_files import durable_file
from tokenvault_data.dataset.readers import open_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    from numpy.typing import NDArray

    from tokenvault_data.dataset.snapshots import Snapshot


if TYPE_CHECKING:
    Numbers = NDArray[np.uint64]

HASH_VALUES: Final = 1 << 64
_BATCH_ROWS: Final = 1 << 18
_RUN_ROWS: Final = 1 << 21
_SLICE_BITS: Final = 6
_THREADS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The marks of one list.

    Attributes
    ----------
    values : numpy.ndarray of uint64
        Sorted, the lowest bit 0.
    total : int
        Sum of the whole 64-bit hashes of the content of all rows, modulo 2**64.
    """

    values: NDArray[np.uint64]
    total: int


def take_marks(hashes: duckdb.DuckDBPyRelation, row_bits: int) -> Marks:
    """Make the marks of all rows.

    Parameters
    ----------
    hashes : duckdb.DuckDBPyRelation
        Two UBIGINT columns: the hash of the key, and that of the content.
    row_bits : int
        How many of the lower bits are of the content, that of the side included.
    """
    of_row = np.uint64((1 << row_bits) - 2)
    runs: list[Numbers] = []
    pending: list[Numbers] = []
    total = 0
    with ThreadPoolExecutor(1) as sorting:  # beside the reading, which waits for the disk at times

        def end_run() -> None:
            run = np.concatenate([*pending, np.empty(0, np.uint64)])
            pending.clear()
            runs.append(run)
            sorting.submit(run.sort)

        for batch in hashes.to_arrow_reader(_BATCH_ROWS):
            key, row = (column.to_numpy() for column in batch.columns)
            pending.append(key >> row_bits << row_bits | row & of_row)
            total += int(row.sum(dtype=np.uint64))
            if len(pending) * _BATCH_ROWS >= _RUN_ROWS:
                end_run()
        end_run()
    with ThreadPoolExecutor(_THREADS) as threads:
        merged = list(threads.map(_merged, _slices(runs, 64 - row_bits)))
    return Marks(np.concatenate(merged), total % HASH_VALUES)


def odd_keys(old: Marks, new: Marks, row_bits: int, known: Numbers) -> Numbers:
    """Return the key hashes that are not once on each side with equal content, sorted.

    They are without the lower bits; those that are ``known`` to be odd are among them.
    """

    def of_slice(sides: Sequence[Numbers]) -> Numbers:
        before, after = sides
        return _odd(_merged([before, after | np.uint64(1)]), row_bits)

    with ThreadPoolExecutor(_THREADS) as threads:
        slices = _slices([old.values, new.values], 64 - row_bits)
        found = list(threads.map(of_slice, slices))
    return _distinct(_merged([known, *found]))


def _odd(ordered: Numbers, row_bits: int) -> Numbers:
    apart = ordered[1:] ^ ordered[:-1]
    same_key = apart < (1 << row_bits)
    pairs = apart == 1
    pairs[1:] &= ~same_key[:-1]
    pairs[:-1] &= ~same_key[1:]
    odd = np.ones(len(ordered), np.bool_)
    odd[:-1] &= ~pairs
    odd[1:] &= ~pairs
    return _distinct(ordered[odd] >> np.uint64(row_bits))


def _distinct(ordered: Numbers) -> Numbers:
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def _merged(runs: Sequence[Numbers]) -> Numbers:
    together = np.concatenate(runs)
    together.sort(kind="stable")  # which merges what is sorted already
    return together


def _slices(runs: Sequence[Numbers], key_bits: int) -> Iterator[list[Numbers]]:
    """Cut sorted runs so that a slice has all marks with the same first bits of a key."""
    bits = min(key_bits, _SLICE_BITS)
    first = np.arange(1, 1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    cuts = [[0, *np.searchsorted(run, first).tolist(), len(run)] for run in runs]
    for place in range(1 << bits):
        yield [run[at[place] : at[place + 1]] for run, at in zip(runs, cuts, strict=True)]


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
