"""A DataFrame that says what it shows and masks, on screens only, who it is about.

The data are whole: ``table["customer_id"]``, exports and ``.arrow()`` give ids as they are. What is
masked is what a notebook or a terminal prints of its own accord, because that is what ends up in
saved notebooks, logs and screenshots.
"""

from __future__ import annotations

import html
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenvault_data.redaction import mask_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHOWN_ROWS = 20
"""Rows of a longer table that a screen shows: the first and last ten."""

_IDENTIFYING = re.compile(r"(^|_)(id|ids|uid|par|afa_reference|customers_listed)($|_received$)")
_HIDDEN = frozenset({"extra"})
_TITLE, _NOTES = "title", "notes"
_MISSING = "-"
_NOT_GROUPED = ("year", "month", "position")
_SHARE = "share"


def is_identifying(column: str) -> bool:
    """Say whether a column holds ids of people, cards, accounts or payments.

    >>> is_identifying("old_instrument_id"), is_identifying("card_network")
    (True, False)
    """
    return column in _HIDDEN or _IDENTIFYING.search(column) is not None


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
    """A pandas DataFrame with a title, notes, and a display that masks ids.

    Made by `result_table`. What pandas derives from it (a filter, a sorted copy) is one as well.
    """

    @property
    def _constructor(self) -> Callable[..., ResultTable]:
        return ResultTable

    @property
    def title(self) -> str:
        """What the table says, in one line."""
        return str(self.attrs.get(_TITLE, ""))

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to read the figures, a sentence each."""
        return tuple(self.attrs.get(_NOTES, ()))

    def arrow(self) -> pa.Table:
        """Return the table as Arrow, ids as they are."""
        return pa.Table.from_pandas(self, preserve_index=False).replace_schema_metadata(None)

    def masked(self) -> pd.DataFrame:
        """Return a plain DataFrame in which ids are masked, as a screen shows them."""
        frame = pd.DataFrame(self)
        for name in self.columns:
            if not is_identifying(str(name)):
                continue
            texts = [_masked(value) for value in frame[name]]
            frame[name] = pd.Series(texts, index=frame.index, dtype="string[pyarrow]")
        return frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        # Without an index: what a filter leaves of one is no column of the table.
        return self.arrow().__arrow_c_stream__(requested_schema)

    def cells(self) -> list[DisplayColumn]:
        """Return all cells as a screen shows them: masked, numbers grouped, shares as percent."""
        shown = self.masked()
        return [DisplayColumn(str(name), *_displayed(shown[name])) for name in shown.columns]

    def __repr__(self) -> str:
        columns, left_out = self._shown()
        lines = [[column.name, *column.cells] for column in columns]
        padded = [
            [cell.rjust(width) if right else cell.ljust(width) for cell in line]
            for line, right in zip(lines, [column.right for column in columns], strict=True)
            for width in [max(map(len, line))]
        ]
        grid = "\n".join("  ".join(cells).rstrip() for cells in zip(*padded, strict=True))
        return "\n".join(filter(None, (self.title, grid, f"{self._size()}{left_out}", *self.notes)))

    def _repr_html_(self) -> str:
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
            return self.cells(), ""
        half = SHOWN_ROWS // 2
        ends = pd.concat([pd.DataFrame(self).head(half), pd.DataFrame(self).tail(half)])
        return ResultTable(ends).cells(), f", of which the first and last {half} are shown"


def result_table(
    data: pa.Table | pd.DataFrame, *, title: str = "", notes: Sequence[str] = ()
) -> ResultTable:
    """Make a table of results.

    Parameters
    ----------
    data : pyarrow.Table or pandas.DataFrame
        Arrow columns become Arrow-backed ones, dictionaries categories.
    title : str
        What it says, in one line.
    notes : sequence of str
        What has to be known to read the figures, a sentence each.
    """
    frame = data.to_pandas(types_mapper=_dtype_of) if isinstance(data, pa.Table) else data
    table = ResultTable(frame)
    table.attrs = {_TITLE: title, _NOTES: list(notes)}
    return table


def _dtype_of(arrow_type: pa.DataType) -> Any:
    return None if pa.types.is_dictionary(arrow_type) else pd.ArrowDtype(arrow_type)


def _displayed(column: pd.Series[Any]) -> tuple[list[str], bool]:
    """Return the cells of a column as text, and whether they stand at the right side."""
    is_number = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != "bool[pyarrow]"
    grouped = is_number and not str(column.name).endswith(_NOT_GROUPED)
    percent = is_number and str(column.name).endswith(_SHARE)
    return [_text(value, grouped=grouped, percent=percent) for value in column], is_number


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


def _masked(value: Any) -> str | None:
    if isinstance(value, str):
        return mask_id(value)
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):  # noqa: PLR0124  NaN
        return None
    return "…"
