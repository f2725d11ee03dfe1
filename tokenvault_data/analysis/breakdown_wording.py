"""What a breakdown says in words: its finding as the title, and the notes to read it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenvault_data.analysis.cards.notes import VALID_THROUGH, filter_note
from tokenvault_data.dataset.derived_dimensions import TIME_ORDERED
from tokenvault_data.text import counted, long_day, percent

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from tokenvault_data.analysis.filters.filters import Predicate

_LONGEST_NAME = 60
MOST_NAMED = 2
"""Leaders that a title names; it counts them where there are more."""


@dataclass(frozen=True, slots=True)
class BrokenDown:
    """What was broken down.

    Attributes
    ----------
    by : tuple of str
    cards, customers : int
        All that pass the filter.
    missing : tuple of int
        By column of `by`, the cards that have no value in it.
    most : int
        Cards of the largest group that has a value in each column of `by`.
    leaders : tuple of tuple
        Values, as text, of the groups of that size, the first few.
    leader_count : int
        How many groups are of that size.
    expired : int or None
        Cards that had expired, where the breakdown is by ``expires_in`` alone.
    condition : Predicate or None
        The filter.
    as_of : datetime.date
    """

    by: tuple[str, ...]
    cards: int
    customers: int
    missing: tuple[int, ...]
    most: int
    leaders: tuple[tuple[str, ...], ...]
    leader_count: int
    expired: int | None
    condition: Predicate | None
    as_of: date

    @property
    def as_of_matters(self) -> bool:
        """Whether another day could give other figures."""
        asked = self.condition.columns if self.condition is not None else frozenset()
        return "expires_in" in {*self.by, *asked}


def title_of(found: BrokenDown) -> str:
    """Return the finding of a breakdown in one line."""
    if not found.cards:
        return "There are no cards" if found.condition is None else "No card passes the filter"
    all_cards = counted(found.cards, "card")
    if found.expired is not None:
        share = percent(found.expired / found.cards)
        return f"{share} of {all_cards} had expired before {long_day(found.as_of)}"
    if not found.leader_count:
        return f"{' or '.join(found.by)} is missing for every one of {all_cards}"
    return _lead(found, f"{percent(found.most / found.cards)} of {all_cards}")


def notes_on(table: pa.Table, found: BrokenDown) -> list[str]:
    """Return what has to be known to read a breakdown, a sentence each."""
    cards, customers = counted(found.cards, "card"), counted(found.customers, "customer")
    notes = [f"{cards} of {customers} in all.", *filter_note(found.condition)]
    notes += [
        f"{counted(missing, 'card has', 'cards have')} no {column}."
        for column, missing in zip(found.by, found.missing, strict=True)
        if missing
    ]
    if sum(table["customers"].to_pylist()) > found.customers:
        notes.append("A customer counts in each row that holds a card of theirs.")
    if found.as_of_matters:
        notes.append(f"expires_in counts from {long_day(found.as_of)}. {VALID_THROUGH}")
    return notes


def _lead(found: BrokenDown, share: str) -> str:
    leaders = [", ".join(map(_shown, leader)) for leader in found.leaders]
    if found.leader_count > MOST_NAMED:
        return f"{found.leader_count:,} groups lead with {share} each"
    if found.leader_count > 1:
        return f"{' and '.join(leaders)} lead with {share} each"
    if len(found.by) == 1 and found.by[0] in TIME_ORDERED:
        return f"{found.by[0]} {leaders[0]} has the most cards, {share}"
    return f"{leaders[0]} leads with {share}"


def _shown(value: str) -> str:
    """Return a value as part of one line, whatever the vault sent as the name of a bank."""
    text = "".join(sign if sign.isprintable() else " " for sign in value)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
