"""One operator's way from a rule to the proof: what is known so far, and the calls that add to it.

No widget is known here. The calls are those of the command line, in the same order.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tokenvault_data.cleanup.approval.approvers import load_trust
from tokenvault_data.cleanup.audit.audit import AuditResult, audit_cleanup
from tokenvault_data.cleanup.campaign.applying import abort_cleanup, apply_cleanup
from tokenvault_data.cleanup.campaign.locking import is_campaign_at_work
from tokenvault_data.cleanup.campaign.preflight import Account
from tokenvault_data.cleanup.campaign.status import stored_status
from tokenvault_data.cleanup.campaign.stop_request import (
    clear_stop_request,
    read_stop_request,
    request_stop,
)
from tokenvault_data.cleanup.campaign.verification import VerificationResult, verify_cleanup
from tokenvault_data.cleanup.journal.journal import FILE_NAME as JOURNAL_NAME
from tokenvault_data.cleanup.ledger.day_room import DayRoom, day_room
from tokenvault_data.cleanup.plan.plan_file import CAMPAIGNS_FOLDER, read_plan, seal_plan
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.plan.simulation import Simulation, simulate_cleanup
from tokenvault_data.cleanup.plan.snapshot import check_against_snapshot
from tokenvault_data.cleanup.report.report import report_cleanup
from tokenvault_data.cleanup.selection.holds import load_holds
from tokenvault_data.client.blocking import Vault
from tokenvault_data.config.loading import Profile, load_profile
from tokenvault_data.errors import TokenVaultError, UsageError
from tokenvault_data.widgets.cleanup.stages import Stage, StageFacts, stage_of
from tokenvault_data.widgets.cleanup.store import (
    Approvals,
    OpenCampaign,
    approvals_of,
    open_campaigns,
    refusal_of,
)
from tokenvault_data.widgets.parts.layout import in_a_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.campaign.stop_request import StopRequest
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.cleanup.selection.limits import Limits
    from tokenvault_data.cleanup.selection.rules import Rule
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.widgets.cleanup.rule_choice import RuleChoice


class CleanupAccount:
    """Where requests go, if anywhere.

    Parameters
    ----------
    vault : Vault, Profile or str, optional
        A client, which stays open; or a profile, or the name of one, with which a client is made
        for each job. Without one nothing can be sent.
    snapshot : Snapshot
        Says which account it is where nothing else does.

    Attributes
    ----------
    is_connected : bool
        Whether requests can be sent.
    environment : str
    merchant : str or None
        `Profile.merchant_digest`.

    Raises
    ------
    ProfileError
        Credentials or environment are missing, unsafe or contradictory.
    """

    def __init__(self, vault: Vault | Profile | str | None, snapshot: Snapshot) -> None:
        self._vault = vault if isinstance(vault, Vault) else None
        self._profile: Profile | None = None
        if vault is not None:
            named = load_profile(vault) if isinstance(vault, str) else vault
            self._profile = named.profile if isinstance(named, Vault) else named
        self.is_connected = self._profile is not None
        manifest = snapshot.manifest
        known = self._profile
        self.environment: str = known.environment if known else manifest.environment
        self.merchant: str | None = known.merchant_digest if known else manifest.merchant

    @property
    def limit_per_minute(self) -> int | None:
        """The account's rate limit as last told, None while it is not known."""
        try:
            return None if self._vault is None else self._vault.budget.limit_per_minute
        except UsageError:  # closed; whoever wants to send something is told
            return None

    def admitted(self, share: float) -> Account | None:
        """Return the account as a plan is held against it; None without one, or once closed.

        Parameters
        ----------
        share : float
            Part of the rate limit that a client of ours would take.
        """
        if self._profile is None:
            return None
        if self._vault is not None:
            try:
                share = self._vault.budget.share
            except UsageError:
                return None
        return Account(self._profile.environment, self._profile.merchant_digest, share)

    @contextmanager
    def client(self, share: float) -> Iterator[Vault]:
        """Give a client for one job.

        Raises
        ------
        UsageError
            There is no account to send to.
        """
        if self._vault is not None:
            yield self._vault
        elif self._profile is not None:
            with Vault(self._profile, share_at_most=share) as made:
                yield made
        else:
            raise UsageError("No vault was given, so nothing was sent; make the panel with one.")


_AT_WORK = frozenset({"canary", "running", "verifying"})


