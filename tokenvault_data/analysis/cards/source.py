"""What an analysis reads: the files of a snapshot, or any table that gives an Arrow stream."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tokenvault_data.analysis.cards.table_types import with_schema_types
from tokenvault_data.dataset.frames import ArrowStream, read_stream
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.dataset.snapshots import SNAPSHOTS_FOLDER, Snapshot
from tokenvault_data.dataset.sql import connection_to
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb


def path_beside(snapshot: Snapshot, folder: str, version: int) -> Path:
    """Return ``folder/<snapshot id>-<digest>-v<version>`` in the store of a snapshot.

    For one that lies in no store, the folder is next to it.
    """
    parent = snapshot.path.parent
    store = parent.parent if parent.name == SNAPSHOTS_FOLDER else parent
    return store / folder / f"{snapshot.id}-{snapshot.digest[:16]}-v{version}"


@dataclass(frozen=True, slots=True)
class Source:
    """Instruments to analyse, and the outcomes of their collection where they are known.

    Attributes
    ----------
    snapshot : Snapshot or None
        What the rows come from, where it is a snapshot.
    table : pyarrow.Table or None
        The rows, where it is not.
    """

    snapshot: Snapshot | None
    table: pa.Table | None

    @property
    def name(self) -> str:
        """How titles name it."""
        return "the table" if self.snapshot is None else f"snapshot {self.snapshot.id}"

    @property
    def has_outcomes(self) -> bool:
        """Whether it is known which customers were fetched."""
        return self.snapshot is not None

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return INSTRUMENTS if self.table is None else self.table.schema

    @property
    def row_count(self) -> int:
        """How many rows it has."""
        if self.snapshot is not None:
            return self.snapshot.manifest.instruments
        return 0 if self.table is None else int(self.table.num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns batch by batch, a row group at a time where there are files."""
        if self.snapshot is not None:
            yield from self.snapshot.iter_batches(columns)
        elif self.table is not None:
            yield from self.table.select(list(columns)).to_batches()

    @contextmanager
    def connection(
        self, *, memory_limit_mb: int | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open DuckDB over the view ``instruments``, and ``outcomes`` where they are known."""
        if self.snapshot is not None:
            with self.snapshot.connection(memory_limit_mb=memory_limit_mb) as connection:
                yield connection
        else:
            tables = {"instruments": self.table}
            with connection_to({}, tables, memory_limit_mb=memory_limit_mb) as connection:
                yield connection


def open_source(source: ArrowStream | Source, needs: Iterable[str] = ()) -> Source:
    """Take hold of what somebody wants analysed.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
        A table has the columns of `INSTRUMENTS`, or those of them that are needed; other types,
        as `read_csv` makes them, are brought to the ones of the schema.
    needs : iterable of str
        Columns the analysis cannot do without.

    Raises
    ------
    UsageError
        It gives no Arrow stream, lacks a column, or one does not hold what the schema says.
    """
    if isinstance(source, Source):
        opened = source
    elif isinstance(source, Snapshot):
        opened = Source(source, None)
    elif isinstance(source, ArrowStream):
        opened = Source(None, with_schema_types(_rows_of(source)))
    else:
        raise UsageError(
            f"{type(source).__name__} cannot be analysed; nothing was counted; give a snapshot, a"
            " DataFrame or an Arrow table."
        )
    missing = [name for name in needs if name not in opened.schema.names]
    if missing:
        raise UsageError(
            f"The table has no column {', '.join(missing)}; nothing was counted; give a"
            " snapshot, or a table with the columns of one."
        )
    return opened


def _rows_of(source: ArrowStream) -> pa.Table:
    try:
        return read_stream(source).read_all()
    except (pa.ArrowException, ValueError, TypeError):
        raise UsageError(
            f"The {type(source).__name__} cannot be read as a table of cards; nothing was counted;"
            " give a snapshot, a DataFrame or an Arrow table."
        ) from None
