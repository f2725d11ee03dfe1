"""One process's run of a campaign: the engine, what it asks of the world, and what it tells."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from tokenvault_data.cleanup.approval.approvals import check_approvals, read_approvals
from tokenvault_data.cleanup.approval.approvers import load_trust
from tokenvault_data.cleanup.approval.revocation import read_revocations
from tokenvault_data.cleanup.campaign.status import (
    CampaignStatus,
    cards_met,
    seconds_left,
    status_of,
)
from tokenvault_data.cleanup.campaign.stop_request import clear_stop_request, read_stop_request
from tokenvault_data.cleanup.engine.engine import Engine
from tokenvault_data.cleanup.plan.plan_file import PLAN_NAME
from tokenvault_data.client.pacing.learned_rate import LearnedRate
from tokenvault_data.errors import CampaignHalted, CampaignPaused, PlanDamaged, TokenVaultError
from tokenvault_data.text import utc_minute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenvault_data.cleanup.clock import Clock
    from tokenvault_data.cleanup.engine.card_worker import Checkpoint
    from tokenvault_data.cleanup.engine.memory import Memory
    from tokenvault_data.cleanup.journal.journal import Journal
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.client.client import AsyncVault

_REPORT_EVERY_SECONDS: Final = 0.2
_ASK_EVERY_SECONDS: Final = 0.25
_LOOK_EVERY_SECONDS: Final = 2.0


class CampaignRun:
    """The engine at work on a campaign, and its `engine.EngineMonitor`.

    Parameters
    ----------
    plan : Plan
    folder : Path
        The campaign's, whose locks the caller holds.
    journal : Journal
        Open; the campaign in a state in which the engine works.
    vault : AsyncVault
    memory : Memory
    clock : Clock
    config_dir : Path, optional
        Where the keys of approvers lie; the user's settings by default.
    on_progress : callable, optional
        Gets a `CampaignStatus` at most five times a second.
    checkpoint : callable, optional
        Called with the name of each `card_worker.Checkpoint`; for trials.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        journal: Journal,
        vault: AsyncVault,
        *,
        memory: Memory,
        clock: Clock,
        config_dir: Path | None = None,
        on_progress: Callable[[CampaignStatus], None] | None = None,
        checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._journal = journal
        self._memory = memory
        self._clock = clock
        self._config_dir = config_dir
        self._report = on_progress
        self._file_digest = self._digest_of_file()
        self._met_before, self._began_at = cards_met(journal.standing), time.monotonic()
        self._wanted: Literal["pause", "abort"] | None = None
        self._asked_at = self._looked_at = self._reported_at = float("-inf")
        self._forbidden: str | None = None
        self._waits_until: float | None = None
        self._rate = LearnedRate(folder, vault)
        more: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
        self._engine = Engine(
            plan,
            journal,
            vault,
            self,
            memory=memory,
            api_version=vault.profile.api_version,
            clock=clock,
            **more,
        )

    async def work(self) -> CampaignStatus:
        """Work until the campaign is held or over.

        Raises
        ------
        CampaignPaused, CampaignHalted
            It stopped before that.
        """
        if read_stop_request(self._folder) == "pause":
            clear_stop_request(self._folder)  # whoever applies it again has decided otherwise
        try:
            await self._engine.run()
        finally:
            self._rate.keep()
            clear_stop_request(self._folder)
        with suppress(CampaignPaused):  # the campaign is what it is, though the disk is full
            self._memory.close(self._plan, self._journal.mark)
        status = status_of(self._plan.id, self._journal.standing)
        if self._report is not None:
            self._report(status)
        if status.state == "halted":
            raise halted(status.reason)
        if status.state == "paused" or (status.state == "aborted" and not status.is_over):
            again = "recover it" if status.is_recovered else "apply the plan"
            raise CampaignPaused(
                f"the campaign is paused: {status.reason}. {status.done:,} of"
                f" {status.planned:,} cards are done, and {status.waiting:,} wait to be seen gone;"
                f" {again} again to go on"
            )
        return status

    def interrupt(self) -> None:
        """Pause it; to be called on its event loop."""
        self._wanted = self._wanted or "pause"
        self._engine.pause("interrupted")

    def asked_for(self) -> Literal["pause", "abort"] | None:
        """Say what somebody wants the campaign to do, here or by the control file."""
        now = time.monotonic()
        if self._wanted is None and now - self._asked_at >= _ASK_EVERY_SECONDS:
            self._asked_at = now
            self._wanted = read_stop_request(self._folder)
        return self._wanted

    def check_plan(self) -> None:
        """Raise `PlanDamaged` unless the plan's file is byte for byte what it was."""
        if self._digest_of_file() != self._file_digest:
            raise PlanDamaged(
                "the plan's file was changed while it was applied; nothing more was sent. Find out"
                " who did, then abort this campaign"
            )

    def may_go_on(self) -> str | None:
        """Say why nothing more may be deleted now: asked of the files every two seconds."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_EVERY_SECONDS:
            self._looked_at = now
            self._forbidden = self._forbidden_now()
            self._rate.keep_if_old()
        return self._forbidden

    def waits_for_caps(self, seconds: float) -> None:
        """Take note until when a card waits for the account's daily caps."""
        until = self._clock.now().timestamp() + seconds
        if self._waits_until is None or until < self._waits_until:
            self._waits_until = until

    def changed(self) -> None:
        """Tell whoever wants to know, at most five times a second."""
        now = time.monotonic()
        if self._report is not None and now - self._reported_at >= _REPORT_EVERY_SECONDS:
            self._reported_at = now
            self._report(self._status_now())

    def _forbidden_now(self) -> str | None:
        plan, now = self._plan, self._clock.now()
        if now >= datetime.fromisoformat(plan.expires_at):
            return f"the plan was good until {utc_minute(plan.expires_at)}"
        try:
            refusal = check_approvals(
                plan,
                read_approvals(self._folder),
                load_trust(self._config_dir).approvers,
                now=now,
                revocations=read_revocations(self._folder),
            )
        except TokenVaultError as error:
            return str(error)
        return None if refusal is None else str(refusal).partition("; nothing was")[0]

    def _status_now(self) -> CampaignStatus:
        standing, passed = self._journal.standing, time.monotonic() - self._began_at
        left = seconds_left(standing, self._met_before, passed, self._plan.limits.settle_seconds)
        if self._waits_until is not None and self._waits_until <= self._clock.now().timestamp():
            self._waits_until = None
        return status_of(self._plan.id, standing, seconds_left=left, waits_until=self._waits_until)

    def _digest_of_file(self) -> str:
        try:
            with (self._folder / PLAN_NAME).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PlanDamaged(
                f"the plan's file cannot be read any more ({error.strerror}); nothing more was"
                " sent. Restore it, then abort this campaign"
            ) from error


def halted(reason: str | None) -> CampaignHalted:
    """Return what whoever works on a halted campaign is told."""
    return CampaignHalted(
        f"the campaign is halted: {reason}. Nothing more was sent, and it does not go on. Run the"
        " audit, find the cause, then abort the campaign, which settles what was attempted"
    )
