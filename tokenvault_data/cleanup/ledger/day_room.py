"""What is left of an account's caps per day, which count the last 24 hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenvault_data.cleanup.selection.limits import allowed_of
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.cleanup.selection.limits import Limits


@dataclass(frozen=True, slots=True)
class DayRoom:
    """How many deletes the last 24 hours of an account hold, and how many are allowed.

    Attributes
    ----------
    sends, sends_allowed : int
        Deletes sent by all campaigns, those of unknown result included.
    cards, cards_allowed : int
        Different cards they were sent for; a share of the vault is allowed.
    """

    sends: int
    sends_allowed: int
    cards: int
    cards_allowed: int

    @property
    def left(self) -> int:
        """How many cards can still be attempted now."""
        return max(0, min(self.sends_allowed - self.sends, self.cards_allowed - self.cards))

    def sentence(self, planned: int) -> str:
        """Say what is left, and whether that number of cards fits."""
        sends = max(0, self.sends_allowed - self.sends)
        cards = max(0, self.cards_allowed - self.cards)
        text = (
            f"Left of the account's daily caps: {sends:,} of {self.sends_allowed:,} deletes,"
            f" and {cards:,} of {counted(self.cards_allowed, 'different card')}"
        )
        if planned <= self.left:
            return f"{text}."
        if min(self.sends_allowed, self.cards_allowed) == 0:
            return f"{text}. A cap of 0 allows nothing: the campaign would wait forever."
        return (
            f"{text}. {counted(planned, 'card')} will take longer than a day: the campaign waits"
            " while a cap is reached, and continues as the hours pass."
        )


def day_room(
    environment: str,
    merchant: str | None,
    limits: Limits,
    vault_cards: int,
    *,
    store: Path | None = None,
    config_dir: Path | None = None,
) -> DayRoom:
    """Read what the ledger of an account remembers of its last 24 hours.

    Parameters
    ----------
    environment : str
    merchant : str or None
        Of the account.
    limits : Limits
        Whose caps count.
    vault_cards : int
        What the share of the vault is a share of.
    store : path, optional
        Whose copy of the ledger counts as well.
    config_dir : Path, optional
        Configuration directory.
    """
    from tokenvault_data.cleanup.ledger.ledger import used_today

    used = used_today(environment, merchant, store=store, config_dir=config_dir)
    allowed = allowed_of(limits.vault_share, vault_cards)
    return DayRoom(used.sends, limits.per_day, used.cards, allowed)
