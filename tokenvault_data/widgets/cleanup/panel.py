"""The cleanup as a panel: seven steps from a rule to the proof, and one phrase that is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.local_paths import local_path
from tokenvault_data.widgets.cleanup.controller import CleanupDesk
from tokenvault_data.widgets.cleanup.page import CleanupControls, CleanupPage
from tokenvault_data.widgets.cleanup.rule_choice import as_choice
from tokenvault_data.widgets.cleanup.session import CleanupAccount, CleanupSession
from tokenvault_data.widgets.parts.layout import Panel, StaticView

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.cleanup.selection.rules import Rule
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.widgets.cleanup.stages import Stage


class CleanupPanel(Panel):
    """From a rule to the proof: simulation, sealed plan, approval, canary, the rest, the audit.

    Nothing is deleted unless somebody types the plan's phrase into the field `phrase` and presses
    `run`; the canary goes first, and for the rest the phrase is typed again. No argument takes its
    place. A campaign of the account that is open in the store is found again and shown.

    Parameters
    ----------
    snapshot : Snapshot
        What rules are counted on.
    rule : Rule, Predicate or mapping, optional
        The rule to begin with, or a choice as `state` gives it; expired for 180 days without one.
    vault : Vault, Profile or str, optional
        A client, which is not closed here, or a profile or the name of one. Without one the panel
        plans and proves, and sends nothing.
    store : path
        Where plans and campaigns are kept.
    limits : Limits or mapping, optional
        Guard rails of a new plan; those of `Limits` that a mapping does not name.
    plan : str, optional
        Id of a plan in the store that is to be shown.
    note, planner : str, optional
        What stands in these fields at first.
    limit_per_minute : int, optional
        The account's rate limit, to reckon the time with; what the account told without it.
    report_to, cards_to : path, optional
        Where the completion report and the table of cards are written; into the campaign's folder
        without it.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    config_dir : Path, optional
        Where locks and keys of approvers lie; the user's settings by default.

    Attributes
    ----------
    pick, choice, days, day, by, note, planner, phrase : ipywidgets controls
        The open plans, the rule, the breakdown, and what is typed.
    simulate, seal, reread, run, pause, abort, verify, audit, report : ipywidgets.Button
        ``run`` deletes: it is enabled while `phrase` holds the plan's phrase, and looks again when
        it is pressed.

    Raises
    ------
    UsageError
        A rule, a limit or a plan cannot be meant.

    Examples
    --------
    ::

        panel = CleanupPanel(snapshot, explorer.predicate, vault=vault)
        panel                                     # as the last line of a cell
        panel.simulate.click()                    # what a click does, for scripts
        panel.join()
    """

    def __init__(
        self,
        snapshot: Snapshot,
        rule: Rule | Predicate | Mapping[str, Any] | None = None,
        *,
        vault: Vault | Profile | str | None = None,
        store: str | os.PathLike[str] = "cleanup-data",
        limits: Limits | Mapping[str, Any] | None = None,
        plan: str | None = None,
        note: str | None = None,
        planner: str | None = None,
        limit_per_minute: int | None = None,
        report_to: str | os.PathLike[str] | None = None,
        cards_to: str | os.PathLike[str] | None = None,
        banks: BankNames | None = None,
        config_dir: Path | None = None,
    ) -> None:
        super().__init__("cleanup")
        choice = as_choice(rule)
        session = self._session = CleanupSession(
            snapshot,
            CleanupAccount(vault, snapshot),
            store=local_path(store),
            limits=_limits(limits),
            limit_per_minute=limit_per_minute,
            banks=banks,
            config_dir=config_dir,
        )
        session.search()
        if plan is None:
            session.open_what_was_begun()
        else:
            session.open(plan)
        controls = CleanupControls(choice, note or "", planner or "")
        self._page = CleanupPage(controls, session)
        self._desk = CleanupDesk(session, controls, self._page, choice, (report_to, cards_to))
        self.pick, self.by, self.phrase = controls.pick, controls.by, controls.phrase
        self.choice, self.days, self.day = controls.choice, controls.days, controls.day
        self.note, self.planner = controls.note, controls.planner
        buttons = controls.buttons
        self.simulate, self.seal = buttons["simulate"], buttons["seal"]
        self.reread, self.run = buttons["reread"], buttons["run"]
        self.pause, self.abort = buttons["pause"], buttons["abort"]
        self.verify, self.audit, self.report = (
            buttons[name] for name in ("verify", "audit", "report")
        )
        self.children = self._page.children

    @property
    def state(self) -> dict[str, Any]:
        """What was chosen; ``CleanupPanel(snapshot, vault=..., **state)`` shows the same again.

        The phrase is never part of it, and a rule that names customers or cards is left out.
        """
        session = self._session
        return {
            "rule": self._desk.choice().to_dict(),
            "limits": session.limits.to_dict(),
            "store": str(session.store),
            "plan": None if session.plan is None else session.plan.id,
            "note": self.note.value or None,
            "planner": self.planner.value or None,
        }

    @property
    def plan(self) -> Plan | None:
        """The sealed plan that is shown."""
        return self._session.plan

    @property
    def status(self) -> CampaignStatus | None:
        """Where its campaign stands."""
        return self._session.status

    @property
    def stage(self) -> Stage:
        """How far the cleanup is."""
        return self._desk.stage

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the panel has nothing on its way; say whether that came."""
        return self._desk.join(timeout_seconds)

    def part(self, number: int) -> StaticView:
        """Return what one step shows now, for viewers without a kernel."""
        return StaticView(self._page.static_step(number))

    def static_html(self) -> str:
        """Return all steps as they are now, as HTML without script and without ids."""
        return self._page.static_html()

    def close(self) -> None:
        """Take the panel away; a campaign that is at work goes on."""
        self._desk.watcher.stop()
        super().close()


def _limits(given: Limits | Mapping[str, Any] | None) -> Limits:
    if isinstance(given, Limits):
        return given
    return Limits.from_dict(Limits().to_dict() | dict(given or {}))
