"""Revocations: an approver takes back the approval of a plan.

A revocation voids what the same key approved before it. A later approval by that key counts again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.approval.signed_files import SignedKind
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from tokenvault_data.cleanup.approval.keys import SigningKey
    from tokenvault_data.cleanup.plan.plan import Plan

_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One person's withdrawal of an approval.

    Attributes
    ----------
    plan : str
        Digest of the plan.
    environment : str
    merchant : str or None
    approver : str
    key : str
        The approver's public key, base64.
    fingerprint : str
        SHA-256 of the key; approvals by this key are void.
    revoked_at : str
        ISO 8601, UTC.
    reason : str or None
    signature : str
        Ed25519 over all of the above, base64.
    """

    plan: str
    environment: str
    merchant: str | None
    approver: str
    key: str
    fingerprint: str
    revoked_at: str
    reason: str | None
    signature: str


REVOCATIONS: Final = SignedKind(Revocation, "revocation")


def revoke(
    plan: Plan, key: SigningKey, *, reason: str | None = None, now: datetime | None = None
) -> Revocation:
    """Sign that this key's approvals of a plan, given until now, are void.

    Parameters
    ----------
    plan : Plan
    key : SigningKey
        The key that approved it.
    reason : str, optional
        Why, for whoever applies the plan.
    now : datetime, optional
        With a zone.

    Raises
    ------
    UsageError
        The reason is longer than 500 signs, or cannot be shown.
    """
    if reason is not None:
        reason = " ".join(reason.split()) or None
    if reason is not None and (len(reason) > _LONGEST_REASON or not reason.isprintable()):
        raise UsageError(
            "The reason is longer than 500 signs, or holds signs that cannot be shown; nothing was"
            " signed; give a shorter one."
        )
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    return REVOCATIONS.signed(
        key,
        plan=plan.digest,
        environment=plan.environment,
        merchant=plan.merchant,
        approver=key.name,
        revoked_at=moment.isoformat(),
        reason=reason,
    )


def write_revocation(revocation: Revocation, folder: str | os.PathLike[str]) -> Path:
    """Write a revocation beside its plan, as ``revocation-<digits of the fingerprint>.json``.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    return REVOCATIONS.write(revocation, folder)


def read_revocations(folder: str | os.PathLike[str]) -> list[Revocation]:
    """Read all revocations of a campaign's folder, in the order of their names.

    Raises
    ------
    UsageError
        One of them cannot be read.
    """
    return [REVOCATIONS.read(path) for path in REVOCATIONS.paths(folder)]
