"""Countersigning a seal: somebody who neither planned nor applied a campaign signs its end.

Whoever holds all files of a campaign can rewrite them consistently, seal included. They cannot
rewrite what a key signed that they do not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.approval.keys import same_person
from tokenvault_data.cleanup.approval.signed_files import SignedKind
from tokenvault_data.cleanup.audit.approvals import people_of
from tokenvault_data.cleanup.audit.audit import audited
from tokenvault_data.errors import RefusedByGuardRail

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvers import Trust
    from tokenvault_data.cleanup.approval.keys import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersignature:
    """One person's signature under the end of a campaign.

    Attributes
    ----------
    plan : str
        Digest of the plan.
    environment : str
    merchant : str or None
    rows : int
        Cards of the plan.
    seal : str
        Digest of the seal, which covers plan and journal.
    finals : dict of str to int
        Cards by how they ended.
    signer : str
    key : str
        The signer's public key, base64.
    fingerprint : str
        SHA-256 of the key.
    signed_at : str
        ISO 8601, UTC.
    signature : str
        Ed25519 over all of the above, base64.
    """

    plan: str
    environment: str
    merchant: str | None
    rows: int
    seal: str
    finals: dict[str, int]
    signer: str
    key: str
    fingerprint: str
    signed_at: str
    signature: str


COUNTERSIGNATURES: Final = SignedKind(Countersignature, "countersignature")


def countersign(
    folder: str | os.PathLike[str],
    key: SigningKey,
    *,
    trust: Trust | None = None,
    config_dir: Path | None = None,
    now: datetime | None = None,
) -> Countersignature:
    """Sign how a campaign ended, after an audit that found nothing.

    Parameters
    ----------
    folder : path
        ``STORE/campaigns/<plan id>``, of a campaign that is over.
    key : SigningKey
        Of somebody who neither planned, applied nor recovered it.
    trust, config_dir
        As `audit` takes them.
    now : datetime, optional
        With a zone.

    Raises
    ------
    RefusedByGuardRail
        The audit found something, the campaign is not over, or the signer has a part in it.
    """
    campaign = audited(folder, approvers=trust, config_dir=config_dir)
    result, plan, replay = campaign.result, campaign.plan, campaign.replay
    if not result.ok or plan is None or replay is None:
        raise RefusedByGuardRail(
            f"The audit found what should not be, first: {result.findings[0]}; nothing was signed;"
            " run `tokenvault cleanup audit` to see all of it."
        )
    if not result.complete or result.seal_digest is None:
        raise RefusedByGuardRail(
            f"The campaign is not over, so it has no seal to countersign ({result.sentence});"
            " nothing was signed; wait for its end."
        )
    own = next((name for name in people_of(plan, replay) if same_person(name, key.name)), None)
    if own is not None:
        raise RefusedByGuardRail(
            f"{key.name} planned, applied or recovered this campaign, or has a name that looks like"
            " it; nothing was signed; have another person countersign it."
        )
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    return COUNTERSIGNATURES.signed(
        key,
        plan=plan.digest,
        environment=plan.environment,
        merchant=plan.merchant,
        rows=len(plan.cards),
        seal=result.seal_digest,
        finals=dict(result.finals),
        signer=key.name,
        signed_at=moment.isoformat(),
    )


def write_countersignature(
    countersignature: Countersignature, folder: str | os.PathLike[str]
) -> Path:
    """Write it beside the plan, as ``countersignature-<digits of the fingerprint>.json``.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    return COUNTERSIGNATURES.write(countersignature, folder)
