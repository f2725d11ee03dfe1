"""What a press of a button does to a cleanup: decided anew under a lock, one job at a time.

A campaign runs on a thread of its own, neither the kernel's nor a callback's. Pausing and aborting
go through the campaign's control file, so that they reach it wherever it is at work.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tokenvault_data.cleanup.campaign.status import CampaignStatus
from tokenvault_data.errors import CampaignPaused, TokenVaultError
from tokenvault_data.widgets.cleanup.rule_choice import RuleChoice
from tokenvault_data.widgets.cleanup.stages import Stage, StageFacts, pressable, stage_of
from tokenvault_data.widgets.cleanup.text import end_words
from tokenvault_data.widgets.parts.threads import StateWatcher, Worker

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from tokenvault_data.widgets.cleanup.page import CleanupControls, CleanupPage
    from tokenvault_data.widgets.cleanup.session import CleanupSession
    from tokenvault_data.widgets.parts.threads import Job

_STEP_OF: Final = {
    "simulate": 2,
    "seal": 3,
    "reread": 4,
    "run": 5,
    "pause": 5,
    "abort": 5,
    "verify": 6,
    "audit": 7,
    "report": 7,
}
_MOVED_ON: Final = (
    "The campaign has moved on since this was shown; nothing was sent. Look at where it stands,"
    " then type the phrase again."
)


class CleanupDesk:
    """Takes what is chosen, typed and pressed.

    Parameters
    ----------
    session : CleanupSession
    controls : CleanupControls
    page : CleanupPage
    choice : RuleChoice
        The first one; says which rule was handed in.
    report_places : pair of path or None
        Where the report and the table of cards go; into the campaign's folder without.

    Attributes
    ----------
    watcher : StateWatcher
        Looks at a campaign that is at work elsewhere.
    """

    def __init__(
        self,
        session: CleanupSession,
        controls: CleanupControls,
        page: CleanupPage,
        choice: RuleChoice,
        report_places: tuple[str | os.PathLike[str] | None, str | os.PathLike[str] | None],
    ) -> None:
        self._session, self._controls, self._page = session, controls, page
        self._given = choice.given
        self._report_places = report_places
        # Callbacks come on any thread: one at a time decides, and jobs change what it decides on.
        self._deciding = threading.RLock()
        self._busy: str | None = None
        self._asked: Literal["pause", "abort"] | None = None
        self._shown: tuple[Stage, str | None] = (Stage.RULE, None)
        self._idle = threading.Event()
        self._idle.set()
        self._worker = Worker[CampaignStatus](self._on_told, self._on_end)
        self.watcher = StateWatcher(self._look)
        self._connect_controls()
        self._show()

    @property
    def stage(self) -> Stage:
        """How far the cleanup is."""
        return stage_of(self._session.facts(busy=self._busy))

    def choice(self) -> RuleChoice:
        """Return what is chosen as the rule."""
        controls = self._controls
        return RuleChoice(
            controls.choice.value, controls.days.value, controls.day.value, self._given
        )

    def join(self, timeout_seconds: float | None) -> bool:
        """Wait until nothing is on its way; say whether that came."""
        return self._idle.wait(timeout_seconds)

    def _connect_controls(self) -> None:
        controls = self._controls
        actions: dict[str, Callable[[], None]] = {
            "simulate": self._simulate,
            "seal": self._seal,
            "reread": self._reread,
            "run": self._run,
            "pause": partial(self._ask, "pause"),
            "abort": self._abort,
            "verify": lambda: self._begin("verify", lambda _: self._session.verify()),
            "audit": lambda: self._begin("audit", lambda _: self._session.prove()),
            "report": self._report,
        }
        for name, action in actions.items():
            controls.buttons[name].on_click(partial(self._pressed, name, action))
        for control in (controls.choice, controls.days, controls.day):
            control.observe(lambda _: self._guarded(1, self._chosen), "value")
        controls.pick.observe(lambda change: self._guarded(3, self._picked, change.new), "value")
        controls.phrase.observe(lambda _: self._guarded(5, self._show), "value")
        controls.by.observe(lambda _: self._guarded(2, self._page.show_counts), "value")

    def _pressed(self, name: str, action: Callable[[], None], _: object) -> None:
        """Do what a button is for, if it may be pressed as things stand."""

        def act() -> None:
            if name in pressable(self._facts()):
                action()
            self._show()

        self._guarded(_STEP_OF[name], act)

    def _guarded(self, step: int, act: Callable[..., None], *args: object) -> None:
        with self._deciding:
            try:
                act(*args)
            except Exception as error:  # noqa: BLE001  shown in the panel, as one sentence
                self._page.say(step, end_words(error))

    def _chosen(self) -> None:
        if self._page.is_setting or "choose" not in pressable(self._facts()):
            return
        self._session.forget()
        self._clear()
        self._show()

    def _picked(self, plan_id: str) -> None:
        if self._page.is_setting or self._busy is not None:
            return
        if plan_id:
            self._session.open(plan_id)
        else:
            self._session.forget()
        self._clear()
        self._show()

    def _simulate(self) -> None:
        choice = self.choice()
        self._clear()
        self._begin("simulate", lambda _: self._session.simulate(choice))

    def _seal(self) -> None:
        note, planner = self._controls.note.value, self._controls.planner.value
        self._begin("seal", lambda _: self._session.seal(note=note, planner=planner))

    def _reread(self) -> None:
        self._session.search()
        self._session.refresh()
        self._page.say(4, [])

    def _run(self) -> None:
        """Begin to delete, or go on: decided anew from the disk and from what is typed now."""
        typed = self._controls.phrase.value
        self._session.refresh()
        facts = self._session.facts(typed=typed, busy=self._busy)
        if self._what(facts) != self._shown:
            self._controls.phrase.value = ""
            self._page.say(5, [("warning", _MOVED_ON)])
        elif "run" in pressable(facts):
            self._begin("run", lambda job: self._session.apply(typed, job.report))
            self._controls.phrase.value = ""

    def _ask(self, word: Literal["pause", "abort"]) -> None:
        self._session.ask(word)
        self._asked = word
        self._page.asked = word

    def _abort(self) -> None:
        if self.stage in {Stage.AT_WORK, Stage.ELSEWHERE}:
            self._ask("abort")
        else:
            self._begin("abort", lambda job: self._session.abort(job.report))

    def _report(self) -> None:
        folder = self._session.folder
        places = (
            self._report_places[0] or folder / "completion.html",
            self._report_places[1] or folder / "completion.csv",
        )
        self._begin("report", lambda _: self._session.write_report(*map(Path, places)))

    def _begin(self, kind: str, work: Callable[[Job[CampaignStatus]], object]) -> None:
        if self._busy is not None:
            return
        self._page.say(_STEP_OF[kind], [])
        self._busy, self._asked, self._page.asked = kind, None, None
        self._idle.clear()
        self._worker.start(work)

    def _on_told(self, status: CampaignStatus) -> None:
        with self._deciding:
            self._session.status = status
            if self._asked is not None:
                self._guarded(5, self._session.ask_again, self._asked)
            self._guarded(5, self._show)

    def _on_end(self, ended: object) -> None:
        with self._deciding:
            kind, asked = self._busy or "", self._asked
            self._busy, self._asked, self._page.asked = None, None, None
            try:
                self._guarded(_STEP_OF[kind], self._take_stock, kind, asked)
                if isinstance(ended, BaseException) and not self._is_told(ended):
                    self._page.say(_STEP_OF[kind], end_words(ended))
                self._guarded(5, self._show)
            finally:
                if self._busy is None:
                    self._idle.set()

    def _is_told(self, ended: BaseException) -> bool:
        """Whether the journal says as well why the campaign stopped."""
        status = self._session.status
        return (
            isinstance(ended, CampaignPaused)
            and status is not None
            and (status.state in {"paused", "aborted"})
        )

    def _take_stock(self, kind: str, asked: str | None) -> None:
        """See what a job has come to, on the disk, and do what was asked too late for it."""
        session = self._session
        if kind in {"run", "abort"}:
            if asked is not None:
                session.withdraw()
            session.refresh()
            session.prove_at_rest()
            if asked == "abort" and "abort" in pressable(self._facts()):
                self._begin("abort", lambda job: session.abort(job.report))
        session.search()

    def _look(self) -> bool:
        """Look at a campaign that is at work elsewhere; say whether it still is."""
        with self._deciding:
            if self._busy is not None:
                return False
            try:
                self._session.refresh()
                if not self._session.is_elsewhere:
                    self._page.asked = None
                    self._session.search()
                    self._session.prove_at_rest()
                self._show()
            except TokenVaultError as error:  # a journal that was busy for a moment, say
                self._page.say(5, end_words(error))
                return True
            return self._session.is_elsewhere

    def _clear(self) -> None:
        self._page.clear()
        self._controls.phrase.value = ""

    @staticmethod
    def _what(facts: StageFacts) -> tuple[Stage, str | None]:
        """Return what a press of `run` would mean."""
        return stage_of(facts), None if facts.plan is None else facts.plan.id

    def _facts(self) -> StageFacts:
        return self._session.facts(typed=self._controls.phrase.value, busy=self._busy)

    def _show(self) -> None:
        facts = self._facts()
        if self._what(facts) != self._shown:
            # What was typed was meant for what was shown before.
            self._shown = self._what(facts)
            self._controls.phrase.value = ""
            facts = self._facts()
        self._page.show(facts, self.choice())
        if self._session.is_elsewhere and self._busy is None:
            self.watcher.start()
