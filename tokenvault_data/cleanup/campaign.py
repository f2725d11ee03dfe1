"""A campaign: one plan applied to one account, from the first request to the last proof.

Everything that could forbid it is decided before the first request and before the journal is made.
From then on the journal is the campaign: `apply` goes on from whatever it says.
"""

from __future__ import annotations

import getpass
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from tokenvault_data.cleanup.admission import (
    Account,
    refuse_unsafe,
    refuse_wrong_account,
    refuse_wrong_phrase,
)
from tokenvault_data.cleanup.approval import read_approvals, write_approval
from tokenvault_data.cleanup.approvers import load_approvers
from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.control_file import clear_word, leave_word, read_word
from tokenvault_data.cleanup.engine import Engine
from tokenvault_data.cleanup.journal import FILE_NAME, Journal, JournalHead
from tokenvault_data.cleanup.locking import only_campaign
from tokenvault_data.cleanup.plan import CAMPAIGNS_FOLDER, PLAN_NAME, Plan, read_plan, seal
from tokenvault_data.cleanup.records import Record, state
from tokenvault_data.cleanup.seal import seal_journal
from tokenvault_data.cleanup.states import ENDED
from tokenvault_data.cleanup.status import CampaignStatus, seconds_left, status_of
from tokenvault_data.cleanup.stored_status import has_closing_record, stored_status
from tokenvault_data.errors import (
    CampaignHalted,
    CampaignPaused,
    Locked,
    PlanDamaged,
    UsageError,
)
from tokenvault_data.private_files import config_directory

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from tokenvault_data.cleanup.approval import Approval
    from tokenvault_data.cleanup.visits import Checkpoint
    from tokenvault_data.vault_api.client import AsyncVault

_REPORT_EVERY_SECONDS: Final = 0.2
_ASK_EVERY_SECONDS: Final = 0.25


