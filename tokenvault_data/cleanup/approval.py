"""Approvals: somebody other than the planner signs the digest of a plan, for a day.

An approval names the plan, where it may be applied, by whom it was approved and when, and carries
a signature over all of that. It is a single line of JSON that can be mailed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.guard_rails import CLOCK_TOLERANCE, too_old
from tokenvault_data.cleanup.keys import decoded, encoded, fingerprint_of, signature_holds
from tokenvault_data.cleanup.people import same_person
from tokenvault_data.cleanup.plan_content import canonical
from tokenvault_data.errors import RefusedByGuardRail, UsageError
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from tokenvault_data.cleanup.keys import SigningKey
    from tokenvault_data.cleanup.limits import Limits
    from tokenvault_data.cleanup.plan_content import Plan

FORMAT: Final = "tokenvault-approval"
"""Value of ``format`` in every approval; what is signed begins with no other meaning."""

PRODUCTION: Final = "production"
"""The environment in which nothing is deleted without an approval."""

_LARGEST_BYTES: Final = 65_536


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


def approve(plan: Plan, key: SigningKey, *, now: datetime | None = None) -> Approval:
    """Sign a plan.

    Parameters
    ----------
    plan : Plan
        As read by `read_plan`, and looked at.
    key : SigningKey
        Of somebody other than the planner.
    now : datetime, optional
        With a zone.

    Raises
    ------
    RefusedByGuardRail
        The approver is the planner.
    """
    if same_person(key.name, plan.planner):
        raise RefusedByGuardRail(
            f"{key.name} has made this plan and cannot approve it; nothing was signed; have "
            "somebody else look at it and approve it."
        )
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    unsigned = Approval(
        plan=plan.digest,
        environment=plan.environment,
        merchant=plan.merchant,
        rows=len(plan.cards),
        approver=key.name,
        key=encoded(key.public_bytes),
        fingerprint=key.fingerprint,
        approved_at=moment.isoformat(),
        signature="",
    )
    signature = key.private.sign(signed_bytes(unsigned))
    return Approval(**asdict(unsigned) | {"signature": encoded(signature)})


def signed_bytes(approval: Approval) -> bytes:
    """Return what the signature is over: everything else of the approval."""
    content = {"format": FORMAT} | asdict(approval)
    del content["signature"]
    return canonical(content)


def approval_bytes(approval: Approval) -> bytes:
    """Return an approval as its file holds it."""
    return canonical({"format": FORMAT} | asdict(approval))


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
    path = Path(folder) / f"approval-{approval.fingerprint[:12]}.json"
    try:
        write_private_file(path, approval_bytes(approval), replace=True)
    except OSError as error:
        raise UsageError(
            f"The approval cannot be written to {path} ({error.strerror}); it counts for nothing "
            "yet; check the folder and the disk."
        ) from error
    return path


def read_approval(path: str | os.PathLike[str]) -> Approval:
    """Read an approval; whether it is valid is another question, see `check_approval`.

    Raises
    ------
    UsageError
        It cannot be read, or is not, byte for byte, as approvals are written.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_BYTES)
    except OSError as error:
        raise UsageError(
            f"There is no approval that can be read at {path} ({error.strerror}); nothing was "
            "done; give the file of an approval."
        ) from error
    return parse_approval(content, Path(path).name)


def read_approvals(folder: str | os.PathLike[str]) -> list[Approval]:
    """Read all approvals of a campaign's folder, in the order of their names.

    Raises
    ------
    UsageError
        One of them cannot be read.
    """
    return [read_approval(path) for path in sorted(Path(folder).glob("approval-*.json"))]


def parse_approval(content: bytes, name: str = "the approval") -> Approval:
    """Read an approval from the bytes of its file.

    Raises
    ------
    UsageError
        They are not what `approval_bytes` makes.
    """
    try:
        form = json.loads(content)
        approval = Approval(**{one.name: form[one.name] for one in fields(Approval)})
        same = _is_sound(approval) and approval_bytes(approval) == content
    except (ValueError, TypeError, KeyError, RecursionError):
        same = False
    if not same:
        raise UsageError(
            f"{name} is not an approval as it was signed; it counts for nothing; take it from the "
            "approver again."
        )
    return approval


def _is_sound(approval: Approval) -> bool:
    """Decide whether everything is of its kind, and can be shown on a terminal."""
    form = asdict(approval)
    rows, merchant = form.pop("rows"), form.pop("merchant")
    texts = [*form.values(), *([] if merchant is None else [merchant])]
    return type(rows) is int and all(isinstance(t, str) and t.isprintable() for t in texts)


def check_approval(
    plan: Plan,
    approval: Approval,
    trusted: Mapping[str, str],
    *,
    now: datetime,
    limits: Limits | None = None,
) -> RefusedByGuardRail | None:
    """Return why an approval does not count, None where it does; the caller raises it.

    Parameters
    ----------
    plan : Plan
    approval : Approval
    trusted : mapping of str to str
        Names by fingerprint, as `load_approvers` gives them.
    now : datetime
        With a zone.
    limits : Limits, optional
        Those of the plan when not given.
    """
    limits = plan.limits if limits is None else limits
    problem = (
        _not_of_this_plan(plan, approval)
        or _not_signed(approval, trusted)
        or _not_by_another(plan, approval)
        or _not_in_time(plan, approval, limits, now)
    )
    if problem is None:
        return None
    return RefusedByGuardRail(
        f"The approval does not count, because {problem}; nothing was sent; have the plan approved "
        "by somebody trusted other than its planner."
    )


def check_approvals(
    plan: Plan,
    approvals: Sequence[Approval],
    trusted: Mapping[str, str],
    *,
    now: datetime,
    limits: Limits | None = None,
) -> RefusedByGuardRail | None:
    """Return why a plan is not sufficiently approved, None where it is; the caller raises it.

    In production at least one approval is needed. Elsewhere none is, but each that is given has to
    count. Parameters are those of `check_approval`.
    """
    if not approvals and plan.environment == PRODUCTION:
        return RefusedByGuardRail(
            "The plan is for production and nobody has approved it; nothing was sent; have "
            "somebody other than its planner approve it."
        )
    found = (check_approval(plan, one, trusted, now=now, limits=limits) for one in approvals)
    return next((refusal for refusal in found if refusal is not None), None)


def _not_of_this_plan(plan: Plan, approval: Approval) -> str | None:
    if approval.environment != plan.environment:
        return f"it is for {approval.environment} and the plan for {plan.environment}"
    if approval.merchant != plan.merchant:
        return "it is for the account of another merchant"
    if approval.plan != plan.digest or approval.rows != len(plan.cards):
        return "it is for another plan, or the plan was changed after it"
    return None


def _not_signed(approval: Approval, trusted: Mapping[str, str]) -> str | None:
    try:
        public, signature = decoded(approval.key), decoded(approval.signature)
    except ValueError:
        return "its signature cannot be read"
    if fingerprint_of(public) != approval.fingerprint:
        return "its key is not the one it names"
    if approval.fingerprint not in trusted:
        return (
            "its key is not among the approvers known here (compare its fingerprint with"
            " its owner, then `tokenvault cleanup trust` the public file)"
        )
    if trusted[approval.fingerprint] != approval.approver:
        return "its key belongs to somebody other than it says"
    if not signature_holds(public, signature, signed_bytes(approval)):
        return "its signature is not over what it says"
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
