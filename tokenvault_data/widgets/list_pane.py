"""A list of rows in a panel: made beside the kernel, shown page by page, handed on as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import ipywidgets

from tokenvault_data.analysis.wording import counted
from tokenvault_data.reports.export import export
from tokenvault_data.reports.policies import POLICIES
from tokenvault_data.widgets.latest import Latest
from tokenvault_data.widgets.panel import in_a_sentence, named
from tokenvault_data.widgets.prose import Prose
from tokenvault_data.widgets.table_view import TableView
from tokenvault_data.widgets.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from tokenvault_data.dataset.result_table import ResultTable
    from tokenvault_data.reports.policies import Policy
    from tokenvault_data.widgets.worker import Job

PAGE_ROWS: Final = 10

_POLICY_NAMES: Final[dict[Policy, str]] = {
    "masked": "masked: ids as keyed hashes",
    "full": "full: ids in clear",
    "minimal": "minimal: last four, network, bank",
}


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
        self._worker: Worker[str] = Worker(self._tell, self._exported)
        self._view = named(TableView(empty=empty), f"{name}-table")
        self._view.observe(self._on_page, "page")
        self.message = named(Prose(is_live=True), f"{name}-message")
        self.policy = named(
            ipywidgets.Dropdown(
                options=[(_POLICY_NAMES[policy], policy) for policy in POLICIES],
                value="masked",
                description="What leaves",
                tooltip="What of a card may leave",
                style={"description_width": "initial"},
                layout={"width": "300px"},
            ),
            f"{name}-policy",
        )
        self.path = named(
            ipywidgets.Text(
                value=path,
                description="File",
                tooltip="A .csv or .parquet file",
                continuous_update=True,
                style={"description_width": "initial"},
                layout={"width": "280px"},
            ),
            f"{name}-path",
        )
        self.export_button = named(
            ipywidgets.Button(
                description=f"Export all {unit}s",
                tooltip=f"Write all {unit}s of the list to the file",
                layout={"width": "auto"},
            ),
            f"{name}-export",
        )
        self.export_button.on_click(self._on_export)
        controls = ipywidgets.HBox([self.path, self.policy, self.export_button])
        self.children = [self._view, named(controls, "row"), self.message]
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
        return self._latest.wait(timeout_seconds) and self._worker.join(timeout_seconds)

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

    def _on_export(self, _: object) -> None:
        table = self._table
        if table is None:
            self.message.show(("warning", "There is no list yet, so nothing was written."))
            return
        path, policy = self.path.value.strip(), self.policy.value

        def write(job: Job[str]) -> tuple[Path, int, Policy]:
            job.tell(f"Writing {counted(len(table), self._unit)}.")
            return export(table, path, policy=policy), len(table), policy

        if not self._worker.start(write):
            self.message.show(("warning", "A file is being written; wait for it to be done."))

    def _tell(self, said: str) -> None:
        self.message.show(("note", said))

    def _exported(self, ended: Any) -> None:
        if isinstance(ended, BaseException):
            self.message.show(("warning", in_a_sentence(ended)))
            return
        path, rows, policy = ended
        said = f"{path} holds {counted(rows, self._unit)}; {_LEFT[policy]}."
        self.message.show(("good", said))


_LEFT: Final[dict[Literal["full", "masked", "minimal"], str]] = {
    "full": "customers' ids stand in it in clear, so keep it where only those may read it who must",
    "masked": "ids are keyed hashes of this installation",
    "minimal": "only last four digits, network and bank",
}