class Campaign:
    """One plan and what has become of it. Use `Campaign.open`.

    Attributes
    ----------
    plan : Plan
    folder : Path
        ``STORE/campaigns/<plan id>``.
    """

    def __init__(
        self, plan: Plan, folder: Path, vault: AsyncVault | None, clock: Clock, config: Path | None
    ) -> None:
        self.plan = plan
        self.folder = folder
        self._vault = vault
        self._clock = clock
        self._config = config
        self._engine: Engine | None = None
        self._wanted: Literal["pause", "abort"] | None = None
        self._asked_at = float("-inf")
        self._file_digest = ""
        self._report: Callable[[CampaignStatus], None] | None = None
        self._reported_at = float("-inf")
        self._journal: Journal | None = None
        self._began = (0, 0.0)

    @classmethod
    def open(
        cls,
        plan: Plan | str | os.PathLike[str],
        store: str | os.PathLike[str],
        vault: AsyncVault | None = None,
        *,
        clock: Clock | None = None,
        config_dir: Path | None = None,
    ) -> Campaign:
        """Open the campaign of a plan; nothing is written or sent.

        Parameters
        ----------
        plan : Plan or path
            Or where it lies: its file, or the folder of its campaign.
        store : path
            Where campaigns are kept.
        vault : AsyncVault, optional
            The account's client; without one the campaign can only be looked at, or asked to stop.
        clock : Clock, optional
        config_dir : Path, optional
            Where locks and the keys of approvers lie; the user's settings by default.

        Raises
        ------
        PlanDamaged
            The plan, or the copy of it in the store, is not the one that was sealed.
        UsageError
            It cannot be read.
        """
        opened = plan if isinstance(plan, Plan) else read_plan(plan)
        folder = Path(store) / CAMPAIGNS_FOLDER / opened.id
        if (folder / PLAN_NAME).exists() and read_plan(folder).digest != opened.digest:
            raise PlanDamaged(
                f"the plan in {folder} is another one than its folder says; nothing was sent. Take"
                " the plan from its planner again"
            )
        return cls(opened, folder, vault, clock or Clock(), config_dir)

    def status(self) -> CampaignStatus:
        """Say where the campaign stands, from its journal; it may be at work elsewhere.

        Raises
        ------
        CampaignHalted, CampaignPaused
            The journal is damaged, or cannot be read now.
        """
        return stored_status(self.folder / FILE_NAME, self.plan)

    def pause(self) -> None:
        """Ask the process that works on the campaign to pause; from any process or thread."""
        leave_word(self.folder, "pause")

    def interrupt(self) -> None:
        """Pause what this object is doing; to be called on its event loop."""
        self._wanted = self._wanted or "pause"
        if self._engine is not None:
            self._engine.pause("interrupted")

    async def apply(
        self,
        *,
        confirm: str,
        approvals: Sequence[Approval] = (),
        by: str | None = None,
        on_progress: Callable[[CampaignStatus], None] | None = None,
        checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> CampaignStatus:
        """Delete the planned cards, or go on with it; returns when held or over.

        The first time it stops after the canary, in state ``held``. Applied again, it goes on.

        Parameters
        ----------
        confirm : str
            The plan's phrase, see `Plan.phrase`. Nothing takes its place.
        approvals : sequence of Approval, optional
            Beside those in the campaign's folder.
        by : str, optional
            Who applies it; the user of the system by default.
        on_progress : callable, optional
            Gets a `CampaignStatus` at most five times a second.
        checkpoint : callable, optional
            Called with the name of each `visits.Checkpoint`; for trials.

        Returns
        -------
        CampaignStatus

        Raises
        ------
        RefusedByGuardRail
            It must not happen; nothing was sent and nothing written into a journal.
        CampaignPaused
            It stopped by request, or because of trouble a person has to look at; apply it again.
        CampaignHalted
            Something does not add up; it never goes on by itself.
        Locked
            Another cleanup of the account is at work.
        UsageError
            The plan cannot be read, or there is no client.
        """
        vault, account = self._connected()
        refuse_wrong_phrase(self.plan, confirm)
        refuse_wrong_account(self.plan, account)
        with only_campaign(account.environment, account.merchant, self._config):
            before = self.status()
            if before.is_over and self._is_closed():
                return self._sealed(before)
            if before.state == "halted":
                raise _halted(before.reason)
            given: list[Approval] = []
            if before.state != "aborted":
                given = self._refuse(account, approvals)
            seal(self.plan, self.folder.parent.parent)
            for approval in given:
                write_approval(approval, self.folder)  # the audit looks for them there
            with self._open_journal(by or getpass.getuser()) as journal:
                if before.state != "aborted":
                    self._enter(journal, given, confirm, by or getpass.getuser())
                status = await self._work(journal, vault, on_progress, checkpoint)
            return self._sealed(status)

    async def abort(
        self, *, on_progress: Callable[[CampaignStatus], None] | None = None
    ) -> CampaignStatus:
        """End the campaign for good: nothing more is deleted, what was attempted is verified.

        Where another process works on it, that one is asked to.

        Raises
        ------
        UsageError
            It never began, or there is no client.
        RefusedByGuardRail
            The client is of another account.
        CampaignPaused, CampaignHalted
            It was stopped before everything was verified; abort it again.
        """
        vault, account = self._connected()
        refuse_wrong_account(self.plan, account)
        if not (self.folder / FILE_NAME).exists():
            raise UsageError("this plan was never applied, so there is nothing to abort")
        try:
            with only_campaign(account.environment, account.merchant, self._config):
                if self.status().is_over and self._is_closed():
                    return self._sealed(self.status())
                with self._open_journal("") as journal:
                    now = journal.standing.state
                    if now not in ENDED:
                        journal.commit([state(now, "aborted", "somebody asked for it")])
                    status = await self._work(journal, vault, on_progress, None)
                return self._sealed(status)
        except Locked:
            leave_word(self.folder, "abort")
            return self.status()

    # What the engine asks; see `engine.Watcher`

    def asked_for(self) -> Literal["pause", "abort"] | None:
        """Say what somebody wants the campaign to do, here or by the control file."""
        now = time.monotonic()
        if self._wanted is None and now - self._asked_at >= _ASK_EVERY_SECONDS:
            self._asked_at = now
            self._wanted = read_word(self.folder)
        return self._wanted

    def check_plan(self) -> None:
        """Raise `PlanDamaged` unless the plan's file is byte for byte what it was."""
        if self._digest_of_file() != self._file_digest:
            raise PlanDamaged(
                "the plan's file was changed while it was applied; nothing more was sent. Find out"
                " who did, then abort this campaign"
            )

    def changed(self) -> None:
        """Tell whoever wants to know, at most five times a second."""
        now = time.monotonic()
        if self._report is None or self._journal is None:
            return
        if now - self._reported_at >= _REPORT_EVERY_SECONDS:
            self._reported_at = now
            self._report(self._status_now(self._journal))

    # Inside

    def _is_closed(self) -> bool:
        """Whether its last record was written: a process may die between that and the last item."""
        return has_closing_record(self.folder / FILE_NAME)

    def _sealed(self, status: CampaignStatus) -> CampaignStatus:
        """Seal the journal of a campaign that is over, once it is closed."""
        if status.is_over:
            seal_journal(self.folder)
        return status

    def _connected(self) -> tuple[AsyncVault, Account]:
        if self._vault is None:
            raise UsageError("a campaign needs a client of the vault to send anything; give one")
        profile = self._vault.profile
        share = self._vault.budget.share
        return self._vault, Account(profile.environment, profile.merchant_digest, share)

    def _refuse(self, account: Account, given: Sequence[Approval]) -> list[Approval]:
        beside = read_approvals(self.folder) if self.folder.is_dir() else []
        approvals = list(dict.fromkeys([*given, *beside]))
        trusted = load_approvers(self._config or config_directory())
        refuse_unsafe(self.plan, account, approvals, trusted, self._clock.now())
        return approvals

    def _open_journal(self, by: str) -> Journal:
        plan = self.plan
        head = JournalHead(
            plan.id, plan.digest, plan.environment, plan.merchant, len(plan.cards), by
        )
        return Journal.open(self.folder / FILE_NAME, head, clock=self._clock.now)

    def _enter(self, journal: Journal, approvals: Sequence[Approval], phrase: str, by: str) -> None:
        standing = journal.standing
        records = [
            Record(
                "approved",
                None,
                {
                    "approver": one.approver,
                    "fingerprint": one.fingerprint,
                    "approved_at": one.approved_at,
                },
            )
            for one in approvals
            if (one.fingerprint, one.approved_at) not in standing.approvals
        ]
        now = standing.state
        if now == "sealed" and records:
            records.append(state(now, "approved", None))
            now = "approved"
        records.append(Record("confirmed", None, {"phrase": phrase, "by": by}))
        if now in ("sealed", "approved"):
            records.append(state(now, "canary", None))
        elif now == "held":
            records.append(state(now, "running", f"{by} looked at the canary"))
        elif now == "paused":
            after = "running" if standing.is_released else "canary"
            records.append(state(now, after, f"{by} applied it again"))
        journal.commit(records)

    async def _work(
        self,
        journal: Journal,
        vault: AsyncVault,
        report: Callable[[CampaignStatus], None] | None,
        checkpoint: Callable[[Checkpoint], None] | None,
    ) -> CampaignStatus:
        more: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
        self._file_digest = self._digest_of_file()
        self._journal, self._report = journal, report
        self._began = (journal.standing.states["final"], time.monotonic())
        if read_word(self.folder) == "pause":
            clear_word(self.folder)  # whoever applies it again has decided otherwise
        self._engine = Engine(
            self.plan,
            journal,
            vault,
            self,
            api_version=vault.profile.api_version,
            clock=self._clock,
            **more,
        )
        try:
            await self._engine.run()
        finally:
            self._engine, self._wanted = None, None
            clear_word(self.folder)
        status = status_of(self.plan.id, journal.standing)
        if report is not None:
            report(status)
        if status.state == "halted":
            raise _halted(status.reason)
        if status.state == "paused" or (status.state == "aborted" and not status.is_over):
            raise CampaignPaused(
                f"the campaign is paused: {status.reason}. {status.done:,} of"
                f" {status.planned:,} cards are done; apply the plan again to go on"
            )
        return status

    def _status_now(self, journal: Journal) -> CampaignStatus:
        done, began = self._began
        left = seconds_left(journal.standing, done, time.monotonic() - began)
        return status_of(self.plan.id, journal.standing, seconds_left=left)

    def _digest_of_file(self) -> str:
        try:
            with (self.folder / PLAN_NAME).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PlanDamaged(
                f"the plan's file cannot be read any more ({error.strerror}); nothing more was"
                " sent. Restore it, then abort this campaign"
            ) from error


def _halted(reason: str | None) -> CampaignHalted:
    return CampaignHalted(
        f"the campaign is halted: {reason}. Nothing more was sent, and it does not go on. Run the"
        " audit, find the cause, then abort the campaign, which settles what was attempted"
    )
