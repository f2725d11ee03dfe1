"""A campaign: one plan applied to one account, from the first request to the last proof.

Everything that could forbid it is decided before the first request and before the journal is made.
From then on the journal is the campaign: `apply` goes on from whatever it says, if the account's
ledger remembers the same.
"""

from __future__ import annotations

import getpass
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from tokenvault_data.cleanup.approval.approvals import (
    ApprovalState,
    approval_states,
    read_approvals,
    write_approval,
)
from tokenvault_data.cleanup.approval.approvers import load_trust, phrase_for
from tokenvault_data.cleanup.approval.revocation import read_revocations
from tokenvault_data.cleanup.audit.seal import SEAL_NAME, seal_journal
from tokenvault_data.cleanup.campaign.campaign_run import CampaignRun, halted
from tokenvault_data.cleanup.campaign.locking import (
    at_work_elsewhere,
    is_campaign_at_work,
    is_folder_at_work,
    only_campaign,
    only_in_folder,
)
from tokenvault_data.cleanup.campaign.preflight import (
    Account,
    refuse_unsafe,
    refuse_wrong_account,
    refuse_wrong_phrase,
)
from tokenvault_data.cleanup.campaign.recovery import (
    begin_memory,
    catch_up,
    not_the_same,
    opened_for_recovery,
    problem_of,
    problem_of_journal,
    vouch_for,
    write_recovery,
)
from tokenvault_data.cleanup.campaign.status import (
    CampaignStatus,
    has_closing_record,
    stored_canary,
    stored_status,
)
from tokenvault_data.cleanup.campaign.stop_request import request_stop
from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.engine.memory import Memory
from tokenvault_data.cleanup.journal.journal import FILE_NAME, Journal, JournalHead
from tokenvault_data.cleanup.journal.records import Record, state
from tokenvault_data.cleanup.journal.states import ENDED
from tokenvault_data.cleanup.ledger.ledger import DayUse, Ledger
from tokenvault_data.cleanup.ledger.machine import machine_id
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.plan.plan_file import CAMPAIGNS_FOLDER, PLAN_NAME, read_plan, seal_plan
from tokenvault_data.cleanup.plan.snapshot import check_against_snapshot
from tokenvault_data.cleanup.selection.holds import Holds, keep_given, load_holds, missing
from tokenvault_data.errors import (
    Locked,
    PlanDamaged,
    RefusedByGuardRail,
    TokenVaultError,
    UsageError,
)
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvals import Approval
    from tokenvault_data.cleanup.approval.approvers import Trust
    from tokenvault_data.cleanup.engine.card_worker import Checkpoint
    from tokenvault_data.cleanup.selection.cards import PlannedCard
    from tokenvault_data.client.client import AsyncVault


