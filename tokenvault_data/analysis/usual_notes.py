"""Notes under many tables: how expiry is judged, what was left out, what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.predicate_nodes import All
from tokenvault_data.analysis.wording import counted

if TYPE_CHECKING:
    from tokenvault_data.analysis.predicate import Predicate
    from tokenvault_data.analysis.source import Source

VALID_THROUGH: Final = "A card is valid through its expires_on, judged by the day in India."
"""The note of every table that tells expired cards from valid ones."""


def filter_note(condition: Predicate | None) -> list[str]:
    """Return the note on which cards a table is about; empty when it is about all."""
    if condition is None or condition == All(()):
        return []
    return [f"Only cards of which this holds: {condition.sentence()}."]


def not_fetched_note(source: Source) -> list[str]:
    """Return the note on customers of whom nothing is known; empty when there are none."""
    if source.snapshot is None:
        return []
    facts = source.snapshot.manifest
    missing = facts.outcomes["failed"] + facts.outcomes["not_attempted"]
    if not missing:
        return []
    customers = counted(missing, "customer")
    return [f"Nothing is known of {customers} of {facts.requested:,}: they were not fetched."]
