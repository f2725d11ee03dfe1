"""How cards and customers of a group stand in the register of a page, and what follows from both.

A reader who is told a group's cards and customers knows how many cards are somebody's second; one
who is told all customers, how many have no card in the group; and where all parts of a whole are
told, how often customers stand in several. Each of these is a number of the register, because each
may be about few customers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.reports.disclosure.small_groups import CUSTOMERS_HIDDEN
from tokenvault_data.reports.disclosure.suppression import NEVER_BEFORE, Figures

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

ALL: Final = "all"
"""All cards of the page, and all customers who have one."""

_CUSTOMERS_WEIGH: Final = 0.25
"""Of the weight of a group's cards: where one of both has to go, it is the customers."""


def cards_of(group: Hashable) -> Hashable:
    """Return the key of a group's cards."""
    return ("cards", group)


def customers_of(group: Hashable) -> Hashable:
    """Return the key of a group's customers."""
    return ("customers", group)


def start(smallest_cell: int, cards: int, customers: int) -> Figures:
    """Return a register that holds the totals of a page."""
    figures = Figures(smallest_cell)
    figures.add(cards_of(ALL), cards, customers, shown=NEVER_BEFORE)
    # With fewer customers there would be no figures at all.
    figures.add(customers_of(ALL), customers, shown=NEVER_BEFORE, least=smallest_cell)
    figures.rest(cards_of(ALL), [customers_of(ALL)])
    return figures


def add_group(
    figures: Figures,
    group: Hashable,
    cards: int,
    people: int,
    *,
    shown: float | None = None,
    customers: int | None = None,
    of: Hashable | None = ALL,
) -> Hashable:
    """Add a group's cards and, where the page tells them, its customers.

    Parameters
    ----------
    figures : Figures
    group : hashable
    cards : int
    people : int
        Customers, or a number that they certainly reach.
    shown : float, optional
        Weight of its figures; not given where the page does not show them.
    customers : int, optional
        Its distinct customers, where the page shows them.
    of : hashable, optional
        The group whose customers hold its own; None for none that the page tells.
    """
    key = figures.add(cards_of(group), cards, people, shown=shown)
    if shown is not None and customers is not None:
        told = figures.add(
            customers_of(group), customers, shown=shown * _CUSTOMERS_WEIGH, beside=key
        )
        figures.rest(key, [told])
        if of is not None:
            figures.rest(customers_of(of), [told])
    return key


def divide(figures: Figures, whole: Hashable, parts: Sequence[Hashable]) -> None:
    """Say that groups make up another, each card of which is in one of them."""
    figures.total(cards_of(whole), [cards_of(part) for part in parts])
    if customers_of(whole) not in figures or not parts:
        return
    people = [
        customers_of(part) if customers_of(part) in figures else cards_of(part) for part in parts
    ]
    figures.at_most(customers_of(whole), people)
    if all(customers_of(part) in figures for part in parts):
        together = figures.add(("together", whole, *parts), sum(map(figures.value, people)))
        figures.total(together, people)
        figures.rest(together, [customers_of(whole)])


def share_of(cards: int | None, total: int | None) -> float | None:
    """Return a share as far as both figures tell it; nothing is 0 of any total."""
    if cards is None or (cards and total is None):
        return None
    return cards / max(total or 0, 1)


def line(figures: Figures, group: Hashable, all_cards: Hashable = ALL) -> dict[str, Any]:
    """Return what a table may say of a group; a share needs the total it is of, too."""
    cards = figures.published(cards_of(group))
    total = figures.published(cards_of(all_cards))
    told = customers_of(group)
    customers = figures.published(told) if told in figures else None
    return {
        "cards": cards,
        "customers": customers,
        CUSTOMERS_HIDDEN: cards is None or (told in figures and customers is None),
        "share": share_of(cards, total),
    }
