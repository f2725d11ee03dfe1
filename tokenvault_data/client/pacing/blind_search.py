"""Finding the rate of an account whose answers say nothing of a limit, by refusals alone.

It starts low and grows slowly, because others live on the account and each step too far is theirs
to bear. The first refusal shows the limit; from then on our share of it is kept. Who has the whole
account to himself goes on trying a little more now and then; anyone else would not notice going
too far.
"""

from __future__ import annotations

import math
from typing import NamedTuple

START_PER_MINUTE = 30.0
GROWTH_PER_MINUTE = 0.10
KEPT_SECONDS = 86_400.0
"""So long what was found is believed; then the search goes on from where it stands."""
LEAST_PER_MINUTE = 1.0
MOST_PER_MINUTE = 6000.0
"""No faster than this while nothing tells a limit, whatever was let through or learned before."""

_GROWTH = math.log1p(GROWTH_PER_MINUTE) / 60.0
_HALF = 0.5
_LEAST_PER_SECOND = LEAST_PER_MINUTE / 60.0
_MOST_PER_SECOND = MOST_PER_MINUTE / 60.0
_BELOW_FOUND = 0.98
_STEP_DOWN = 0.9
_SAME_PART = 0.03
# A minute on the way up may have held somewhat more than the limit, for those who count by minutes.
_FOUND_PART = 0.97
# Refused though fewer were let through than once before: two came too close together, no more.
_BRUSH_PART = 0.985
_BRUSH_LESS_PER_SECOND = 2.0 / 60.0  # a count of a minute is off by one or two
_BRUSH_STEP = 0.95
_BRUSH_FADES = 0.99
_BRUSHES_APART_SECONDS = 10.0
_FOUND_TOO_HIGH = 0.9
_FIRST_HOLD_SECONDS = 120.0
_LONGEST_HOLD_SECONDS = 1800.0
# Of a rate that was given: back from half of it in ten minutes, from nothing in twenty.
_REGROWN_PER_SECOND = 0.05 / 60.0
_BETWEEN_LOWERINGS_SECONDS = 60.0


