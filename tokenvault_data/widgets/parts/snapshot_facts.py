"""What a reader has to know of a snapshot before its figures: how whole it is, and how old."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tokenvault_data.dataset.flattening.instants import INDIA
from tokenvault_data.dataset.manifest import Manifest
from tokenvault_data.dataset.partial import partial_notes
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.text import counted, long_day

if TYPE_CHECKING:
    from tokenvault_data.widgets.parts.text import Block


def snapshot_blocks(facts: Manifest) -> list[Block]:
    """Return the heading of a panel on a snapshot, and what limits its figures."""
    collected = datetime.fromisoformat(facts.finished_at).astimezone(INDIA)
    when = f"collected {long_day(collected.date())}, {collected:%H:%M} India time"
    blocks: list[Block] = [
        ("heading", f"{counted(facts.instruments, 'card')} of the {facts.environment} vault"),
        ("note", f"Snapshot {facts.id}, {when}; {coverage(facts)}."),
    ]
    return [*blocks, *partial_blocks(facts)]


def partial_blocks(*shown: object) -> list[Block]:
    """Warn of each snapshot that is partial, with how many customers are missing.

    Parameters
    ----------
    *shown : object
        Manifests, snapshots, or whatever else a panel shows; tables have nothing to warn of.
    """
    facts = [one.manifest if isinstance(one, Snapshot) else one for one in shown]
    notes = partial_notes(*(one for one in facts if isinstance(one, Manifest)))
    return [("warning", f"{note} Try them again before you act on it.") for note in notes]


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
