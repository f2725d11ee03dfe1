"""Approvals: a person other than the planner signs the digest of a plan, for a day.

An approval names the plan, where it may be applied, by whom it was approved and when, and carries
a signature over all of that. It counts while its key is trusted and its owner has not revoked it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenvault_data.arguments import needed
from tokenvault_data.cleanup.approval.keys import SigningKey, same_person
from tokenvault_data.cleanup.approval.revocation import REVOCATIONS, read_revocations
from tokenvault_data.cleanup.approval.signed_files import SignedKind
from tokenvault_data.cleanup.plan.guard_rails import CLOCK_TOLERANCE, too_old
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.errors import RefusedByGuardRail, UsageError
from tokenvault_data.text import utc_minute

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvers import Trust
    from tokenvault_data.cleanup.approval.revocation import Revocation
    from tokenvault_data.cleanup.selection.limits import Limits

PRODUCTION: Final = "production"
"""The environment in which nothing is deleted without an approval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's consent to one plan.

    Attributes
    ----------
    plan : str
        Digest of the plan.
    environment : str
    merchant : str or None
    rows : int
        Cards of the plan.
    approver : str
    key : str
        The approver's public key, base64.
    fingerprint : str
        SHA-256 of the key; what is trusted, or not.
    approved_at : str
        ISO 8601, UTC.
    signature : str
        Ed25519 over all of the above, base64.
    """

    plan: str
    environment: str
    merchant: str | None
    rows: int
    approver: str
    key: str
    fingerprint: str
    approved_at: str
    signature: str


APPROVALS: Final = SignedKind(Approval, "approval")


class ApprovalState(NamedTuple):
    """An approval beside a plan, and whether it counts.

    Attributes
    ----------
    approver, fingerprint, approved_at : str
        As the approval says; `approver` is the file's name where it cannot be read.
    counts : bool
    why : str or None
        Why it does not count, None where it does.
    """

    approver: str
    fingerprint: str
    approved_at: str
    counts: bool
    why: str | None


def approval_phrase(plan: Plan) -> str:
    """Return what an approver types before signing, e.g. ``approve 412 production 9f3ac1``.

    It names how many cards, where, and of which plan, as the phrase of the plan itself does.
    """
    return plan.phrase.replace("delete", "approve", 1)


def refuse_planner(plan: Plan, name: str) -> None:
    """Raise `RefusedByGuardRail` if the planner is about to approve."""
    if same_person(name, plan.planner):
        raise RefusedByGuardRail(
            f"{name} made this plan, or has a name that looks like the planner's, and cannot"
            " approve it; nothing was signed; have another person review and approve it."
        )


def approve_plan(plan: Plan, key: SigningKey, *, now: datetime | None = None) -> Approval:
    """Sign a plan.

    Parameters
    ----------
    plan : Plan
        As read by `read_plan`, and reviewed.
    key : SigningKey
        Of a person other than the planner.
    now : datetime, optional
        With a zone.

    Raises
    ------
    RefusedByGuardRail
        The approver is the planner.
    """
    needed(plan, Plan, "A plan, as tv.read_plan(...) gives it,")
    needed(key, SigningKey, "A key, as tv.load_signing_key(...) gives it,")
    refuse_planner(plan, key.name)
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    return APPROVALS.signed(
        key,
        plan=plan.digest,
        environment=plan.environment,
        merchant=plan.merchant,
        rows=len(plan.cards),
        approver=key.name,
        approved_at=moment.isoformat(),
    )


def write_approval(approval: Approval, folder: str | os.PathLike[str]) -> Path:
    """Write an approval beside its plan; an earlier one of the same key gives way.

    Returns
    -------
    pathlib.Path
        ``approval-<first digits of the fingerprint>.json``.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    return APPROVALS.write(approval, folder)


def read_approvals(folder: str | os.PathLike[str]) -> list[Approval]:
    """Read all approvals of a campaign's folder, in the order of their names.

    Whether they count is another question, see `check_approvals`.

    Raises
    ------
    UsageError
        One of them cannot be read, or is not, byte for byte, as approvals are written.
    """
    return [APPROVALS.read(path) for path in APPROVALS.paths(folder)]


def approval_states(
    plan: Plan, folder: str | os.PathLike[str], trust: Trust, *, now: datetime
) -> list[ApprovalState]:
    """Return every approval in a campaign's folder, and whether it counts now.

    Parameters
    ----------
    plan : Plan
    folder : path
    trust : Trust
        As `load_trust` gives it.
    now : datetime
        With a zone.
    """
    unreadable: str | None = None
    revocations: list[Revocation] = []
    try:
        revocations = read_revocations(folder)
    except UsageError as error:
        unreadable = f"a revocation beside it cannot be read ({str(error).partition(';')[0]})"
    states: list[ApprovalState] = []
    for path in APPROVALS.paths(folder):
        try:
            one = APPROVALS.read(path)
        except UsageError:
            states.append(ApprovalState(path.name, "", "", False, "it is not as it was signed"))
            continue
        why = unreadable or _why_not(
            plan, one, trust.approvers, limits=plan.limits, now=now, revocations=revocations
        )
        states.append(
            ApprovalState(one.approver, one.fingerprint, one.approved_at, why is None, why)
        )
    return states


