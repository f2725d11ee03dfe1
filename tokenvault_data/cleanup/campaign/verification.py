"""Looking again: every card that a campaign calls gone is fetched once more, some time later.

It sends fetches only, writes nothing into the journal, and keeps what it found in a file of its
own. One 404 is enough here, between two fetches that show a control card: the campaign has proven
the card gone before.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from tokenvault_data.arguments import check_client
from tokenvault_data.cleanup.audit.audit import audited
from tokenvault_data.cleanup.audit.rules import GONE
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.plan.plan_file import read_plan
from tokenvault_data.errors import (
    AccessDenied,
    NotFound,
    RefusedByGuardRail,
    UsageError,
    VaultError,
)
from tokenvault_data.local_paths import local_path
from tokenvault_data.private_files import write_private_file
from tokenvault_data.text import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from tokenvault_data.cleanup.selection.cards import PlannedCard
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.client.client import AsyncVault

BATCH_CARDS: Final = 50
"""Cards between two control reads."""

Sight = Literal["absent", "inactive", "there", "unclear"]


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What looking again has shown.

    Attributes
    ----------
    plan : str
        Digest of the plan.
    at : str
        When it ended; ISO 8601, UTC.
    called_gone : int
        Cards that the journal calls gone.
    looked_at : int
        Of these, cards that were fetched again.
    gone : int
        Of these, cards that are gone.
    still_there, unclear : tuple of int
        Numbers of cards that the vault still has, and of those it said nothing reliable about, or
        was not asked for because of `stopped`.
    stopped : str or None
        Why not all of them could be looked at.
    file : str
        Where this was written to.
    """

    plan: str
    at: str
    called_gone: int
    looked_at: int
    gone: int
    still_there: tuple[int, ...]
    unclear: tuple[int, ...]
    stopped: str | None
    file: str

    @property
    def ok(self) -> bool:
        """Whether every card that was to be looked at is proven gone."""
        return self.gone == self.looked_at and self.stopped is None

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        if not self.called_gone:
            return "The campaign calls no card gone, so there was nothing to look at again."
        parts = [f"{self.gone:,} gone"]
        if self.still_there:
            parts.append(f"{len(self.still_there):,} still there")
        if self.unclear:
            parts.append(f"{len(self.unclear):,} unclear")
        looked = f"{self.looked_at:,} of {counted(self.called_gone, 'card')} called gone"
        more = f"; {self.stopped}" if self.stopped else ""
        return f"Looked again at {looked}: {', '.join(parts)}{more}."


def verify_cleanup(
    vault: Vault,
    plan: Plan | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    sample: int | None = None,
    draws: random.Random | None = None,
    config_dir: Path | None = None,
) -> VerificationResult:
    """Fetch the cards that a campaign calls gone again, and say which are still there.

    Parameters
    ----------
    vault : Vault
        A client of the plan's account; it sets the pace.
    plan : Plan or path
    folder : path
        Of the campaign; gets a file ``verification-<time>.json``.
    sample : int, optional
        How many cards to look at, drawn at random; all of them by default.
    draws : random.Random, optional
        What draws them.
    config_dir : Path, optional
        Where the ledgers of emulators and trusted keys lie; the user's settings by default.

    Raises
    ------
    RefusedByGuardRail
        The client is of another account.
    UsageError
        The plan is not the campaign's, its files do not hold together, or `sample` is not above 0.
    """
    check_client(vault)
    place = local_path(folder)
    opened = plan if isinstance(plan, Plan) else read_plan(plan)
    _refuse_other_account(vault, opened)
    if sample is not None and (isinstance(sample, bool) or sample < 1):
        raise UsageError("A sample is of 1 card or more; nothing was sent; give another number.")
    called_gone = _called_gone(place, opened, config_dir)
    chosen = called_gone
    if sample is not None and sample < len(called_gone):
        chosen = sorted((draws or random.Random()).sample(called_gone, sample))  # noqa: S311  no secret
    sights, stopped = vault.run(_look_at_all, opened, chosen)
    now = datetime.now(UTC)
    path = place / f"verification-{now:%Y%m%dT%H%M%S.%fZ}.json"
    result = VerificationResult(
        plan=opened.digest,
        at=now.isoformat(),
        called_gone=len(called_gone),
        looked_at=len(sights),
        gone=sum(sight in ("absent", "inactive") for sight in sights.values()),
        still_there=tuple(n for n in chosen if sights.get(n) == "there"),
        unclear=tuple(n for n in chosen if sights.get(n, "unclear") == "unclear"),
        stopped=stopped,
        file=path.name,
    )
    content = json.dumps({"format": "tokenvault-verification"} | asdict(result), indent=1)
    try:
        write_private_file(path, f"{content}\n".encode(), replace=False)
    except OSError as error:
        raise UsageError(
            f"{result.verdict} That could not be written to {path} ({error.strerror}); check the"
            " disk."
        ) from error
    return result


