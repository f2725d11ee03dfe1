"""A few cards out of many, spread over banks and customers: for canaries and control reads."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.cleanup.selection.cards import PlannedCard

CANARY_SHARE: Final = 100
"""One card in so many is in the canary, up to the limit."""


class Placed(NamedTuple):
    """Where a card stands: its bank, None where that is missing, and its customer."""

    bank: str | None
    customer_id: str


def spread(cards: Sequence[Placed], count: int, *, repeat_customers: bool) -> list[int]:
    """Choose cards bank by bank in turn, banks of many cards first, customers as rarely as can be.

    Parameters
    ----------
    cards : sequence of Placed
        Better ones first.
    count : int
        How many are wanted.
    repeat_customers : bool
        Whether to take a second card of a customer when no other customer is left.

    Returns
    -------
    list of int
        Places in `cards`, at most `count`, in the order chosen. The same for the same cards.
    """
    chosen = _round(cards, range(len(cards)), count)
    while repeat_customers and len(chosen) < min(count, len(cards)):
        taken = set(chosen)
        left = [place for place in range(len(cards)) if place not in taken]
        chosen += _round(cards, left, count - len(chosen))
    return chosen


def canary_of(cards: Sequence[PlannedCard], most: int) -> tuple[int, ...]:
    """Return the numbers of the cards that go first: one in a hundred, 1 to `most`.

    They are spread over banks, and over customers as far as there are enough.
    """
    count = min(most, -(-len(cards) // CANARY_SHARE))
    places = [Placed(card.bank, card.customer_id) for card in cards]
    return tuple(sorted(spread(places, count, repeat_customers=True)))


def _round(cards: Sequence[Placed], places: Sequence[int], count: int) -> list[int]:
    """Choose among some places, no customer twice."""
    by_bank: defaultdict[str | None, deque[int]] = defaultdict(deque)
    for place in places:
        by_bank[cards[place].bank].append(place)
    turns = deque(sorted(by_bank, key=lambda bank: (-len(by_bank[bank]), bank is None, bank or "")))
    chosen: list[int] = []
    customers: set[str] = set()
    while turns and len(chosen) < count:
        queue = by_bank[turns[0]]
        while queue and cards[queue[0]].customer_id in customers:
            queue.popleft()
        if not queue:
            turns.popleft()
            continue
        chosen.append(queue.popleft())
        customers.add(cards[chosen[-1]].customer_id)
        turns.rotate(-1)
    return chosen
