"""The widgets of a cleanup's panel and how they stand, step by step; what they do is elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.text import counted
from tokenvault_data.widgets.cleanup.rule_choice import CHOICES
from tokenvault_data.widgets.cleanup.stages import STEPS
from tokenvault_data.widgets.parts.front_end import style
from tokenvault_data.widgets.parts.layout import named
from tokenvault_data.widgets.parts.progress_view import ProgressView
from tokenvault_data.widgets.parts.tables import TableView
from tokenvault_data.widgets.parts.text import Prose

if TYPE_CHECKING:
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.cleanup.rule_choice import RuleChoice

PAGE_ROWS: Final = 10
BREAKDOWNS: Final = ("Network", "Bank", "Expiry month")

_BUTTONS: Final = {
    "simulate": ("Simulate", "", "Count what the rule would do; nothing is sent"),
    "seal": ("Seal the plan", "", "Freeze the selected cards into a plan; nothing is sent"),
    "reread": ("Read approvals again", "", "Look for approvals, and where the campaign stands"),
    "run": ("Delete", "danger", "Delete cards for good; the phrase has to be typed first"),
    "pause": ("Pause", "", "Finish the calls in flight, then stop where it can go on"),
    "abort": ("Abort", "", "End it for good: nothing more is deleted, attempts are settled"),
    "verify": ("Verify", "", "Fetch every card that is called gone once more; nothing is deleted"),
    "audit": ("Audit", "", "Prove the campaign from its files; nothing is sent"),
    "report": ("Write report files", "", "Write the completion report and the table of cards"),
}


class StepTitle(Prose):
    """Title of a step; brings the style of the whole panel."""

    _css = style("prose", "cleanup_panel")


class PagedTable:
    """A whole table of results in a `TableView`, a few rows at a time."""

    def __init__(self, name: str, caption: str) -> None:
        self.view = named(TableView(caption=caption), name)
        self._table: ResultTable | None = None
        self._headings: tuple[str, ...] = ()
        self.view.observe(self._turn, "page")

    def show(self, table: ResultTable | None, caption: str, headings: tuple[str, ...]) -> None:
        """Show a table from its first row, with these words over its columns."""
        self._table, self._headings = table, headings
        show(self.view, when=table is not None)
        if table is not None:
            self.view.caption = caption
            self.view.page = 0
            self._turn(None)

    def _turn(self, _: Any) -> None:
        table = self._table
        if table is None:
            return
        rows = len(table)
        first = self.view.page * PAGE_ROWS
        last = min(rows, first + PAGE_ROWS)
        note = (
            counted(rows, "row") if rows <= PAGE_ROWS else f"{first + 1:,} to {last:,} of {rows:,}"
        )
        with self.view.hold_sync():
            self.view.pages = max(1, -(-rows // PAGE_ROWS))
            self.view.show(table.iloc[first:last], note=note)
            self.view.columns = list(self._headings)


class CleanupControls:
    """All widgets, and the boxes of the steps they stand in.

    Parameters
    ----------
    choice : RuleChoice
        What is chosen at first.
    note, planner : str
        What stands in these fields at first.
    """

    def __init__(self, choice: RuleChoice, note: str, planner: str) -> None:
        wide = {"description_width": "initial"}
        kinds = [kind for kind in CHOICES if kind != "given" or choice.given is not None]
        self.opening = named(Prose(), "cleanup-opening")
        self.pick = named(
            ipywidgets.Dropdown(
                description="Plan",
                options=[("A new plan", "")],
                style=wide,
                tooltip="Plans and campaigns of this account that are open",
            ),
            "cleanup-pick",
        )
        self.choice = named(
            ipywidgets.Dropdown(
                description="Rule",
                options=[(CHOICES[kind], kind) for kind in kinds],
                value=choice.kind,
                style=wide,
            ),
            "cleanup-choice",
        )
        self.days = named(
            ipywidgets.BoundedIntText(
                description="Days", min=1, max=36_500, value=choice.days, style=wide
            ),
            "cleanup-days",
        )
        self.day = named(
            ipywidgets.DatePicker(description="Day", value=choice.day, style=wide), "cleanup-day"
        )
        self.by = named(
            ipywidgets.Dropdown(description="Before and after by", options=BREAKDOWNS, style=wide),
            "cleanup-by",
        )
        self.note = named(
            ipywidgets.Text(
                description="Note for the approver", value=note, style=wide, continuous_update=False
            ),
            "cleanup-note",
        )
        self.planner = named(
            ipywidgets.Text(
                description="Planned by",
                value=planner,
                placeholder="the user of the system",
                style=wide,
                continuous_update=False,
            ),
            "cleanup-planner",
        )
        self.phrase = named(
            ipywidgets.Text(
                description="Phrase",
                placeholder="type the phrase shown above",
                style=wide,
                disabled=True,
            ),
            "cleanup-phrase",
        )
        self.buttons = {
            name: named(
                ipywidgets.Button(
                    description=label, button_style=kind, tooltip=tip, disabled=name != "simulate"
                ),
                f"cleanup-{name}",
            )
            for name, (label, kind, tip) in _BUTTONS.items()
        }
        self.titles = {number: named(StepTitle(), f"cleanup-title-{number}") for number in _NUMBERS}
        self.words = {
            number: named(Prose(is_live=number == 5), f"cleanup-words-{number}")
            for number in _NUMBERS
        }
        self.hint = named(Prose(), "cleanup-hint")
        self.progress = named(ProgressView(label="Cleanup"), "cleanup-progress")
        self.counts = PagedTable("cleanup-counts", "Before and after")
        self.sample = PagedTable("cleanup-sample", "A sample of the plan")
        self.rows: list[Any] = []
        self.boxes = {number: self._box(number) for number in _NUMBERS}

    def _box(self, number: int) -> Any:
        title, words, buttons = self.titles[number], self.words[number], self.buttons
        inside: dict[int, list[Any]] = {
            1: [self._row(self.choice, self.days, self.day, buttons["simulate"]), words],
            2: [words, self.by, self.counts.view],
            3: [self._row(self.note, self.planner, buttons["seal"]), words, self.sample.view],
            4: [words, self._row(buttons["reread"])],
            5: [
                self.progress,
                words,
                self._row(self.phrase, buttons["run"], buttons["pause"], buttons["abort"]),
                self.hint,
            ],
            6: [self._row(buttons["verify"]), words],
            7: [self._row(buttons["audit"], buttons["report"]), words],
        }
        box = ipywidgets.VBox([title, *inside[number]])
        box.add_class("tv-card")
        return named(box, f"cleanup-step-{number}")

    def _row(self, *widgets: Any) -> Any:
        self.rows.append(named(ipywidgets.HBox(widgets), "row"))
        return self.rows[-1]


def show(widget: Any, *, when: bool) -> None:
    """Show a widget, or take it out of the page."""
    widget.layout.display = None if when else "none"


_NUMBERS: Final = range(1, len(STEPS) + 1)
