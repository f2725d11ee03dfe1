"""The rows of a source that pass a condition, a row group at a time, with derived columns.

A row group of a snapshot is read when it is asked for, and only the columns that are needed, so
that neither a look at some rows nor an export of all of them holds more than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.dataset.derived_dimensions import (
    DERIVED,
    derived_array,
    derived_schema,
    read_for,
)
from tokenvault_data.dataset.durable_files import ROW_GROUP_ROWS
from tokenvault_data.dataset.readers import open_parquet
from tokenvault_data.dataset.today import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream


class SelectedRows:
    """Rows that pass a condition; gives them as an Arrow stream too.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
    where : Predicate, optional
        Only rows for which it is true; all when not given.
    columns : sequence of str, optional
        Columns of the source, and derived ones: ``bank``, ``expiry`` and ``expires_in``. All of
        them when not given.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    as_of : date or str, optional
        The day that ``expires_in`` counts from; today in India when not given.

    Raises
    ------
    UsageError
        The source lacks a column.
    """

    def __init__(
        self,
        source: ArrowStream | Source,
        where: Predicate | None = None,
        *,
        columns: Sequence[str] | None = None,
        banks: BankNames | None = None,
        as_of: date | str | None = None,
    ) -> None:
        asked = frozenset() if where is None else where.columns
        opened = open_source(source, needs=read_for({*(columns or ()), *asked}))
        self._groups = _groups_of(opened)
        self._schema = opened.schema
        self._where = where
        self._columns = derived_schema(opened.schema).names if columns is None else list(columns)
        self._banks = banks
        self._as_of = day_of(as_of)

    @property
    def groups(self) -> int:
        """How many row groups there are."""
        return len(self._groups)

    @property
    def schema(self) -> pa.Schema:
        """Of the rows: columns as in the source, derived ones as text."""
        known = derived_schema(self._schema, self._as_of)
        return pa.schema([known.field(name) for name in self._columns])

    def count(self, group: int) -> int:
        """Count the rows of a row group that pass."""
        if self._where is None:
            return self._groups[group].rows
        rows = self._read(group, self._where.columns)
        if not rows.num_columns:  # a condition on nothing is true of all rows or of none
            rows = pa.table({"": pa.nulls(self._groups[group].rows)})
        return pc.sum(self._where.mask(rows)).as_py() or 0

    def rows(self, group: int) -> pa.Table:
        """Return the rows of a row group that pass."""
        asked = frozenset() if self._where is None else self._where.columns
        rows = self._read(group, {*self._columns, *asked})
        if self._where is not None:
            rows = self._where.selected(rows)
        return rows.select(self._columns)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        batches = (batch for group in range(self.groups) for batch in self.rows(group).to_batches())
        reader = pa.RecordBatchReader.from_batches(self.schema, batches)
        return reader.__arrow_c_stream__(requested_schema)

    def _read(self, group: int, columns: Iterable[str]) -> pa.Table:
        wanted = sorted(columns)
        rows = self._groups[group].read(sorted(read_for(wanted)))
        for name in wanted:
            if name in DERIVED:
                texts = derived_array(
                    name, rows.column(DERIVED[name]), banks=self._banks, as_of=self._as_of
                )
                rows = rows.append_column(name, texts)
        return rows.select(wanted)


class _Group(Protocol):
    """Some consecutive rows that are read together."""

    rows: int

    def read(self, columns: Sequence[str]) -> pa.Table: ...


class _FileGroup:
    """One row group of a Parquet file."""

    def __init__(self, path: Path, place: int, rows: int) -> None:
        self._path, self._place, self.rows = path, place, rows

    def read(self, columns: Sequence[str]) -> pa.Table:
        with open_parquet(self._path) as file:
            return file.read_row_group(self._place, columns=list(columns))


class _TableGroup:
    """A slice of a table in memory."""

    def __init__(self, table: pa.Table) -> None:
        self._table, self.rows = table, table.num_rows

    def read(self, columns: Sequence[str]) -> pa.Table:
        return self._table.select(list(columns))


def _groups_of(source: Source) -> list[_Group]:
    if source.table is not None:
        starts = range(0, source.table.num_rows, ROW_GROUP_ROWS)
        return [_TableGroup(source.table.slice(start, ROW_GROUP_ROWS)) for start in starts]
    groups: list[_Group] = []
    for path in source.snapshot.files("instruments") if source.snapshot is not None else []:
        with open_parquet(path) as file:
            groups += [
                _FileGroup(path, place, file.metadata.row_group(place).num_rows)
                for place in range(file.num_row_groups)
            ]
    return groups


PAGE_ROWS: Final = 20
"""Rows of a page when nothing else is asked for."""


class RowPages:
    """Pages of selected rows.

    Parameters
    ----------
    selected : SelectedRows
    page_rows : int
        Rows of a page.
    """

    def __init__(self, selected: SelectedRows, *, page_rows: int = PAGE_ROWS) -> None:
        self._selected = selected
        self._page_rows = page_rows
        self._passing: list[int] = []  # by row group gone through, the rows that pass

    def page(
        self, number: int, *, is_overtaken: Callable[[], bool] = lambda: False
    ) -> pa.Table | None:
        """Return one page, with fewer rows at the end and none behind it.

        Parameters
        ----------
        number : int
            From 0 on.
        is_overtaken : callable, optional
            Asked between two row groups: whether nobody waits for the page any more.

        Returns
        -------
        pyarrow.Table or None
            None if the page was overtaken.
        """
        first, behind = number * self._page_rows, (number + 1) * self._page_rows
        found: list[pa.Table] = []
        before = 0  # rows that pass in the row groups before this one
        for group in range(self._selected.groups):
            if before >= behind:
                break
            if is_overtaken():
                return None
            if group == len(self._passing):
                self._passing.append(self._selected.count(group))
            after = before + self._passing[group]
            if after > max(first, before):
                start = max(first - before, 0)
                found.append(self._selected.rows(group).slice(start, behind - before - start))
            before = after
        return pa.concat_tables([self._selected.schema.empty_table(), *found]).unify_dictionaries()
