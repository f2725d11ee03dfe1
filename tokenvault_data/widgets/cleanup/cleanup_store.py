"""What a panel finds in a store: open campaigns of an account, approvals, and who is at work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.admission import refuse_unsafe, refuse_wrong_account
from tokenvault_data.cleanup.approval import PRODUCTION, check_approval, read_approvals
from tokenvault_data.cleanup.approvers import load_approvers
from tokenvault_data.cleanup.campaign import Campaign
from tokenvault_data.cleanup.plan import CAMPAIGNS_FOLDER, PLAN_NAME, Plan, read_plan
from tokenvault_data.cleanup.seal import SEAL_NAME
from tokenvault_data.errors import TokenVaultError
from tokenvault_data.private_files import config_directory
from tokenvault_data.widgets.parts.panel import in_a_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.cleanup.admission import Account
    from tokenvault_data.cleanup.status import CampaignStatus

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
    for path in sorted(store.glob(f"{CAMPAIGNS_FOLDER}/*/{PLAN_NAME}")):
        if (path.parent / SEAL_NAME).exists():
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
class ApprovalState:
    """Who has approved a plan, and whether that is enough.

    Attributes
    ----------
    is_needed : bool
        Whether nothing is applied without one.
    counting : tuple of (str, str)
        Name of the approver, and when they approved; ISO 8601.
    refused : tuple of str
        Why others do not count, a sentence each.
    """

    is_needed: bool
    counting: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether approvals are no reason to refuse the plan."""
        return not self.refused and (bool(self.counting) or not self.is_needed)


def approval_state(plan: Plan, folder: Path, config_dir: Path | None = None) -> ApprovalState:
    """Read the approvals beside a plan, and judge them as the campaign will."""
    is_needed = plan.environment == PRODUCTION
    try:
        trusted = load_approvers(config_dir or config_directory())
        given = read_approvals(folder) if folder.is_dir() else []
    except TokenVaultError as error:
        return ApprovalState(is_needed, refused=(in_a_sentence(error),))
    now = datetime.now(UTC)
    judged = [(one, check_approval(plan, one, trusted, now=now)) for one in given]
    return ApprovalState(
        is_needed,
        tuple((one.approver, one.approved_at) for one, problem in judged if problem is None),
        tuple(in_a_sentence(problem) for _, problem in judged if problem is not None),
    )


def refusal_of(
    plan: Plan, account: Account, folder: Path, config_dir: Path | None = None
) -> str | None:
    """Return why a plan would be refused here and now, in a sentence; None where it would not."""
    try:
        refuse_wrong_account(plan, account)
        trusted = load_approvers(config_dir or config_directory())
        given = read_approvals(folder) if folder.is_dir() else []
        refuse_unsafe(plan, account, given, trusted, datetime.now(UTC))
    except TokenVaultError as error:
        return in_a_sentence(error)
    return None
