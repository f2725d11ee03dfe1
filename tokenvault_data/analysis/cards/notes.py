"""Notes under many tables: how expiry is judged, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.filters.expressions import All

if TYPE_CHECKING:
    from tokenvault_data.analysis.filters.filters import Predicate

VALID_THROUGH: Final = "A card is valid through its expires_on, judged by the day in India."
"""The note of every table that tells expired cards from valid ones."""


def filter_note(condition: Predicate | None) -> list[str]:
    """Return the note on which cards a table is about; empty when it is about all."""
    if condition is None or condition == All(()):
        return []
    return [f"Only cards of which this holds: {condition.sentence()}."]
