"""What a panel finds in a store: open campaigns of an account, approvals, and who is at work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.approval.approvals import PRODUCTION, approval_states, read_approvals
from tokenvault_data.cleanup.approval.approvers import load_trust, phrase_for
from tokenvault_data.cleanup.approval.revocation import read_revocations
from tokenvault_data.cleanup.audit.seal import SEAL_NAME
from tokenvault_data.cleanup.campaign.campaign import Campaign
from tokenvault_data.cleanup.campaign.preflight import refuse_unsafe, refuse_wrong_account
from tokenvault_data.cleanup.plan.plan_file import CAMPAIGNS_FOLDER, plan_folders, read_plan
from tokenvault_data.cleanup.selection.holds import load_holds, missing
from tokenvault_data.errors import TokenVaultError
from tokenvault_data.widgets.parts.layout import in_a_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvals import ApprovalState
    from tokenvault_data.cleanup.campaign.preflight import Account
    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.plan.plan import Plan

_FIRST: Final = (
    "canary",
    "running",
    "verifying",
    "aborted",
    "paused",
    "held",
    "halted",
    "approved",
)
"""States in the order in which an operator has to know of them; sealed ones come last."""


@dataclass(frozen=True, slots=True)
class OpenCampaign:
    """A plan that was not applied yet and still may be, or a campaign that is not over."""

    plan: Plan
    status: CampaignStatus

    @property
    def is_begun(self) -> bool:
        """Whether something of it was applied."""
        return self.status.state not in {"sealed", "approved"}

    @property
    def label(self) -> str:
        """The campaign in a line, for a list to choose from."""
        made = datetime.fromisoformat(self.plan.created_at).astimezone(UTC)
        state = self.status.state.replace("_", " ")
        return (
            f"{self.plan.id}: {len(self.plan.cards):,} cards, {state}, made"
            f" {made:%Y-%m-%d %H:%M} UTC by {self.plan.planner}"
        )


def open_campaigns(
    store: Path, environment: str, merchant: str | None
) -> tuple[list[OpenCampaign], int]:
    """Find what is open for an account, those at work first, of equal ones the newest.

    Returns
    -------
    list of OpenCampaign
    int
        Folders that cannot be read; the audit says what is wrong with them.
    """
    found: list[OpenCampaign] = []
    unreadable = 0
    for path in plan_folders(store):
        if (path / SEAL_NAME).exists():
            continue  # over
        try:
            plan = read_plan(path)
            is_ours = plan.environment == environment and (
                None in (plan.merchant, merchant) or plan.merchant == merchant
            )
            status = Campaign.open(plan, store).status() if is_ours else None
        except TokenVaultError:
            unreadable += 1
            continue
        if status is None or status.is_over:
            continue
        one = OpenCampaign(plan, status)
        if one.is_begun or datetime.now(UTC) < datetime.fromisoformat(plan.expires_at):
            found.append(one)
    found.sort(key=lambda one: one.plan.created_at, reverse=True)
    found.sort(key=lambda one: (*_FIRST, "approved", "sealed").index(one.status.state))
    return found, unreadable


@dataclass(frozen=True, slots=True)
class Approvals:
    """Who has approved a plan, whether that is enough, and what is typed to apply it.

    Attributes
    ----------
    is_needed : bool
        Whether nothing is applied without one.
    states : tuple of ApprovalState
        Every approval beside the plan, and whether it counts.
    phrase : str
        What has to be typed; empty where nobody's trust can be read.
    problem : str or None
        Why nobody's trust can be read, as a sentence.
    """

    is_needed: bool
    states: tuple[ApprovalState, ...] = ()
    phrase: str = ""
    problem: str | None = None

    @property
    def counting(self) -> tuple[ApprovalState, ...]:
        """Those that count."""
        return tuple(one for one in self.states if one.counts)

    @property
    def refused(self) -> tuple[ApprovalState, ...]:
        """Those that do not; each closes the button."""
        return tuple(one for one in self.states if not one.counts)


def approvals_of(plan: Plan, folder: Path, config_dir: Path | None = None) -> Approvals:
    """Read the approvals beside a plan, and judge them as the campaign will."""
    is_needed = plan.environment == PRODUCTION
    try:
        trust = load_trust(config_dir)
        states = approval_states(plan, folder, trust, now=datetime.now(UTC))
    except TokenVaultError as error:
        return Approvals(is_needed, problem=in_a_sentence(error))
    return Approvals(is_needed, tuple(states), phrase_for(plan, trust))


def refusal_of(
    plan: Plan, account: Account, store: Path, config_dir: Path | None = None
) -> str | None:
    """Return why a plan would be refused here and now, in a sentence; None where it would not."""
    folder = store / CAMPAIGNS_FOLDER / plan.id
    try:
        refuse_wrong_account(plan, account)
        trusted = load_trust(config_dir).approvers
        given = read_approvals(folder) if folder.is_dir() else []
        taken_back = read_revocations(folder) if folder.is_dir() else []
        refuse_unsafe(plan, account, given, trusted, datetime.now(UTC), taken_back)
        gone = missing(plan.holds, load_holds(store, folder=folder))
    except TokenVaultError as error:
        return in_a_sentence(error)
    if gone:
        return (
            f"The hold list {gone[0]} was in force when the plan was made, and is not any more;"
            " nothing is sent. Put it back, or make a new plan."
        )
    return None
