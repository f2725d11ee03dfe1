"""Whether a plan may be applied here and now; decided before any request and any journal write."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tokenvault_data.cleanup.approval.approvals import check_approvals
from tokenvault_data.cleanup.plan.guard_rails import CLOCK_TOLERANCE, too_old
from tokenvault_data.cleanup.selection.limits import PlannedFigures, VaultFigures, check_caps
from tokenvault_data.errors import RefusedByGuardRail
from tokenvault_data.text import utc_minute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokenvault_data.cleanup.approval.approvals import Approval
    from tokenvault_data.cleanup.approval.revocation import Revocation
    from tokenvault_data.cleanup.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Account:
    """The account that requests would go to.

    Attributes
    ----------
    environment : str
    merchant : str
        `Profile.merchant_digest`.
    share : float
        Part of the account's rate limit that its client takes.
    """

    environment: str
    merchant: str
    share: float


def refuse_wrong_account(plan: Plan, account: Account) -> None:
    """Raise `RefusedByGuardRail` unless the plan was made for this account."""
    if plan.environment != account.environment:
        raise RefusedByGuardRail(
            f"the plan is for {plan.environment} and this profile for {account.environment};"
            " nothing was sent. Choose the profile the plan was made with"
        )
    if plan.merchant is not None and plan.merchant != account.merchant:
        raise RefusedByGuardRail(
            "the plan is for the account of another merchant; nothing was sent. Choose the profile"
            " the plan was made with"
        )


def refuse_wrong_phrase(phrase: str, confirm: object) -> None:
    """Raise `RefusedByGuardRail` unless the confirmation is the phrase, letter by letter."""
    if confirm != phrase:
        raise RefusedByGuardRail(
            f"the confirmation is not the one of this plan; nothing was sent. To delete these"
            f" cards for good, confirm with: {phrase}"
        )


def refuse_unsafe(  # noqa: PLR0917  all that it is decided on
    plan: Plan,
    account: Account,
    approvals: Sequence[Approval],
    trusted: Mapping[str, str],
    now: datetime,
    revocations: Sequence[Revocation] = (),
) -> None:
    """Raise `RefusedByGuardRail` unless plan and approvals are fresh and within the caps.

    Parameters
    ----------
    plan : Plan
    account : Account
    approvals : sequence of Approval
    trusted : mapping of str to str
        Names of approvers by fingerprint.
    now : datetime
        With a zone.
    revocations : sequence of Revocation
    """
    limits = plan.limits
    _refuse_stale(plan, now)
    if account.share > limits.rate_share:
        raise RefusedByGuardRail(
            f"the client takes {account.share:.0%} of the account's rate limit and the plan allows"
            f" {limits.rate_share:.0%}; nothing was sent. Connect with"
            f" share={limits.rate_share:g}, or plan with another rate_share"
        )
    by_customer = Counter(card.customer_id for card in plan.cards)
    most = max(by_customer.values(), default=0)
    totals = {one.bank: one.cards for one in plan.bank_totals}
    vault = VaultFigures(plan.vault_cards, plan.vault_customers, totals)
    banks = Counter(card.bank for card in plan.cards)
    broken = check_caps(PlannedFigures(len(plan.cards), banks, most, 0), vault, limits)
    if broken:
        raise RefusedByGuardRail(
            f"{broken[0].sentence}; nothing was sent. Narrow the rule, then plan anew"
        )
    if not limits.per_day:
        raise RefusedByGuardRail(
            "the plan allows no delete a day (per_day is 0); nothing was sent. Plan anew with"
            " another --max-per-day"
        )
    refusal = check_approvals(plan, approvals, trusted, now=now, revocations=revocations)
    if refusal is not None:
        raise refusal


def _refuse_stale(plan: Plan, now: datetime) -> None:
    if datetime.fromisoformat(plan.created_at) > now + CLOCK_TOLERANCE:
        raise RefusedByGuardRail(
            "the plan was made in the future, so a clock is wrong; nothing was sent. Set this"
            " machine's clock"
        )
    if now >= datetime.fromisoformat(plan.expires_at):
        raise RefusedByGuardRail(
            f"the plan was good until {utc_minute(plan.expires_at)}; nothing was sent. Collect"
            " again and make a new plan; one that was begun is ended with abort, which settles what"
            " was attempted"
        )
    if too_old(datetime.fromisoformat(plan.oldest_fetched_at), plan.limits.snapshot_hours, now):
        fetched = utc_minute(plan.oldest_fetched_at)
        raise RefusedByGuardRail(
            f"the oldest card of the plan's snapshot was fetched {fetched}, more"
            f" than {plan.limits.snapshot_hours:g} hours ago; nothing was sent. Collect again and"
            " make a new plan; one that was begun is ended with abort"
        )