def _refuse_other_account(vault: Vault, plan: Plan) -> None:
    profile = vault.profile
    if profile.environment != plan.environment or plan.merchant not in (
        None,
        profile.merchant_digest,
    ):
        raise RefusedByGuardRail(
            f"the plan is for {plan.environment} and its merchant, and this profile is of another"
            " account; nothing was sent. Choose the profile the plan was made with"
        )


def _called_gone(folder: Path, plan: Plan, config_dir: Path | None) -> list[int]:
    campaign = audited(folder, config_dir=config_dir)
    if campaign.plan is None or campaign.plan.digest != plan.digest:
        raise UsageError(
            f"{folder} is not the campaign of this plan; nothing was sent; give the folder named"
            f" {plan.id}."
        )
    if campaign.replay is None or not campaign.result.ok:
        raise UsageError(
            "The campaign's files do not hold together, so there is nothing to look for; nothing"
            " was sent; run the audit, which says where."
        )
    return [number for number, card in enumerate(campaign.replay.cards) if card.final in GONE]


async def _look_at_all(
    vault: AsyncVault, plan: Plan, numbers: Sequence[int]
) -> tuple[dict[int, Sight], str | None]:
    """Fetch cards batch by batch; a batch counts once a control card was seen on both sides."""
    proven: dict[int, Sight] = {}
    if not numbers:
        return proven, None
    problem = await _problem_of_account(vault, plan)
    if problem is not None:
        return proven, problem
    for start in range(0, len(numbers), BATCH_CARDS):
        batch = numbers[start : start + BATCH_CARDS]
        try:
            sights = await asyncio.gather(*(_look(vault, plan.cards[n]) for n in batch))
        except AccessDenied as error:
            return proven, f"access was denied ({error})"
        problem = await _problem_of_account(vault, plan)
        if problem is not None:
            return proven, problem
        proven |= zip(batch, sights, strict=True)
    return proven, None


async def _problem_of_account(vault: AsyncVault, plan: Plan) -> str | None:
    """Say why the account cannot be relied on; None where a control card is as it should be."""
    failed: VaultError | None = None
    for control in plan.controls:
        try:
            card = await vault.fetch_instrument(control.customer_id, control.instrument_id)
        except NotFound:
            continue
        except VaultError as error:
            failed = error
            continue
        if _status(card) == "ACTIVE":
            return None
    if failed is not None:
        return f"no control card could be read ({failed})"
    return "no control card is there, so the account looks wrong"


async def _look(vault: AsyncVault, planned: PlannedCard) -> Sight:
    try:
        card = await vault.fetch_instrument(planned.customer_id, planned.instrument_id)
    except NotFound:
        return "absent"
    except AccessDenied as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return "unclear"  # whether the account is meant is seen by the control card after it
    except VaultError:
        return "unclear"
    was_active = planned.instrument_status == "ACTIVE"
    return "inactive" if _status(card) == "INACTIVE" and was_active else "there"


def _status(card: dict[str, object]) -> str | None:
    status = card.get("instrument_status")
    return status.strip().upper() if isinstance(status, str) else None
