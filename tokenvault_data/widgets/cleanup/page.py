"""What a cleanup's panel shows: facts and results put into its widgets, or into static HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from ipywidgets import HBox

from tokenvault_data.cleanup.plan.plan_file import PLAN_NAME
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.cleanup import text as words
from tokenvault_data.widgets.cleanup.controls import BREAKDOWNS, show
from tokenvault_data.widgets.cleanup.stages import (
    STEPS,
    Facts,
    Stage,
    abort_label,
    open_step,
    pressable,
    run_label,
    stage_of,
    why_not,
)
from tokenvault_data.widgets.cleanup.store import OpenCampaign
from tokenvault_data.widgets.parts.layout import in_a_sentence
from tokenvault_data.widgets.parts.text import as_html

if TYPE_CHECKING:
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.cleanup.controls import CleanupControls
    from tokenvault_data.widgets.cleanup.rule_choice import RuleChoice
    from tokenvault_data.widgets.cleanup.session import CleanupSession
    from tokenvault_data.widgets.parts.text import Block

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
        self._facts = Facts()
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

    def show(self, facts: Facts, choice: RuleChoice) -> None:
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