class Learned(NamedTuple):
    """What a search has come to, to go on from later.

    Attributes
    ----------
    rate_per_minute : float
        At which all of ours sent.
    limit_per_minute : float or None
        Of the account, as the first refusal showed it; None while nothing was refused.
    limit_age_seconds : float
        How long before the last request that was.
    """

    rate_per_minute: float
    limit_per_minute: float | None
    limit_age_seconds: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether a search can have come to it."""
        return (
            LEAST_PER_MINUTE <= self.rate_per_minute <= MOST_PER_MINUTE
            and (
                self.limit_per_minute is None
                or LEAST_PER_MINUTE <= self.limit_per_minute <= MOST_PER_MINUTE
            )
            and 0.0 <= self.limit_age_seconds < math.inf
        )


class FixedRate:
    """A rate that the user has given: refusals halve it for a while, and nothing is searched for.

    It takes the place of a `BlindSearch`.

    Parameters
    ----------
    given : float
        Requests a second.
    """

    found: float | None = None
    is_searching = False
    learned: Learned | None = None

    def __init__(self, given: float) -> None:
        self._given = given
        self.rate = given
        self._lowered_at = -math.inf

    def sent(self, now: float, seconds_used: float, share: float) -> None:  # noqa: ARG002  as there
        """Grow back to what was given, by time that is used."""
        grown = self.rate + _REGROWN_PER_SECOND * self._given * seconds_used
        self.rate = min(self._given, grown)

    def refused(self, now: float, measured: float, share: float) -> None:  # noqa: ARG002  as there
        """Take in a refusal; several in one minute are one."""
        if now - self._lowered_at >= _BETWEEN_LOWERINGS_SECONDS:
            self._lowered_at = now
            self.rate = min(self._given, max(_LEAST_PER_SECOND, _HALF * self.rate))

    def lifted(self, now: float) -> None:
        """A request was let through again: no news."""

    def adopt(self, learned: Learned, now: float, share: float) -> None:
        """What was learned before counts for nothing beside what was given."""

    def follow_share(self, share: float) -> None:
        """It is not divided."""

    def follow_clock(self, jump: float) -> None:
        """Keep what is known though the clock was put back."""
        self._lowered_at += jump


class BlindSearch:
    """The rate for all of ours together, in requests a second.

    Attributes
    ----------
    rate : float
    found : float or None
        The account's limit as refusals showed it, requests a second.
    is_blocked : bool
        True from a refusal to the next request that is let through.
    """

    def __init__(self) -> None:
        self.rate = START_PER_MINUTE / 60.0
        self.found: float | None = None
        self.is_blocked = False
        self._cap = _MOST_PER_SECOND
        self._found_at = -math.inf
        self._sent_at = -math.inf
        self._lifted_at = -math.inf
        self._capped_since: float | None = None
        self._hold_seconds = _FIRST_HOLD_SECONDS
        self._refused_rate = 0.0
        self._most_measured = 0.0

    @property
    def is_searching(self) -> bool:
        """Whether no refusal has shown the limit yet."""
        return self.found is None

    @property
    def learned(self) -> Learned | None:
        """What there is to go on from later."""
        if self.found is None:
            return Learned(60.0 * self.rate, None)
        age = max(0.0, self._sent_at - self._found_at)
        return Learned(60.0 * self.rate, 60.0 * self.found, age)

    def adopt(self, learned: Learned, now: float, share: float) -> None:
        """Go on from what was learned before, by this or another process."""
        rate = learned.rate_per_minute / 60.0
        if learned.limit_per_minute is None:
            if self.found is None:
                self.rate = min(self._cap, max(self.rate, rate))
            return
        self._find(learned.limit_per_minute / 60.0, now - learned.limit_age_seconds, share)
        self.rate = max(_LEAST_PER_SECOND, min(self._cap, rate))

    def sent(self, now: float, seconds_used: float, share: float) -> None:
        """Grow by the time that a request took up at the present rate, and by no idle time."""
        self._sent_at = now
        if self.is_blocked:
            return
        if self.found is not None and now - self._found_at > KEPT_SECONDS:
            self.found, self._cap = None, _MOST_PER_SECOND
        self.rate = min(self._cap, self.rate * math.exp(_GROWTH * seconds_used))
        if self.rate < self._cap or share < 1.0:
            self._capped_since = None
        elif self._capped_since is None:
            self._capped_since = now
        elif now - self._capped_since > self._hold_seconds:
            self._cap = _MOST_PER_SECOND  # up to the next refusal

    def refused(self, now: float, measured: float, share: float) -> None:
        """Take in a refusal.

        Parameters
        ----------
        now : float
        measured : float
            Requests a second that were let through in the minute before, for all of ours; infinite
            where that is not known.
        share : float
            Of the account, for all of ours.
        """
        if self.is_blocked:
            return
        self.is_blocked = True
        if self._is_brush(now, measured, share):
            self._most_measured *= _BRUSH_FADES
            self.rate *= _BRUSH_STEP
            return
        reached = min(self.rate, max(measured, _HALF * self.rate))
        self._most_measured = reached
        step = _HALF if self.found is None or share < 1.0 else _STEP_DOWN
        lowered = step * self.rate
        if self.found is None:
            self._find(reached if share >= 1.0 else _FOUND_PART * reached, now, share)
        elif share < 1.0:
            if self.rate > _FOUND_TOO_HIGH * self._cap:  # what was found is not there any more
                self._find(_FOUND_TOO_HIGH * self.found, now, share)
        else:
            # A window is met again and again at the same count.
            in_vain = abs(reached - self._refused_rate) <= _SAME_PART * self._refused_rate
            self._hold_seconds = (
                min(2.0 * self._hold_seconds, _LONGEST_HOLD_SECONDS)
                if in_vain
                else _FIRST_HOLD_SECONDS
            )
            self._find(reached, now, share)
        self._refused_rate = reached
        self._capped_since = None
        self.rate = max(_LEAST_PER_SECOND, min(lowered, self._cap))

    def _is_brush(self, now: float, measured: float, share: float) -> bool:
        return (
            share >= 1.0
            and self.found is not None
            and measured <= _BRUSH_PART * self._most_measured - _BRUSH_LESS_PER_SECOND
            and now - self._lifted_at > _BRUSHES_APART_SECONDS
        )

    def lifted(self, now: float) -> None:
        """Take in that a request was let through again."""
        if self.is_blocked:
            self.is_blocked = False
            self._lifted_at = now

    def follow_share(self, share: float) -> None:
        """Keep another share of what was found."""
        if self.found is not None:
            self._cap = _cap(self.found, share)
            self.rate = min(self.rate, self._cap)

    def follow_clock(self, jump: float) -> None:
        """Keep what is known though the clock was put back."""
        self._found_at += jump
        self._sent_at += jump
        self._lifted_at += jump
        self._capped_since = None

    def _find(self, limit: float, now: float, share: float) -> None:
        self.found, self._found_at = max(_LEAST_PER_SECOND, limit), now
        self._cap = _cap(self.found, share)


def _cap(limit: float, share: float) -> float:
    return max(_LEAST_PER_SECOND, min(share, _BELOW_FOUND) * limit)
