"""A list of rows in a panel: made beside the kernel, shown page by page, handed on as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import ipywidgets

from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted
from tokenvault_data.widgets.parts.export_row import ExportRow, Rows
from tokenvault_data.widgets.parts.latest import Latest
from tokenvault_data.widgets.parts.layout import in_a_sentence, named
from tokenvault_data.widgets.parts.tables import TableView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenvault_data.dataset.tables import ResultTable

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

    def _all_rows(self) -> Rows:
        if self._table is None:
            raise UsageError("there is no list yet, so nothing was written; wait until it is shown")
        return Rows(self._table, len(self._table))