class Preflight(NamedTuple):
    """What is known before anybody confirms that a plan is applied.

    Attributes
    ----------
    phrase : str
        What has to be typed.
    trust : {'system', 'self'}
        Who decides whose approvals count: the administrator, or this user.
    approvals : tuple of ApprovalState
    today : DayUse
        What was sent for the account in the last 24 hours.
    """

    phrase: str
    trust: Literal["system", "self"]
    approvals: tuple[ApprovalState, ...]
    today: DayUse


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
        self._run: CampaignRun | None = None
        self._is_interrupted = False

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
        folder = local_path(store) / CAMPAIGNS_FOLDER / opened.id
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

    def canary(self) -> list[tuple[PlannedCard, str, str | None]]:
        """Return the cards that come first, how each ended (or its state), and why."""
        found = stored_canary(self.folder / FILE_NAME, self.plan)
        return [(self.plan.cards[number], how, why) for number, how, why in found]

    def approvals(self) -> list[ApprovalState]:
        """Return who has approved the plan, and whether each approval counts now."""
        if not self.folder.is_dir():
            return []
        return approval_states(self.plan, self.folder, self._trust(), now=self._clock.now())

    def memory_problem(self) -> str | None:
        """Say why the campaign's folder is not the one that the account's ledger remembers."""
        return problem_of(self.folder, self.plan, self._read_ledger())

    def is_at_work(self) -> bool:
        """Say whether some process works on the campaign now."""
        return is_folder_at_work(self.folder)

    def pause(self) -> None:
        """Ask the process that works on the campaign to pause; from any process or thread."""
        request_stop(self.folder, "pause")

    def interrupt(self) -> None:
        """Pause what this object is doing; to be called on its event loop."""
        self._is_interrupted = True
        if self._run is not None:
            self._run.interrupt()

    def preflight(
        self, *, approvals: Sequence[Approval] = (), holds: Sequence[Path] = ()
    ) -> Preflight:
        """Check everything that could forbid to apply the plan now; nothing is written or sent.

        Parameters are those of `apply`.

        Raises
        ------
        RefusedByGuardRail, UsageError, PlanDamaged
            It must not happen.
        CampaignHalted
            Its journal is not the one that the account's ledger remembers.
        Locked
            Another process works on this campaign.
        """
        _, account = self._connected()
        refuse_wrong_account(self.plan, account)
        if is_campaign_at_work(account.environment, account.merchant, self._config):
            raise at_work_elsewhere(account.environment, account.merchant, self._config)
        with self._alone_if_begun():
            trust = self._trust()
            ledger = self._read_ledger()
            problem = problem_of(self.folder, self.plan, ledger)
            if problem is not None:
                raise not_the_same(problem, self.plan)
            now = self.status()
            if now.state == "halted":
                raise halted(now.reason)
            if now.state != "aborted":
                self._refuse(account, approvals, trust, holds)
        today = ledger.use(None if account.environment == "emulator" else "")
        return Preflight(phrase_for(self.plan, trust), trust.source, tuple(self.approvals()), today)

    async def apply(
        self,
        *,
        confirm: str,
        approvals: Sequence[Approval] = (),
        holds: Sequence[Path] = (),
        by: str | None = None,
        on_progress: Callable[[CampaignStatus], None] | None = None,
        checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> CampaignStatus:
        """Delete the planned cards, or go on with it; returns when held or over.

        The first time it stops after the canary, in state ``held``. Applied again, it goes on.

        Parameters
        ----------
        confirm : str
            The plan's phrase, see `preflight`. Nothing takes its place.
        approvals : sequence of Approval, optional
            Beside those in the campaign's folder.
        holds : sequence of Path, optional
            Lists of cards never to be deleted, beside those of the store and of the system; a copy
            is kept with the campaign, which has it in force to its end.
        by : str, optional
            Who applies it; the user of the system by default.
        on_progress : callable, optional
            Gets a `CampaignStatus` at most five times a second.
        checkpoint : callable, optional
            Called with the name of each `card_worker.Checkpoint`; for trials.

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
            Another cleanup of the account, or another process with this campaign, is at work.
        UsageError
            The plan cannot be read, or there is no client.
        """
        vault, account = self._connected()
        trust = self._trust()
        refuse_wrong_phrase(phrase_for(self.plan, trust), confirm)
        refuse_wrong_account(self.plan, account)
        by = by or getpass.getuser()
        with self._alone(account):
            before = self.status()
            if before.is_over and self._is_closed():
                return self._sealed(before)
            if before.state == "halted":
                raise halted(before.reason)
            given: list[Approval] = []
            if before.state != "aborted":
                given = self._refuse(account, approvals, trust, holds)
                keep_given(holds, self.folder)
            with self._memory() as ledger:
                for approval in given:
                    write_approval(approval, self.folder)  # the audit looks for them there
                with self._open_journal(by, ledger) as journal:
                    if journal.standing.is_recovered:
                        raise RefusedByGuardRail(
                            "the campaign was recovered and deletes nothing any more; run"
                            " `tokenvault cleanup recover PLAN` again to finish it"
                        )
                    if before.state != "aborted":
                        self._enter(journal, given, confirm, by, trust)
                    memory = self._memory_of(ledger, None if before.state == "aborted" else holds)
                    status = await self._work(journal, vault, memory, on_progress, checkpoint)
            return self._sealed(status)

    def finish(self) -> bool:
        """Write what a process that died left out at the very end: the ledger's mark, the seal.

        Nothing is sent. Says whether the campaign is closed now: one whose last record is missing
        has to be applied, or aborted, once more.

        Raises
        ------
        TokenVaultError
            There is no seal yet, and it cannot be written now.
        """
        status = self.status()
        if not status.is_over or not self._is_closed():
            return False
        try:
            with only_in_folder(self.folder):
                self._sealed(status)
        except TokenVaultError:
            if not (self.folder / SEAL_NAME).exists():
                raise  # what is sealed already may lie where nothing can be written
        return True

    async def abort(
        self, *, on_progress: Callable[[CampaignStatus], None] | None = None
    ) -> CampaignStatus:
        """End the campaign for good: nothing more is deleted, what was attempted is verified.

        Where another process works on it, that one is asked to.

        Raises
        ------
        UsageError
            Its plan is not in the store, or there is no client.
        RefusedByGuardRail
            The client is of another account.
        CampaignPaused, CampaignHalted
            It was stopped before everything was verified; abort it again. Or its journal is not the
            one that the account's ledger remembers.
        Locked
            Another campaign of the account is at work; abort this one when that has ended.
        """
        vault, account = self._connected()
        refuse_wrong_account(self.plan, account)
        if not (self.folder / PLAN_NAME).exists() and not self._was_begun():
            raise UsageError(
                "this plan is not in the store and was never applied; nothing was done"
            )
        try:
            with self._alone(account):
                if self.status().is_over and self._is_closed():
                    return self._sealed(self.status())
                with self._memory() as ledger, self._open_journal("", ledger) as journal:
                    now = journal.standing.state
                    if now not in ENDED:
                        journal.commit([state(now, "aborted", "somebody asked for it")])
                    memory = self._memory_of(ledger, None)
                    status = await self._work(journal, vault, memory, on_progress, None)
                return self._sealed(status)
        except Locked:
            if not self.is_at_work():
                raise  # it is another campaign of the account, which would not read the word
            request_stop(self.folder, "abort")
            return self.status()

    async def recover(
        self,
        *,
        by: str | None = None,
        on_progress: Callable[[CampaignStatus], None] | None = None,
    ) -> CampaignStatus:
        """Find out by reading alone what has become of the cards, and end the campaign.

        For a campaign that is halted, whose journal is damaged, lost or an older copy, or that was
        begun on another machine. Nothing is deleted, now or later: make a new plan for what is
        left.

        Parameters
        ----------
        by : str, optional
            Who does it; the user of the system by default.
        on_progress : callable, optional
            As of `apply`.

        Raises
        ------
        UsageError
            Nothing is wrong with it, it never began, or there is no client.
        RefusedByGuardRail
            The client is of another account.
        CampaignPaused
            It was stopped before everything was read; recover it again.
        Locked
            As of `apply`.
        """
        vault, account = self._connected()
        refuse_wrong_account(self.plan, account)
        by = by or getpass.getuser()
        if not (self.folder / FILE_NAME).exists() and not self._was_begun():
            raise UsageError("this plan was never applied, so there is nothing to recover")
        with self._alone(account):
            with self._ledger() as ledger:
                journal, problem = opened_for_recovery(
                    self.folder, self.plan, self._head(by), ledger, self._clock.now
                )
                with journal:
                    now = journal.standing.state
                    if problem is not None and now in ENDED:
                        raise UsageError(
                            f"the campaign has ended, and {problem}; nothing was sent. `tokenvault"
                            " cleanup verify` asks the vault about its cards once more"
                        )
                    if problem is None and now in ENDED and journal.standing.is_sealed:
                        raise UsageError("the campaign is over, so there is nothing to recover")
                    if problem is None and not journal.standing.is_recovered:
                        raise UsageError(
                            "nothing is wrong with this campaign's memory, so there is nothing to"
                            " recover; apply it to go on, or abort it"
                        )
                    if problem is not None:
                        write_recovery(
                            journal, self.plan, ledger, self.folder, problem=problem, by=by
                        )
                    elif now == "paused":
                        journal.commit([state(now, "verifying", f"{by} recovered it again")])
                    status = await self._work(
                        journal, vault, self._memory_of(ledger, None), on_progress, None
                    )
            return self._sealed(status)

    def _is_closed(self) -> bool:
        """Whether its last record was written: a process may die between that and the last item."""
        return has_closing_record(self.folder / FILE_NAME)

    def _sealed(self, status: CampaignStatus) -> CampaignStatus:
        """Seal the journal of a campaign that is over, and let the ledger vouch for all of it."""
        if status.is_over:
            with self._ledger() as ledger:
                vouch_for(self.folder, self.plan, ledger)
            seal_journal(self.folder)
        return status

    def _connected(self) -> tuple[AsyncVault, Account]:
        if self._vault is None:
            raise UsageError("a campaign needs a client of the vault to send anything; give one")
        profile = self._vault.profile
        share = self._vault.budget.share
        return self._vault, Account(profile.environment, profile.merchant_digest, share)

    def _trust(self) -> Trust:
        return load_trust(self._config)

    def _was_begun(self) -> bool:
        return self._read_ledger().mark(self.plan.id) is not None

    def _read_ledger(self) -> Ledger:
        plan = self.plan
        return Ledger.read(
            plan.environment,
            self._merchant(),
            store=self._store,
            config_dir=self._config,
            clock=self._clock,
        )

    def _ledger(self) -> Ledger:
        plan = self.plan
        return Ledger.open(
            plan.environment,
            self._merchant(),
            store=self._store,
            config_dir=self._config,
            clock=self._clock,
        )

    def _merchant(self) -> str | None:
        """Return whose account it is; of a snapshot that did not say, the client's."""
        if self.plan.merchant is None and self._vault is not None:
            return self._vault.profile.merchant_digest
        return self.plan.merchant

    @property
    def _store(self) -> Path:
        return self.folder.parent.parent

    @contextmanager
    def _memory(self) -> Iterator[Ledger]:
        """Open the ledger, and make sure that the campaign's folder is the one it remembers."""
        with self._ledger() as ledger:
            problem = problem_of(self.folder, self.plan, ledger)
            if problem is not None:
                raise not_the_same(problem, self.plan)
            begin_memory(self.folder, self.plan, ledger)
            yield ledger

    def _memory_of(self, ledger: Ledger, holds: Sequence[Path] | None) -> Memory:
        """Give the campaign its memory; without hold lists where nothing is deleted any more."""

        def load() -> Holds:
            return Holds() if holds is None else self._holds_in_force(holds)

        return Memory(ledger, load, self._default_instance())

    def _holds_in_force(self, files: Sequence[Path]) -> Holds:
        """Read the hold lists; raise where one of the time of planning is missing."""
        found = self._holds(files)
        gone = missing(self.plan.holds, found)
        if gone:
            raise RefusedByGuardRail(
                f"the hold list {gone[0]} was in force when the plan was made and is missing now;"
                " nothing was sent. Put it back, name it with --hold, or make a new plan"
            )
        return found

    def _holds(self, files: Sequence[Path]) -> Holds:
        return load_holds(self._store, folder=self.folder, files=files)

    @contextmanager
    def _alone(self, account: Account) -> Iterator[None]:
        """Hold the lock of the account, and of the campaign's folder, which it makes."""
        with ExitStack() as locks:
            whose = (account.environment, account.merchant, self._config)
            locks.enter_context(only_campaign(*whose, plan_id=self.plan.id))
            if not self.folder.is_dir():
                seal_plan(self.plan, self._store)
            locks.enter_context(only_in_folder(self.folder))
            if not (self.folder / PLAN_NAME).exists():
                seal_plan(self.plan, self._store)
            yield

    @contextmanager
    def _alone_if_begun(self) -> Iterator[None]:
        with ExitStack() as locks:
            if self.folder.is_dir():
                locks.enter_context(only_in_folder(self.folder))
            yield

    def _refuse(
        self, account: Account, given: Sequence[Approval], trust: Trust, holds: Sequence[Path]
    ) -> list[Approval]:
        is_there = self.folder.is_dir()
        beside = read_approvals(self.folder) if is_there else []
        approvals = list(dict.fromkeys([*given, *beside]))
        revocations = read_revocations(self.folder) if is_there else []
        check_against_snapshot(self.plan, self._store)
        refuse_unsafe(
            self.plan, account, approvals, trust.approvers, self._clock.now(), revocations
        )
        self._holds_in_force(holds)
        return approvals

    def _head(self, by: str) -> JournalHead:
        plan = self.plan
        return JournalHead(
            plan.id,
            plan.digest,
            plan.environment,
            plan.merchant,
            len(plan.cards),
            by,
            machine_id(),
        )

    def _open_journal(self, by: str, ledger: Ledger) -> Journal:
        journal = Journal.open(self.folder / FILE_NAME, self._head(by), clock=self._clock.now)
        problem = problem_of_journal(journal, self.plan, ledger)
        if problem is not None:
            journal.close()
            raise not_the_same(problem, self.plan)
        catch_up(journal, self.plan, ledger, self._default_instance())
        return journal

    def _default_instance(self) -> str:
        """Return by what an emulator is told from others where it does not say which one it is."""
        profile = None if self._vault is None else self._vault.profile
        is_emulator = profile is not None and profile.environment == "emulator"
        return profile.base_url if profile is not None and is_emulator else ""

    def _enter(
        self,
        journal: Journal,
        approvals: Sequence[Approval],
        phrase: str,
        by: str,
        trust: Trust,
    ) -> None:
        standing = journal.standing
        records = [
            Record(
                "approved",
                None,
                {
                    "approver": one.approver,
                    "fingerprint": one.fingerprint,
                    "approved_at": one.approved_at,
                    "trust": trust.source,
                },
            )
            for one in approvals
            if (one.fingerprint, one.approved_at) not in standing.approvals
        ]
        now = standing.state
        if now == "sealed" and records:
            records.append(state(now, "approved", None))
            now = "approved"
        trusted_by = trust.source if approvals else "none"
        records.append(Record("confirmed", None, {"phrase": phrase, "by": by, "trust": trusted_by}))
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
        memory: Memory,
        report: Callable[[CampaignStatus], None] | None,
        checkpoint: Callable[[Checkpoint], None] | None,
    ) -> CampaignStatus:
        self._run = CampaignRun(
            self.plan,
            self.folder,
            journal,
            vault,
            memory=memory,
            clock=self._clock,
            config_dir=self._config,
            on_progress=report,
            checkpoint=checkpoint,
        )
        try:
            if self._is_interrupted:
                self._run.interrupt()
            return await self._run.work()
        finally:
            self._run, self._is_interrupted = None, False