class CleanupSession:
    """What is known of one cleanup.

    Parameters
    ----------
    snapshot : Snapshot
    account : CleanupAccount
    store : Path
    limits : Limits
    limit_per_minute : int or None
        The account's rate limit, to reckon the time with; as last told by the account without it.
    banks : BankNames or None
    config_dir : Path or None
        Where locks and keys of approvers lie; the user's settings by default.

    Attributes
    ----------
    simulation : Simulation or None
        Of `rule`.
    room : DayRoom or None
        What was left of the caps per day when it was made.
    rule : Rule or None
        Of the simulation, or of the plan.
    plan : Plan or None
        Sealed and in the store.
    customers : int
        Who have the plan's cards.
    status, approvals, refusal, is_elsewhere
        Of the plan, as `refresh` found them; see `StageFacts`.
    verification, proof, files
        What looking again, the audit, and writing the report have come to.
    found, unreadable
        See `open_campaigns`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        account: CleanupAccount,
        *,
        store: Path,
        limits: Limits,
        limit_per_minute: int | None = None,
        banks: BankNames | None = None,
        config_dir: Path | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.account = account
        self.store = store
        self.limits = limits
        self._limit_per_minute = limit_per_minute
        self._banks = banks
        self._config_dir = config_dir
        self._as_of: Any = None
        self.is_elsewhere = False
        self.found: list[OpenCampaign] = []
        self.unreadable = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew with a rule; a plan that was sealed stays in the store."""
        self.simulation: Simulation | None = None
        self.room: DayRoom | None = None
        self.rule: Rule | None = None
        self.plan: Plan | None = None
        self.customers = 0
        self._untrue: str | None = None
        self.status: CampaignStatus | None = None
        self.approvals = Approvals(is_needed=False)
        self.refusal: str | None = None
        self.verification: VerificationResult | None = None
        self.proof: AuditResult | None = None
        self.files: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """Folder of the plan's campaign.

        Raises
        ------
        UsageError
            There is no plan yet.
        """
        if self.plan is None:
            raise UsageError("There is no plan yet; nothing was done; seal one first.")
        return self.store / CAMPAIGNS_FOLDER / self.plan.id

    def facts(self, *, typed: str = "", busy: str | None = None) -> StageFacts:
        """Return what decisions are made from."""
        found = self.simulation
        return StageFacts(
            plan=self.plan,
            status=self.status,
            has_simulation=found is not None,
            may_seal=found is not None and bool(found.cards) and not found.violations,
            busy=busy,
            is_elsewhere=self.is_elsewhere,
            refusal=self.refusal,
            is_connected=self.account.is_connected,
            phrase=self.approvals.phrase,
            typed=typed,
        )

    def search(self) -> None:
        """Look for what is open in the store."""
        account = self.account
        self.found, self.unreadable = open_campaigns(
            self.store, account.environment, account.merchant
        )

    def open_what_was_begun(self) -> None:
        """Show the campaign that an operator has to know of first, if one is open."""
        begun = [one.plan.id for one in self.found if one.is_begun]
        try:
            if begun:
                self.open(begun[0])
            else:
                self.refresh()
        except TokenVaultError:  # such as a journal that was busy: it stays in the list
            self.forget()

    def refresh(self) -> None:
        """Read anew where the plan's campaign stands, who approved it and who is at work."""
        account = self.account
        self.is_elsewhere = is_campaign_at_work(
            account.environment, account.merchant, self._config_dir
        )
        if self.plan is None:
            return
        plan, folder = self.plan, self.folder
        # That the plan's file is the one sealed is read again by whatever applies it.
        self.status = stored_status(folder / JOURNAL_NAME, plan)
        self.approvals = approvals_of(plan, folder, self._config_dir)
        admitted = account.admitted(plan.limits.rate_share)
        self.refusal = None
        if self.account.is_connected and admitted is None:
            self.refusal = "The vault was closed; connect again, and make the panel with that."
        elif admitted is not None and self.status.state != "aborted":
            self.refusal = self._untrue or refusal_of(plan, admitted, self.store, self._config_dir)

    def simulate(self, choice: RuleChoice) -> None:
        """Count what a rule would do; a plan that was shown is not shown any more."""
        rule = choice.rule()
        self.forget()
        limit = self._limit_per_minute or self.account.limit_per_minute
        self._as_of = choice.as_of
        self.simulation = simulate_cleanup(
            self.snapshot,
            rule,
            self.limits,
            choice.as_of,
            limit_per_minute=limit,
            banks=self._banks,
            holds=load_holds(self.store),
        )
        self.room = day_room(
            self.snapshot.manifest.environment,
            self.snapshot.manifest.merchant,
            self.limits,
            self.simulation.vault_cards,
            store=self.store,
            config_dir=self._config_dir,
        )
        self.rule = rule

    def seal(self, *, note: str | None, planner: str | None) -> None:
        """Freeze the cards that were simulated, and write the plan into the store."""
        if self.rule is None or self.simulation is None:
            raise UsageError("No rule was simulated; nothing was planned; simulate one first.")
        plan = plan_cleanup(
            self.snapshot,
            self.rule,
            limits=self.limits,
            as_of=self._as_of,
            planner=planner or None,
            banks=self._banks,
            note=note,
            holds=load_holds(self.store),
        )
        seal_plan(plan, self.store)
        self._show(plan)

    def open(self, plan_id: str) -> None:
        """Show a plan of the store, and where its campaign stands."""
        plan = read_plan(self.store / CAMPAIGNS_FOLDER / plan_id)
        if plan.id != plan_id:
            raise UsageError(
                f"The folder {plan_id} holds another plan, {plan.id}; nothing was done; move it to"
                " a folder of that name."
            )
        self.forget()
        try:
            check_against_snapshot(plan, self.store)
        except TokenVaultError as error:  # it can still be looked at, and aborted
            self._untrue = in_a_sentence(error)
        self.rule = plan.rule
        self._show(plan)

    def apply(self, phrase: str, tell: Callable[[CampaignStatus], None]) -> CampaignStatus:
        """Delete cards: begin with the canary, or go on; `phrase` is what somebody has typed."""
        plan = self._sealed()
        self.proof = self.verification = None  # of what was before
        with self.account.client(plan.limits.rate_share) as vault:
            return apply_cleanup(
                vault,
                plan,
                store=self.store,
                confirm=phrase,
                on_progress=tell,
                config_dir=self._config_dir,
            )

    def abort(self, tell: Callable[[CampaignStatus], None]) -> CampaignStatus:
        """End a campaign that nobody works on."""
        plan = self._sealed()
        with self.account.client(plan.limits.rate_share) as vault:
            return abort_cleanup(
                vault, plan, store=self.store, on_progress=tell, config_dir=self._config_dir
            )

    def ask(self, request: StopRequest) -> None:
        """Ask whoever works on the campaign to pause, or to abort."""
        request_stop(self.folder, request)

    def ask_again(self, request: StopRequest) -> None:
        """Ask once more: a word that was left before the work began may have been cleared."""
        is_at_work = self.status is not None and self.status.state in _AT_WORK
        if is_at_work and read_stop_request(self.folder) is None:
            request_stop(self.folder, request)

    def withdraw(self) -> None:
        """Take back what was asked: nobody is at work any more who could meet it."""
        clear_stop_request(self.folder)

    def verify(self) -> None:
        """Fetch every card that is called gone once more."""
        plan = self._sealed()
        with self.account.client(plan.limits.rate_share) as vault:
            self.verification = verify_cleanup(
                vault, plan, self.folder, config_dir=self._config_dir
            )

    def prove(self) -> None:
        """Run the audit."""
        trust = load_trust(self._config_dir)
        self.proof = audit_cleanup(self.folder, approvers=trust, config_dir=self._config_dir)

    def prove_at_rest(self) -> None:
        """Run the audit where a person is about to decide, or all is over."""
        if stage_of(self.facts()) in {Stage.HELD, Stage.OVER, Stage.STOPPED}:
            self.prove()

    def write_report(self, *places: Path | str) -> None:
        """Write the completion report; each place is a page or a table, by its name's end."""
        trust = load_trust(self._config_dir)
        self.files = tuple(
            report_cleanup(self.folder, one, approvers=trust, config_dir=self._config_dir)
            for one in places
        )

    def _show(self, plan: Plan) -> None:
        self.plan = plan
        self.customers = len({card.customer_id for card in plan.cards})
        self.refresh()

    def _sealed(self) -> Plan:
        if self.plan is None:
            raise UsageError("There is no plan yet; nothing was sent; seal one first.")
        return self.plan
