"""A DataFrame that says what it shows, and the cells of tables as screens show them."""

from __future__ import annotations

import html
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenvault_data.dataset.frames import to_frame, to_table
from tokenvault_data.dataset.masked_ids import IdArray, NestedIdArray, is_identifying
from tokenvault_data.redaction import displayed_id, mask_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

SHOWN_ROWS = 20
"""Rows of a longer table that a screen shows: the first and last ten."""

_MISSING = "-"
_NOT_GROUPED = ("year", "month", "position")
_SHARE = "share"


class DisplayColumn(NamedTuple):
    """One column as a screen shows it.

    Attributes
    ----------
    name : str
    cells : list of str
    right : bool
        Whether the cells stand at the right side, as numbers do.
    """

    name: str
    cells: list[str]
    right: bool


class ResultTable(pd.DataFrame):
    """A pandas DataFrame with a title and notes, displayed with them as it was first returned.

    Made by `result_table`. What pandas derives from it is a plain DataFrame, without a title of
    something else; so is how it is displayed once rows or columns were changed in place.
    """

    _metadata = ["title", "notes", "_returned_as"]  # noqa: RUF012  pandas' own, kept by pickle

    title: str = ""
    """What the table says, in one line."""
    notes: tuple[str, ...] = ()
    """What has to be known to read the figures, a sentence each."""
    _returned_as: tuple[int, tuple[object, ...]] = (-1, ())

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def arrow(self) -> pa.Table:
        """Return the table as Arrow, ids as they are."""
        return to_table(self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.arrow().__arrow_c_stream__(requested_schema)

    @property
    def _as_returned(self) -> bool:
        return _outline(self) == self._returned_as and isinstance(self.index, pd.RangeIndex)

    def showing(self, frame: pd.DataFrame) -> ResultTable:
        """Return rows or columns derived from this table, under its title and notes."""
        return result_table(frame, title=self.title, notes=self.notes)

    def cells(self) -> list[DisplayColumn]:
        """Return all cells as a screen shows them: masked, numbers grouped, shares as percent."""
        return cells_of(self)

    def __repr__(self) -> str:
        if not self._as_returned:
            return super().__repr__()
        columns, left_out = self._shown()
        lines = [[column.name, *column.cells] for column in columns]
        padded = [
            [cell.rjust(width) if right else cell.ljust(width) for cell in line]
            for line, right in zip(lines, [column.right for column in columns], strict=True)
            for width in [max(map(len, line))]
        ]
        grid = "\n".join("  ".join(cells).rstrip() for cells in zip(*padded, strict=True))
        return "\n".join(filter(None, (self.title, grid, f"{self._size()}{left_out}", *self.notes)))

    def _repr_html_(self) -> str | None:
        if not self._as_returned:
            shown: str | None = super()._repr_html_()  # type: ignore[misc]  # the stubs lack it
            return shown
        return self.html()

    def html(self) -> str:
        """Return the table as a notebook shows it, with title and notes."""
        columns, left_out = self._shown()

        def cell(kind: str, text: str, right: bool) -> str:
            side = "right" if right else "left"
            return f'<{kind} style="text-align:{side}">{html.escape(text)}</{kind}>'

        head = "".join(cell("th", column.name, column.right) for column in columns)
        lines = zip(*(column.cells for column in columns), strict=True)
        rights = [column.right for column in columns]
        rows = "".join(
            f"<tr>{''.join(cell('td', *one) for one in zip(line, rights, strict=True))}</tr>"
            for line in lines
        )
        title = f"<strong>{html.escape(self.title)}</strong>" if self.title else ""
        notes = "".join(f"<br>{html.escape(note)}" for note in self.notes)
        return (
            f"<div>{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<small>{self._size()}{left_out}{notes}</small></div>"
        )

    def _size(self) -> str:
        return f"{len(self):,} {'row' if len(self) == 1 else 'rows'}"

    def _shown(self) -> tuple[list[DisplayColumn], str]:
        if len(self) <= SHOWN_ROWS:
            return cells_of(self, shown=displayed_id), ""
        half = SHOWN_ROWS // 2
        ends = pd.concat([self.head(half), self.tail(half)])
        shown = cells_of(ends, shown=displayed_id)
        return shown, f", of which the first and last {half} are shown"


def result_table(
    data: pa.Table | pd.DataFrame,
    *,
    title: str = "",
    notes: Sequence[str] = (),
    ids: Collection[str] = (),
) -> ResultTable:
    """Make a table of results.

    Parameters
    ----------
    data : pyarrow.Table or pandas.DataFrame
    title : str
        What it says, in one line.
    notes : sequence of str
        What has to be known to read the figures, a sentence each.
    ids : collection of str
        Columns of an Arrow table whose names do not say that they hold ids, and which do.
    """
    table = ResultTable(to_frame(data, ids=ids) if isinstance(data, pa.Table) else data)
    table.title, table.notes = title, tuple(notes)
    table._returned_as = _outline(table)  # noqa: SLF001  its maker
    return table


def cells_of(frame: pd.DataFrame, *, shown: Callable[[str], str] = mask_id) -> list[DisplayColumn]:
    """Return the cells of a frame as a screen shows them.

    Parameters
    ----------
    frame : pandas.DataFrame
    shown : callable
        What becomes of an id.
    """
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    return [DisplayColumn(str(column.name), *_displayed(column, shown)) for column in columns]


def _outline(frame: pd.DataFrame) -> tuple[int, tuple[object, ...]]:
    return len(frame), tuple(frame.columns)


def _displayed(column: pd.Series[Any], shown: Callable[[str], str]) -> tuple[list[str], bool]:
    """Return the cells of a column as text, and whether they stand at the right side."""
    if isinstance(column.array, IdArray | NestedIdArray) or is_identifying(str(column.name)):
        return [_id_text(value, shown) for value in column], False
    is_truth = pd.api.types.is_bool_dtype(column.dtype)
    is_number = pd.api.types.is_numeric_dtype(column.dtype) and not is_truth
    if pd.api.types.is_datetime64_dtype(column.dtype) and _are_days(column.dropna()):
        column = column.dt.date
    grouped = is_number and not str(column.name).endswith(_NOT_GROUPED)
    percent = is_number and str(column.name).endswith(_SHARE)
    return [_text(value, grouped=grouped, percent=percent) for value in column], is_number


def _are_days(times: pd.Series[Any]) -> bool:
    return bool((times == times.dt.normalize()).all())


def _id_text(value: Any, shown: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, list | tuple | np.ndarray | dict):
        parts = value.values() if isinstance(value, dict) else value
        return ", ".join(_id_text(part, shown) for part in parts)
    return _MISSING if pd.isna(value) else "…"


def _text(value: Any, *, grouped: bool, percent: bool) -> str:
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(map(str, value))
    if pd.isna(value):
        return _MISSING
    if percent:
        return f"{value:.1%}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if not grouped:
        # One line a row whatever the text holds: a terminal obeys control characters.
        return "".join(
            sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(value)
        )
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
