"""What a cleanup's panel shows: facts and results put into its widgets, or into static HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import ipywidgets
from ipywidgets import HBox

from tokenvault_data.cleanup.plan.plan_file import PLAN_NAME
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted
from tokenvault_data.widgets.cleanup import text as words
from tokenvault_data.widgets.cleanup.rule_choice import CHOICES
from tokenvault_data.widgets.cleanup.stages import (
    STEPS,
    Stage,
    StageFacts,
    abort_label,
    open_step,
    pressable,
    run_label,
    stage_of,
    why_not,
)
from tokenvault_data.widgets.cleanup.store import OpenCampaign
from tokenvault_data.widgets.parts.bars import style
from tokenvault_data.widgets.parts.layout import in_a_sentence, named
from tokenvault_data.widgets.parts.tables import TableView
from tokenvault_data.widgets.parts.text import ProgressView, Prose, as_html

if TYPE_CHECKING:
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.cleanup.rule_choice import RuleChoice
    from tokenvault_data.widgets.cleanup.session import CleanupSession
    from tokenvault_data.widgets.parts.text import Block


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


SAMPLED: Final = 8
SAMPLE_COLUMNS: Final = {
    "number": "Row",
    "customer_id": "Customer",
    "instrument_id": "Card",
    "bank": "Bank",
    "card_network": "Network",
    "last_four": "Last four",
    "instrument_status": "Status",
    "expires_on": "Expires on",
}
COUNTED: Final = ("Cards before", "To be deleted", "Cards after", "Share deleted")
_ON_ITS_WAY: Final = {
    "simulate": (2, "Counting from the snapshot; nothing is sent."),
    "seal": (3, "Choosing and sealing; nothing is sent."),
    "verify": (6, "Every card that is called gone is fetched once more."),
    "audit": (7, "Joining plan, approvals and journal; nothing is sent."),
    "report": (7, "Writing the report."),
}
_NEXT: Final = {"simulate": Stage.RULE, "seal": Stage.SIMULATED, "verify": Stage.OVER}
"""At which stage a button is the next to press; the one that deletes is always in red."""

_ASKED: Final = {
    "pause": "Asked to pause: calls in flight are finished and written down.",
    "abort": (
        "Aborting: nothing more is deleted. What was attempted is verified, which may take a minute"
        " or two."
    ),
}


class CleanupPage:
    """Puts what is known into the widgets.

    Parameters
    ----------
    controls : CleanupControls
    session : CleanupSession

    Attributes
    ----------
    is_setting : bool
        While values of controls are set from here, which is no choice of anybody's.
    asked : {'pause', 'abort'} or None
        What whoever is at work was asked for.
    """

    def __init__(self, controls: CleanupControls, session: CleanupSession) -> None:
        self.is_setting = False
        self.asked: Literal["pause", "abort"] | None = None
        self._controls = controls
        self._session = session
        self._said: dict[int, list[Block]] = {}
        self._facts = StageFacts()
        self._choice: RuleChoice | None = None
        self._shown_tables: tuple[object, object] = (self, self)  # other than any that can be

    @property
    def children(self) -> tuple[Any, ...]:
        """The widgets of the panel from top to bottom."""
        controls = self._controls
        return (controls.opening, controls.pick, *controls.boxes.values())

    def say(self, step: int, blocks: list[Block]) -> None:
        """Say something at a step, in place of what was said there before."""
        self._said[step] = blocks
        self._show_words()

    def clear(self) -> None:
        """Take back everything that was said."""
        self._said = {}

    def show(self, facts: StageFacts, choice: RuleChoice) -> None:
        """Show what is known now."""
        self._facts, self._choice = facts, choice
        self.is_setting = True
        try:
            self._show_controls()
            self._show_picks()
            self._show_tables()
        finally:
            self.is_setting = False
        self._show_words()

    def show_counts(self) -> None:
        """Show before and after by what is chosen."""
        chosen = BREAKDOWNS.index(self._controls.by.value)
        self._controls.counts.show(
            self._counts(chosen),
            f"Before and after by {BREAKDOWNS[chosen].lower()}",
            (BREAKDOWNS[chosen], *COUNTED),
        )

    def static_html(self) -> str:
        """Return all steps that have begun, as HTML without script."""
        session = self._session
        opening = words.opening(session.snapshot, is_connected=session.account.is_connected)
        return as_html(opening) + "".join(map(self.static_step, range(1, len(STEPS) + 1)))

    def static_step(self, number: int) -> str:
        """Return one step as HTML without script."""
        content = as_html([*self._title(number), *self._blocks(number)])
        tables: list[ResultTable | None] = []
        if number == 2:
            tables = [self._counts(place) for place in range(len(BREAKDOWNS))]
        if number == 3:
            tables = [self._sample()]
        return content + "".join(one.html() for one in tables if one is not None)

    def _show_words(self) -> None:
        session, controls, facts = self._session, self._controls, self._facts
        controls.opening.show(
            *words.opening(session.snapshot, is_connected=session.account.is_connected),
            *self._found(),
        )
        for number, box in controls.boxes.items():
            blocks = self._blocks(number)
            controls.titles[number].show(*self._title(number))
            controls.words[number].show(*blocks)
            show(controls.words[number], when=bool(blocks))
            is_open = number == open_step(facts)
            _mark(box, "tv-open", when=is_open)
            _mark(box, "tv-waiting", when=not (is_open or blocks or _has_controls(box)))
        why = why_not(facts)
        if session.approvals.refused and facts.refusal == why:
            why = "It cannot be applied as it is approved; step 4 says why."
        controls.hint.show(("note" if facts.refusal is None else "warning", why) if why else None)
        show(controls.hint, when=bool(why))
        self._show_progress()

    def _show_controls(self) -> None:
        controls, facts = self._controls, self._facts
        may, stage = pressable(facts), stage_of(facts)
        for name, button in controls.buttons.items():
            button.disabled = name not in may
            if name in _NEXT:
                is_done = name == "verify" and self._session.verification is not None
                is_next = stage is _NEXT[name] and not is_done
                button.button_style = "primary" if is_next else ""
        controls.buttons["run"].description = run_label(facts)
        controls.buttons["abort"].description = abort_label(facts)
        controls.phrase.disabled = "type" not in may
        for one in (controls.choice, controls.days, controls.day):
            one.disabled = "choose" not in may
        show(controls.days, when=controls.choice.value == "expired_for")
        show(controls.day, when=controls.choice.value == "expired_on")
        to_seal = stage is Stage.SIMULATED and facts.may_seal
        for one in (controls.note, controls.planner, controls.buttons["seal"]):
            show(one, when=to_seal)
        show(controls.buttons["reread"], when=facts.plan is not None and stage is not Stage.OVER)
        at_work = stage in {Stage.AT_WORK, Stage.ELSEWHERE}
        to_apply = stage in {Stage.SEALED, Stage.HELD, Stage.STOPPED}
        show(controls.phrase, when=to_apply and facts.refusal is None and facts.is_connected)
        show(controls.buttons["run"], when=to_apply)
        show(controls.buttons["pause"], when=at_work)
        begun = {Stage.HELD, Stage.STOPPED, Stage.ENDING, Stage.HALTED}
        show(controls.buttons["abort"], when=at_work or stage in begun)
        show(controls.buttons["verify"], when=stage is Stage.OVER)
        for name in ("audit", "report"):
            show(controls.buttons[name], when=name in may or facts.busy in {"audit", "report"})
        for row in controls.rows:
            show(row, when=any(one.layout.display != "none" for one in row.children))

    def _show_picks(self) -> None:
        session, pick = self._session, self._controls.pick
        known = {one.plan.id: one.label for one in session.found}
        if session.plan is not None and session.status is not None:
            known[session.plan.id] = OpenCampaign(session.plan, session.status).label
        options = [("A new plan", ""), *((label, name) for name, label in known.items())]
        if list(pick.options) != options:
            pick.options = options
        pick.value = "" if session.plan is None else session.plan.id
        pick.disabled = self._facts.busy is not None
        show(pick, when=bool(known))

    def _show_tables(self) -> None:
        session = self._session
        if self._shown_tables == (session.simulation, session.plan):
            return
        self._shown_tables = (session.simulation, session.plan)
        show(self._controls.by, when=session.simulation is not None)
        self.show_counts()
        self._controls.sample.show(
            self._sample(), "A sample of the plan, ids masked", tuple(SAMPLE_COLUMNS.values())
        )

    def _show_progress(self) -> None:
        facts, progress = self._facts, self._controls.progress
        at_work = stage_of(facts) in {Stage.AT_WORK, Stage.ELSEWHERE}
        show(progress, when=at_work)
        if not at_work or facts.status is None:
            progress.show("", tone="idle")
            return
        wanted = "abort" if facts.busy == "abort" else self.asked
        asked = f" {_ASKED[wanted]}" if wanted else ""
        progress.show(
            words.progress_text(facts.status) + asked, fraction=words.fraction_done(facts.status)
        )

    def _found(self) -> list[Block]:
        session = self._session
        if not session.unreadable:
            return []
        return [("warning", f"{session.unreadable:,} folders of campaigns cannot be read.")]

    def _title(self, number: int) -> list[Block]:
        session, facts = self._session, self._facts
        finding = ""
        if number == 2 and session.simulation is not None:
            finding = words.simulation_finding(session.simulation)
        elif number == 3 and session.plan is not None:
            finding = words.plan_finding(session.plan, session.customers)
        elif number == 4 and session.plan is not None:
            finding = words.approval_finding(session.plan, session.approvals)
        elif number == 5:
            finding = words.run_finding(facts)
        elif number == 6 and session.verification is not None:
            seen = session.verification
            finding = f"{seen.gone:,} of {seen.looked_at:,} seen gone"
        elif number == 7 and session.proof is not None:
            finding = words.audit_finding(session.proof)
        return words.step_title(number, finding)

    def _blocks(self, number: int) -> list[Block]:
        session, facts = self._session, self._facts
        step, text = _ON_ITS_WAY.get(facts.busy or "", (0, ""))
        blocks: list[Block] = [("note", text)] if step == number else []
        blocks += self._said.get(number, [])
        plan = session.plan
        if number == 1:
            blocks += self._rule_blocks()
        elif number == 2 and session.simulation is not None:
            blocks += words.simulation_words(session.simulation, session.room)
        elif number == 3 and plan is not None:
            blocks += words.plan_words(plan, session.folder / PLAN_NAME)
        elif number == 4 and plan is not None:
            blocks += words.approval_words(facts, session.approvals, session.store)
        elif number == 5:
            blocks += words.run_words(facts)
        elif number == 6 and session.verification is not None:
            blocks += words.verify_words(session.verification)
        elif number == 7 and session.proof is not None:
            blocks += words.audit_words(session.proof)
        if number == 7 and session.files:
            blocks.append(("facts", [("Written", str(path)) for path in session.files]))
        return blocks

    def _rule_blocks(self) -> list[Block]:
        rule = self._session.rule
        if rule is None and self._choice is not None:
            try:
                rule = self._choice.rule()
            except UsageError as error:
                return [("warning", in_a_sentence(error))]
        return [] if rule is None else words.rule_words(rule)

    def _counts(self, place: int) -> ResultTable | None:
        found = self._session.simulation
        if found is None:
            return None
        table = found.tables[place]
        return table.showing(table[table["cards_planned"] > 0])

    def _sample(self) -> ResultTable | None:
        plan = self._session.plan
        if plan is None:
            return None
        sample = plan.sample(SAMPLED)
        return sample.showing(sample[list(SAMPLE_COLUMNS)])


def _has_controls(box: Any) -> bool:
    """Whether a row of controls is shown in a step's box."""
    shown = [one for one in box.children if isinstance(one, HBox) and one.layout.display != "none"]
    return bool(shown)


def _mark(box: Any, name: str, *, when: bool) -> None:
    (box.add_class if when else box.remove_class)(name)
