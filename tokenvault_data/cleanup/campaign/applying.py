"""Applying and aborting a plan from plain code: scripts, the command line, notebooks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tokenvault_data.arguments import check_client
from tokenvault_data.cleanup.campaign.campaign import Campaign, Preflight
from tokenvault_data.errors import CampaignPaused

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvals import Approval
    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.client.client import AsyncVault


def check_cleanup(
    vault: Vault,
    plan: Plan | str | os.PathLike[str],
    *,
    store: str | os.PathLike[str],
    approvals: Sequence[Approval] = (),
    holds: Sequence[Path] = (),
    config_dir: Path | None = None,
) -> Preflight:
    """Check everything that could forbid to apply a plan now; nothing is written or sent.

    Returns
    -------
    Preflight
        With the phrase that `apply_cleanup` has to be given. Errors are those of
        `Campaign.preflight`.
    """
    check_client(vault)

    async def look(connected: AsyncVault) -> Preflight:
        campaign = Campaign.open(plan, store, connected, config_dir=config_dir)
        return campaign.preflight(approvals=approvals, holds=holds)

    return vault.run(look)


def apply_cleanup(
    vault: Vault,
    plan: Plan | str | os.PathLike[str],
    *,
    store: str | os.PathLike[str],
    confirm: str,
    approvals: Sequence[Approval] = (),
    holds: Sequence[Path] = (),
    by: str | None = None,
    on_progress: Callable[[CampaignStatus], None] | None = None,
    config_dir: Path | None = None,
) -> CampaignStatus:
    """Delete the cards of a plan, or go on with it; returns when held or over.

    Ctrl-C pauses: the calls in flight are still answered and written down, however often it is
    pressed. Parameters and errors are those of `Campaign.open` and `Campaign.apply`.

    Returns
    -------
    CampaignStatus
        In state ``held`` after the canary; apply the plan again to go on.
    """

    async def act(campaign: Campaign) -> CampaignStatus:
        return await campaign.apply(
            confirm=confirm, approvals=approvals, holds=holds, by=by, on_progress=on_progress
        )

    return _run(vault, plan, store, act, config_dir)


def abort_cleanup(
    vault: Vault,
    plan: Plan | str | os.PathLike[str],
    *,
    store: str | os.PathLike[str],
    on_progress: Callable[[CampaignStatus], None] | None = None,
    config_dir: Path | None = None,
) -> CampaignStatus:
    """End a campaign for good; see `Campaign.abort`."""

    async def act(campaign: Campaign) -> CampaignStatus:
        return await campaign.abort(on_progress=on_progress)

    return _run(vault, plan, store, act, config_dir)


def recover_cleanup(
    vault: Vault,
    plan: Plan | str | os.PathLike[str],
    *,
    store: str | os.PathLike[str],
    by: str | None = None,
    on_progress: Callable[[CampaignStatus], None] | None = None,
    config_dir: Path | None = None,
) -> CampaignStatus:
    """Find out by reading alone what has become of a campaign's cards; see `Campaign.recover`."""

    async def act(campaign: Campaign) -> CampaignStatus:
        return await campaign.recover(by=by, on_progress=on_progress)

    return _run(vault, plan, store, act, config_dir)


def _run(
    vault: Vault,
    plan: Plan | str | os.PathLike[str],
    store: str | os.PathLike[str],
    act: Callable[[Campaign], Awaitable[CampaignStatus]],
    config_dir: Path | None,
) -> CampaignStatus:
    check_client(vault)
    opened = Campaign.open(plan, store, config_dir=config_dir)
    begun, over = threading.Event(), threading.Event()
    campaigns: list[Campaign] = []

    async def work(connected: AsyncVault) -> CampaignStatus:
        begun.set()
        try:
            campaigns.append(Campaign.open(opened.plan, store, connected, config_dir=config_dir))
            return await act(campaigns[0])
        finally:
            over.set()

    def interrupt() -> None:
        for campaign in campaigns:
            campaign.interrupt()

    try:
        return vault.run(work, on_interrupt=interrupt)
    except KeyboardInterrupt:
        if not begun.is_set():
            raise
        _wait(over)
        raise CampaignPaused(
            "interrupted; the calls in flight were answered and written down. Run the same command"
            " again to go on"
        ) from None


def _wait(over: threading.Event) -> None:
    """Wait until all is written down, whatever is pressed meanwhile."""
    while not over.is_set():
        try:
            over.wait()
        except KeyboardInterrupt:
            continue
