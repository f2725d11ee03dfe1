"""What a reader has to know of a snapshot before its figures: how whole it is, and how old."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.wording import counted, long_day
from tokenvault_data.dataset.instants import INDIA

if TYPE_CHECKING:
    from tokenvault_data.dataset.manifest import Manifest
    from tokenvault_data.widgets.parts.prose import Block


_PARTIAL: Final = (
    "This snapshot is partial: what the missing customers have saved is in no figure here. Try them"
    " again before you act on it."
)


def snapshot_blocks(facts: Manifest) -> list[Block]:
    """Return the heading of a panel on a snapshot, and what limits its figures."""
    collected = datetime.fromisoformat(facts.finished_at).astimezone(INDIA)
    when = f"collected {long_day(collected.date())}, {collected:%H:%M} India time"
    blocks: list[Block] = [
        ("heading", f"{counted(facts.instruments, 'card')} of the {facts.environment} vault"),
        ("note", f"Snapshot {facts.id}, {when}; {coverage(facts)}."),
    ]
    if not facts.complete:
        blocks.append(("warning", _PARTIAL))
    return blocks


def short_name(facts: Manifest) -> str:
    """Name a snapshot in a list: by its day and time in India, and the end of its id.

    Parameters
    ----------
    facts : Manifest
    """
    collected = datetime.fromisoformat(facts.finished_at).astimezone(INDIA)
    return f"{long_day(collected.date())}, {collected:%H:%M} ({facts.id.rpartition('-')[2]})"


def coverage(facts: Manifest) -> str:
    """Say how many of the customers that were asked for are in a snapshot."""
    answered = facts.outcomes.get("fetched", 0) + facts.outcomes.get("empty", 0)
    if answered == facts.requested:
        return f"all {counted(facts.requested, 'customer')} answered for"
    return f"{answered:,} of {counted(facts.requested, 'customer')} answered for"
