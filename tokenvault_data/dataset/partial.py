"""What a partial snapshot lacks, in a sentence for whoever reads figures of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenvault_data.dataset.manifest import Manifest


_NAMED: Final = 2


def not_fetched(facts: Manifest) -> int:
    """Return how many customers of a snapshot failed or were not attempted."""
    return facts.outcomes["failed"] + facts.outcomes["not_attempted"]


def partial_notes(*manifests: Manifest) -> list[str]:
    """Return a sentence for each snapshot that is partial, with how many customers are missing."""
    partial = list({facts.id: facts for facts in manifests if not_fetched(facts)}.values())
    if len(partial) > _NAMED:
        missing = sum(map(not_fetched, partial))
        lacking = f"{missing:,} customers' lists had no answer."
        return [f"{len(partial):,} of the snapshots are partial: {lacking}"]
    return [_note(facts) for facts in partial]


def _note(facts: Manifest) -> str:
    causes = [
        f"{facts.outcomes[name]:,} {name.replace('_', ' ')}"
        for name in ("failed", "not_attempted")
        if facts.outcomes[name]
    ]
    asked_for = "customer" if facts.requested == 1 else "customers"
    return (
        f"Snapshot {facts.id} is partial: {not_fetched(facts):,} of"
        f" {facts.requested:,} {asked_for} were not fetched ({', '.join(causes)}). What they"
        " have saved is not known."
    )
