"""What a selection would meet on its way to becoming a plan; decided here, acted upon elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.selection.limits import Limits, Violation, cap_named, check_caps

if TYPE_CHECKING:
    from datetime import datetime

    from tokenvault_data.cleanup.selection.selection import Selection

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far two clocks may disagree before neither age nor order of events is believed."""


def guard_rails_met(selection: Selection, limits: Limits, now: datetime) -> list[Violation]:
    """Return every guard rail that keeps a selection from being planned, caps first.

    Parameters
    ----------
    selection : Selection
    limits : Limits
    now : datetime
        With a zone.
    """
    found = check_caps(selection.planned, selection.vault, limits)
    oldest, newest = selection.oldest_fetched_at, selection.newest_fetched_at
    if oldest is not None and too_old(oldest, limits.snapshot_hours, now):
        hours = (now - oldest) / timedelta(hours=1)
        found.append(
            Violation(
                "snapshot_hours",
                f"the snapshot's oldest card was fetched {hours:,.1f} hours ago, and "
                f"{cap_named('snapshot_hours')} is {limits.snapshot_hours:g}",
            )
        )
    if newest is not None and newest > now + CLOCK_TOLERANCE:
        found.append(
            Violation(
                "snapshot_hours",
                "the snapshot holds cards fetched in the future, so a clock is wrong and no age "
                "can be told",
            )
        )
    if selection.planned.cards and not selection.controls:
        found.append(
            Violation(
                "controls",
                "no customer outside the plan has a usable card, and without such a control card "
                "a deleted card cannot be told from a wrong account",
            )
        )
    return found


def too_old(made_at: datetime, hours: float, now: datetime) -> bool:
    """Decide whether something is older than so many hours; of 0 hours everything is."""
    return hours == 0 or now - made_at > timedelta(hours=hours)
