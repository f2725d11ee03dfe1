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
        The part of it that is ours to use at most.
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
    share_now : float
        The part of it that is this client's now: less than `share` while other processes of this
        user work on the same account; 0 before anything was sent.
    is_searching : bool
        Whether the answers tell no limit and no refusal has shown it yet, so that the rate is
        raised slowly.
    found_per_minute : float or None
        The limit as refusals have shown it, where the answers tell none.
    refused_seconds : float
        For how long the account has answered with nothing but 429; 0 while it answers.
    """

    limit_per_minute: int | None
    share: float
    rate_per_minute: float | None
    sent_last_minute: int
    refusals: int
    waiting_for: str | None
    waiting_seconds: float
    share_now: float = 0.0
    is_searching: bool = False
    found_per_minute: float | None = None
    refused_seconds: float = 0.0