def check_approval(
    plan: Plan,
    approval: Approval,
    trusted: Mapping[str, str],
    *,
    now: datetime,
    limits: Limits | None = None,
    revocations: Sequence[Revocation] = (),
) -> RefusedByGuardRail | None:
    """Return why an approval does not count, None where it does; the caller raises it.

    Parameters
    ----------
    plan : Plan
    approval : Approval
    trusted : mapping of str to str
        Names by fingerprint: `approvers` of what `load_trust` gives.
    now : datetime
        With a zone.
    limits : Limits, optional
        Those of the plan when not given.
    revocations : sequence of Revocation, optional
        Those beside the plan.
    """
    limits = plan.limits if limits is None else limits
    problem = _why_not(plan, approval, trusted, limits=limits, now=now, revocations=revocations)
    if problem is None:
        return None
    return RefusedByGuardRail(
        f"The approval does not count, because {problem}; nothing was sent; have a trusted "
        "approver other than its planner approve the plan."
    )


def check_approvals(
    plan: Plan,
    approvals: Sequence[Approval],
    trusted: Mapping[str, str],
    *,
    now: datetime,
    limits: Limits | None = None,
    revocations: Sequence[Revocation] = (),
) -> RefusedByGuardRail | None:
    """Return why a plan is not sufficiently approved, None where it is; the caller raises it.

    In production at least one approval is needed. Elsewhere none is, but each that is given has to
    count. One that was revoked is as if it were not there, but for a plan that has no other.
    Parameters are those of `check_approval`.
    """
    if not approvals and plan.environment == PRODUCTION:
        return RefusedByGuardRail(
            "The plan is for production and nobody has approved it; nothing was sent; have "
            "a person other than its planner approve it."
        )
    revoked: RefusedByGuardRail | None = None
    others = 0
    for one in approvals:
        refusal = check_approval(plan, one, trusted, now=now, limits=limits)
        if refusal is not None:
            return refusal
        taken_back = check_approval(
            plan, one, trusted, now=now, limits=limits, revocations=revocations
        )
        revoked = revoked or taken_back
        others += taken_back is None
    return None if others else revoked


def _why_not(
    plan: Plan,
    approval: Approval,
    trusted: Mapping[str, str],
    *,
    limits: Limits,
    now: datetime,
    revocations: Sequence[Revocation],
) -> str | None:
    return (
        _not_of_this_plan(plan, approval)
        or _not_signed(approval, trusted)
        or _not_by_another(plan, approval)
        or _not_in_time(plan, approval, limits, now)
        or _revoked(plan, approval, revocations)
    )


def _not_of_this_plan(plan: Plan, approval: Approval) -> str | None:
    if approval.environment != plan.environment:
        return f"it is for {approval.environment} and the plan for {plan.environment}"
    if approval.merchant != plan.merchant:
        return "it is for the account of another merchant"
    if approval.plan != plan.digest or approval.rows != len(plan.cards):
        return "it is for another plan, or the plan was changed after it"
    return None


def _not_signed(approval: Approval, trusted: Mapping[str, str]) -> str | None:
    fault = APPROVALS.fault(approval)
    if fault is not None:
        return fault
    if approval.fingerprint not in trusted:
        return (
            "its key is not among the approvers known here (compare its fingerprint with"
            " its owner, then `tokenvault cleanup trust` the public file)"
        )
    if trusted[approval.fingerprint] != approval.approver:
        return "its key belongs to another person than it names"
    return None


def _not_by_another(plan: Plan, approval: Approval) -> str | None:
    if same_person(approval.approver, plan.planner):
        return f"{approval.approver} has made the plan as well"
    return None


def _not_in_time(plan: Plan, approval: Approval, limits: Limits, now: datetime) -> str | None:
    try:
        approved_at = datetime.fromisoformat(approval.approved_at)
    except ValueError:
        return "it does not say when it was given"
    if approved_at.tzinfo is None:
        return "it does not say in which zone the time is meant"
    if approved_at > now + CLOCK_TOLERANCE:
        return "it was given in the future, so a clock is wrong"
    if approved_at < datetime.fromisoformat(plan.created_at) - CLOCK_TOLERANCE:
        return "it was given before the plan was made, so a clock is wrong"
    if too_old(approved_at, limits.approval_hours, now):
        return f"it is older than {limits.approval_hours:g} hours"
    return None


def _revoked(plan: Plan, approval: Approval, revocations: Sequence[Revocation]) -> str | None:
    for one in revocations:
        if one.plan != plan.digest or one.fingerprint != approval.fingerprint:
            continue
        fault = REVOCATIONS.fault(one)
        if fault is not None:
            return f"a revocation by its key is beside it, and {fault}"
        try:
            revoked_at = datetime.fromisoformat(one.revoked_at)
            is_later = datetime.fromisoformat(approval.approved_at) > revoked_at
        except (ValueError, TypeError):
            return "a revocation by its key is beside it, and does not say when it was given"
        if not is_later:
            reason = f": {one.reason}" if one.reason else ""
            return f"{one.approver} revoked it at {utc_minute(one.revoked_at)}{reason}"
    return None
