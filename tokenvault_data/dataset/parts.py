"""Tables of one kind written to numbered Parquet files, row group by row group."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa

from tokenvault_data.dataset.durable_files import (
    ROW_GROUP_ROWS,
    FileFacts,
    HashingFile,
    durable_file,
    parquet_writer,
)

if TYPE_CHECKING:
    from pathlib import Path

ROWS_PER_FILE = 64 * ROW_GROUP_ROWS
"""Rows after which a new file is begun: 4,194,304, some 350 MB."""


class PartWriter:
    """Collects tables into row groups and row groups into files ``part-00000.parquet`` and on.

    At most one row group, and the table just added, is held in memory.

    Parameters
    ----------
    folder : pathlib.Path
        Made if need be.
    schema : pyarrow.Schema
    rows_per_file : int
        Begin a new file after so many rows.
    """

    def __init__(
        self, folder: Path, schema: pa.Schema, *, rows_per_file: int = ROWS_PER_FILE
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._schema = schema
        self._rows_per_file = rows_per_file
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._rows_in_file = 0
        self._open: contextlib.ExitStack | None = None
        self._file: HashingFile | None = None
        self._done: dict[str, FileFacts] = {}

    def add(self, table: pa.Table) -> None:
        """Take over a table of the schema; it is on the disk after :meth:`close`."""
        self._pending.append(table.cast(self._schema))
        self._pending_rows += table.num_rows
        while self._pending_rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def close(self) -> dict[str, FileFacts]:
        """Write what is pending; return the facts of every file by its name."""
        if self._pending_rows or (not self._done and self._open is None):
            self._flush(self._pending_rows)
        self._finish_file()
        return self._done

    def abort(self) -> None:
        """Leave the file that is being written, and remove it."""
        if self._open is not None:
            stack, self._open = self._open, None
            with contextlib.suppress(_Aborted, OSError):
                stack.__exit__(_Aborted, _Aborted(), None)

    def _flush(self, rows: int) -> None:
        table = pa.concat_tables(self._pending) if self._pending else self._schema.empty_table()
        rest = table.slice(rows)
        self._pending = [rest] if rest.num_rows else []
        self._pending_rows = rest.num_rows
        if self._open is None:
            self._start_file()
        group = table.slice(0, rows).unify_dictionaries().combine_chunks()
        self._writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
        self._rows_in_file += rows
        if self._rows_in_file >= self._rows_per_file:
            self._finish_file()

    def _name(self) -> str:
        return f"part-{len(self._done):05d}.parquet"

    def _start_file(self) -> None:
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(durable_file(self._folder / self._name()))
            self._writer = stack.enter_context(parquet_writer(self._file, self._schema))
            self._open = stack.pop_all()
        self._rows_in_file = 0

    def _finish_file(self) -> None:
        if self._open is None or self._file is None:
            return
        stack, self._open = self._open, None
        stack.close()
        self._done[self._name()] = self._file.facts(self._rows_in_file)


class _Aborted(Exception):  # noqa: N818 - a signal between two methods, never seen outside
    """Makes the open files roll back."""
