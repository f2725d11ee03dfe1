"""Whether far more customers than usual have no cards: a list of wrong ids looks just like that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokenvault_data.dataset.manifest import Manifest

ENOUGH: Final = 20
"""Customers answered below which a share says nothing."""

MORE: Final = 0.10
"""A share of customers without cards this much above the usual one is said, if it is not chance."""

MUCH: Final = 0.50
"""A share that is said where there is nothing to compare with."""

_SIGMAS: Final = 4.0


def unusual_share(outcomes: Mapping[str, int], earlier: Sequence[Manifest]) -> str | None:
    """Say in a sentence that customers without cards are unusually many; None where they are not.

    Parameters
    ----------
    outcomes : mapping of str to int
        Customers by outcome.
    earlier : sequence of Manifest
        Snapshots of the same account; those with a notice of their own are no measure.
    """
    answered = outcomes["fetched"] + outcomes["empty"]
    if answered < ENOUGH:
        return None
    share = outcomes["empty"] / answered
    known = [one.outcomes for one in earlier if not one.notices]
    measured = sum(one["fetched"] + one["empty"] for one in known)
    said = f"{outcomes['empty']:,} of {answered:,} customers ({share:.0%}) have no cards"
    if measured < ENOUGH:
        if share < MUCH:
            return None
        return f"{said}: check that the list names customers, and in the right spelling."
    usual = sum(one["empty"] for one in known) / measured
    spread = max(usual, 1 / measured)
    chance = _SIGMAS * math.sqrt(spread * (1 - spread) * (1 / answered + 1 / measured))
    if share <= usual + max(MORE, chance):
        return None
    return (
        f"{said}, and {usual:.0%} had none in earlier snapshots: check that the list names"
        " customers, and in the right spelling."
    )
