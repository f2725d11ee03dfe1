"""A file, what may leave, and a button: rows out of a panel, written beside the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import ipywidgets

from tokenvault_data.local_paths import local_path
from tokenvault_data.reports.export import export
from tokenvault_data.text import counted
from tokenvault_data.widgets.parts.layout import in_a_sentence, named
from tokenvault_data.widgets.parts.text import Prose
from tokenvault_data.widgets.parts.threads import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.reports.policies import Policy
    from tokenvault_data.widgets.parts.threads import Job

_POLICY_NAMES: Final[dict[Policy, str]] = {
    "full": "full: ids in clear",
    "masked": "masked: ids as keyed hashes",
    "minimal": "minimal: last four, network, bank",
}
_LEFT: Final[dict[Policy, str]] = {
    "full": "customers' ids stand in it in clear, so keep it where only those may read it who must",
    "masked": "ids are keyed hashes of this installation",
    "minimal": "only last four digits, network and bank",
}


class ExportRows(NamedTuple):
    """What is to be written.

    Attributes
    ----------
    source : object with ``__arrow_c_stream__``
    number : int
    """

    source: ArrowStream
    number: int


class ExportRow(ipywidgets.VBox):
    """The controls of an export, and one line about what became of it.

    Parameters
    ----------
    rows_now : callable
        Gives the rows to write when the button is pressed; may refuse with `UsageError`.
    name : str
        Class in the page, behind ``tv-``, that the names of the parts begin with.
    path : str
        The file that is proposed.
    unit : str
        What one row is.
    """

    def __init__(
        self, rows_now: Callable[[], ExportRows], *, name: str, path: str, unit: str, button: str
    ) -> None:
        super().__init__(layout={"grid_gap": "8px"})
        self._rows_now = rows_now
        self._unit = unit
        self._worker: Worker[str] = Worker(self._tell, self._ended)
        own = {"description_width": "initial"}
        self.path = named(
            ipywidgets.Text(
                value=path,
                description="File",
                tooltip="A .csv or .parquet file",
                style=own,
                layout={"width": "280px"},
            ),
            f"{name}-path",
        )
        self.policy = named(
            ipywidgets.Dropdown(
                options=[(text, policy) for policy, text in _POLICY_NAMES.items()],
                value="masked",
                description="What leaves",
                tooltip="What of a card may leave",
                style=own,
                layout={"width": "340px"},
            ),
            f"{name}-policy",
        )
        self.button = named(
            ipywidgets.Button(
                description=button, tooltip=f"{button} to the file", layout={"width": "auto"}
            ),
            f"{name}-export",
        )
        self.button.on_click(self._on_click)
        self.message = named(Prose(is_live=True), f"{name}-message")
        controls = ipywidgets.Box([self.path, self.policy, self.button])
        self.children = [named(controls, "row"), self.message]

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait for a file that is being written; say whether it is done."""
        return self._worker.join(timeout_seconds)

    def _on_click(self, _: object) -> None:
        try:
            has_begun = self._worker.start(self._writing(self._rows_now()))
        except Exception as error:  # noqa: BLE001  a callback has nobody else to tell
            self._failed(error)
            return
        if not has_begun:
            busy = "A file is being written; wait for its end, then export again."
            self.message.show(("warning", busy))

    def _writing(self, rows: ExportRows) -> Callable[[Job[str]], str]:
        """Return the job that writes to the file that is named now."""
        path, policy = local_path(self.path.value.strip()).expanduser(), self.policy.value
        size = counted(rows.number, self._unit)

        def write(job: Job[str]) -> str:
            job.report(f"Writing {size}.")
            return f"{export(rows.source, path, policy=policy)} holds {size}; {_LEFT[policy]}."

        return write

    def _tell(self, said: str) -> None:
        self.message.show(("note", said))

    def _ended(self, ended: object) -> None:
        if isinstance(ended, BaseException):
            self._failed(ended)
        else:
            self.message.show(("good", str(ended)))

    def _failed(self, error: BaseException) -> None:
        self.message.show(("warning", in_a_sentence(error)))
