"""How far a collection is, as a value that any display can show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tokenvault_data.client.pacing.budget import Budget

Phase = Literal["collecting", "out_of_reach", "publishing", "ended"]


@dataclass(frozen=True, slots=True)
class Progress:
    """A collection at one moment.

    Attributes
    ----------
    phase : {'collecting', 'out_of_reach', 'publishing', 'ended'}
    run_id : str
        By which the collection can be gone on with.
    requested : int
        Customers on the list.
    resumed : int
        Customers whose outcome an earlier session of the same run had found already.
    fetched, empty, failed : int
        Outcomes found in this session.
    cards : int
        Instruments received in this session.
    requests : int
        Sent for the outcomes of this session.
    elapsed_seconds : float
        Since this session began.
    customers_per_minute, requests_per_minute : float
        Over the last half minute.
    out_for_seconds : float
        How long the vault has been out of reach; 0 while it answers.
    budget : Budget or None
        The account's rate limit as known now; None before the client has started.
    """

    phase: Phase
    run_id: str
    requested: int
    resumed: int
    fetched: int
    empty: int
    failed: int
    cards: int
    requests: int
    elapsed_seconds: float
    customers_per_minute: float
    requests_per_minute: float
    out_for_seconds: float
    budget: Budget | None

    @property
    def done(self) -> int:
        """Customers with an outcome, those of earlier sessions included."""
        return self.resumed + self.fetched + self.empty + self.failed

    @property
    def seconds_left(self) -> float | None:
        """Time the rest takes at the present pace; None while the pace is not known."""
        if self.customers_per_minute <= 0:
            return None
        return (self.requested - self.done) / self.customers_per_minute * 60


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Show nothing."""


def in_words(seconds: float) -> str:
    """Write a length of time as people say it: ``1 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
