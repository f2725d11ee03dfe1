"""A table in the page: one page of rows at a time, masked and formatted by the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anywidget
import ipywidgets
import traitlets as t

from tokenvault_data.dataset.tables import cells_of
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted
from tokenvault_data.widgets.parts.bars import script, style
from tokenvault_data.widgets.parts.export_row import ExportRow, ExportRows
from tokenvault_data.widgets.parts.layout import in_a_sentence, named
from tokenvault_data.widgets.parts.threads import Latest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from tokenvault_data.dataset.tables import ResultTable


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


PAGE_ROWS: Final = 10


class ListPane(ipywidgets.VBox):
    """A paged table, and the controls that write all of its rows to a file.

    Parameters
    ----------
    name : str
        Class in the page, behind ``tv-``, of the pane; its parts have classes that begin with it.
    columns : sequence of str
        What of the table is shown; files hold all columns.
    path : str
        Name of the file that is proposed.
    unit : str
        What one row is.
    empty : str
        What is said where there are no rows.

    Attributes
    ----------
    export : ExportRow
    """

    def __init__(
        self, name: str, *, columns: Sequence[str], path: str, unit: str, empty: str
    ) -> None:
        super().__init__(layout={"grid_gap": "8px"})
        self._columns = list(columns)
        self._unit = unit
        self._empty = empty
        self._table: ResultTable | None = None
        self._latest: Latest[Callable[[], ResultTable]] = Latest(self._find, self._failed)
        self._view = named(TableView(empty=empty), f"{name}-table")
        self._view.observe(self._on_page, "page")
        self.export = ExportRow(
            self._all_rows, name=name, path=path, unit=unit, button=f"Export all {unit}s"
        )
        self.children = [self._view, self.export]
        named(self, name)

    @property
    def table(self) -> ResultTable | None:
        """All rows, ids as they are; None while they are not there."""
        return self._table

    @property
    def view(self) -> TableView:
        """The page that is shown."""
        return self._view

    def ask(self, find: Callable[[], ResultTable], *, caption: str) -> None:
        """Make the list anew, and show it when it is there, unless it was asked for again.

        Parameters
        ----------
        find : callable
            Gives the rows; runs on another thread.
        caption : str
            What is said of the list until then.
        """
        self._table = None
        with self._view.hold_sync():
            self._view.caption, self._view.note, self._view.busy = caption, "", True
        self._latest.ask(find)

    def _show_nothing(self, why: str) -> None:
        self._table = None
        with self._view.hold_sync():
            self._view.rows, self._view.page, self._view.pages = [], 0, 1
            self._view.caption, self._view.note = "There is no list", ""
            self._view.empty, self._view.busy = why, False

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the list and for a file that is being written; say whether they came."""
        return self._latest.wait(timeout_seconds) and self.export.join(timeout_seconds)

    def _find(self, find: Callable[[], ResultTable]) -> None:
        table = find()
        if self._latest.is_overtaken:
            return
        self._table = table
        with self._view.hold_sync():
            self._view.caption, self._view.page = table.title, 0
            self._view.empty = self._empty
            self._view.pages = max(1, -(-len(table) // PAGE_ROWS))
            self._show_page()

    def _failed(self, error: Exception) -> None:
        self._show_nothing(in_a_sentence(error))

    def _on_page(self, _: object) -> None:
        self._show_page()

    def _show_page(self) -> None:
        table = self._table
        if table is None:
            return
        first = min(self._view.page, self._view.pages - 1) * PAGE_ROWS
        rows = table.iloc[first : first + PAGE_ROWS][self._columns]
        last = first + len(rows)
        self._view.show(
            rows,
            note=f"{first + 1:,} to {last:,} of {counted(len(table), self._unit)}" if last else "",
        )

    def _all_rows(self) -> ExportRows:
        if self._table is None:
            raise UsageError("there is no list yet, so nothing was written; wait until it is shown")
        return ExportRows(self._table, len(self._table))
