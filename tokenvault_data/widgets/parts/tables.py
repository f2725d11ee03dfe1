"""A table in the page: one page of rows at a time, masked and formatted by the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anywidget
import traitlets as t

from tokenvault_data.dataset.tables import cells_of
from tokenvault_data.widgets.parts.front_end import script, style

if TYPE_CHECKING:
    import pandas as pd


class TableView(anywidget.AnyWidget):
    """One page of a table, as text.

    Attributes
    ----------
    caption : str
        What the table shows.
    columns : list of str
    rights : list of bool
        Whether each column stands at the right side, as numbers do.
    rows : list of list of str
        The cells of this page; ids are masked already.
    page, pages : int
        0-based number of this page, and how many there are; the browser sets `page`.
    note : str
        Which rows these are, of how many.
    empty : str
        What is said where there are no rows.
    busy : bool
        Whether a page is on its way.
    """

    _esm = script("table_view")
    _css = style("table_view")

    caption = t.Unicode().tag(sync=True)
    columns = t.List(t.Unicode()).tag(sync=True)
    rights = t.List(t.Bool()).tag(sync=True)
    rows = t.List(t.List(t.Unicode())).tag(sync=True)
    page = t.Int(0).tag(sync=True)
    pages = t.Int(1).tag(sync=True)
    note = t.Unicode().tag(sync=True)
    empty = t.Unicode("No rows.").tag(sync=True)
    busy = t.Bool(False).tag(sync=True)

    def show(self, table: pd.DataFrame, *, note: str | None = None) -> None:
        """Show all rows of a table, masked as on any screen; meant for short ones."""
        cells = cells_of(table)
        with self.hold_sync():
            self.columns = [column.name for column in cells]
            self.rights = [column.right for column in cells]
            self.rows = [list(row) for row in zip(*(one.cells for one in cells), strict=True)]
            self.note = f"{len(table):,} rows" if note is None else note
            self.busy = False
