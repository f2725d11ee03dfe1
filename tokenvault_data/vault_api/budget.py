"""What is known of the account's budget at a moment, for people to see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """The state of the budget, for progress displays.

    Attributes
    ----------
    limit_per_minute : int or None
        The account's limit as last told, None while unknown.
    share : float
        The part of it that is ours to use.
    rate_per_minute : float or None
        At what rate requests leave now, None when nothing holds them back.
    sent_last_minute : int
        Requests that left in the last 60 seconds.
    refusals : int
        Answers with status 429 so far.
    waiting_for : str or None
        Why no request leaves at the moment, None when one may, or will within a second.
    waiting_seconds : float
        For how long, as far as is known; 0 when `waiting_for` is None.
    """

    limit_per_minute: int | None
    share: float
    rate_per_minute: float | None
    sent_last_minute: int
    refusals: int
    waiting_for: str | None
    waiting_seconds: float
