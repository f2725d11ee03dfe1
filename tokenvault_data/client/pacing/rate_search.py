"""Finding the rate that an account bears from refusals alone."""

from __future__ import annotations

import math

# After a refusal: so long at the lower rate before it is raised again.
_FIRST_HOLD_SECONDS = 20.0
_LONGEST_HOLD_SECONDS = 900.0
# Growth a second: of a rate known to be far too low, and of one believed to be right.
_GROWTH_SEEKING = 0.35
_GROWTH_FIRST = 0.0005
_GROWTH_LARGEST = 0.05
_BELOW_MEASURED = 0.99
_LOWEST_STEP = 0.97
# A refusal that lasts longer than this is that of a window, not of a bucket that drips.
_WINDOW_LIKE_SECONDS = 5.0
_WHOLE_WINDOW_SECONDS = 30.0


class RateSearch:
    """A ceiling on the rate, lowered by refusals and raised again, ever more slowly if in vain.

    Parameters
    ----------
    ventures : bool
        Whether to go beyond what was once measured, to find a limit that was raised. Who uses
        only a part of the limit would not notice going too far; others on the account would.

    Attributes
    ----------
    rate : float
        Requests a second, infinite until the first refusal.
    found : bool
        Whether a limit has been measured.
    ventures : bool
        As given; may change.
    """

    def __init__(self, *, ventures: bool) -> None:
        self.rate = math.inf
        self.ventures = ventures
        self._best = math.inf
        self.found = False
        self._began_at: float | None = None
        self._blocked_at: float | None = None
        self._lifted_at = -math.inf
        self._measured = 0.0
        self._refused_rate = 0.0
        self._hold_seconds = _FIRST_HOLD_SECONDS
        self._hold_until = -math.inf
        self._grown_at = 0.0
        self._growth = _GROWTH_FIRST

    @property
    def is_blocked(self) -> bool:
        """True from a refusal to the next request that is let through."""
        return self._blocked_at is not None

    def begin(self, now: float) -> None:
        """Note the first request."""
        self._began_at = now

    def refused(self, now: float, admitted_in_window: int, believed_rate: float) -> None:
        """Take in a refusal.

        Parameters
        ----------
        now : float
            When the refusal came in.
        admitted_in_window : int
            Requests let through in the minute before.
        believed_rate : float
            Requests a second that ought to have been allowed, infinite if nothing is known.
        """
        if math.isinf(self.rate) and math.isfinite(believed_rate):
            self.rate = believed_rate
            self.found = True
        if self._blocked_at is None:
            self._grow(now)
            self._blocked_at = now
            self._measured = admitted_in_window / 60.0

    def lifted(self, now: float, admitted_in_window: int, admitted_since_lift: int) -> None:
        """Take in that a request was let through after a refusal.

        Parameters
        ----------
        now : float
            When it was sent.
        admitted_in_window : int
            Requests let through in the minute before.
        admitted_since_lift : int
            Requests let through since the last refusal but one had ended.
        """
        if self._blocked_at is None:
            return
        blocked_seconds = now - self._blocked_at
        measured = max(self._measured, admitted_in_window / 60.0)
        since = max(self._lifted_at, self._began_at or 0.0)
        if math.isinf(self.rate):
            self.rate = max(measured, 1.0 / 60.0)
            self.found = blocked_seconds > _WINDOW_LIKE_SECONDS
        elif not self.found and blocked_seconds <= _WINDOW_LIKE_SECONDS:
            # Growing, it overshot; the average since the last refusal lies below the limit.
            average = admitted_since_lift / max(1.0, self._blocked_at - since)
            self.rate = max(average, 0.7 * self.rate)
            self.found = True
        else:
            self.found = True
            self._lower(measured)
            if blocked_seconds > _WINDOW_LIKE_SECONDS and now - since >= _WHOLE_WINDOW_SECONDS:
                # From the end of one refusal to the end of the next: just what a window holds.
                average = admitted_since_lift / (now - since)
                self.rate = min(self.rate, _BELOW_MEASURED * average)
        if self.found and math.isinf(self._best):
            self._best = self.rate
        self._blocked_at = None
        self._lifted_at = now
        self._hold_until = now + (self._hold_seconds if self.found else 0.0)
        self._grown_at = self._hold_until
        self._growth = _GROWTH_FIRST if self.found else _GROWTH_SEEKING

    def _lower(self, measured: float) -> None:
        blocked_at = self._blocked_at or 0.0
        if blocked_at > self._hold_until:
            # Raised in vain if it was refused at the same rate the time before.
            in_vain = abs(self.rate - self._refused_rate) <= 0.03 * self.rate
            self._hold_seconds = (
                min(2.0 * self._hold_seconds, _LONGEST_HOLD_SECONDS)
                if in_vain
                else _FIRST_HOLD_SECONDS
            )
            self._refused_rate = self.rate
        # What a blocked minute let through is a low estimate, so it is believed step by step.
        self.rate = _BELOW_MEASURED * min(self.rate, max(measured, _LOWEST_STEP * self.rate))

    @property
    def lifted_at(self) -> float:
        """When the last refusal ended."""
        return self._lifted_at

    def rate_at(self, now: float) -> float:
        """The ceiling now, in requests a second."""
        if self._blocked_at is None and now > self._hold_until:
            self._grow(now)
        return self.rate

    def _grow(self, now: float) -> None:
        passed = now - self._grown_at
        if math.isinf(self.rate) or passed <= 0:
            return
        self.rate *= math.exp(min(1.0, self._growth * passed))
        if self.found and not self.ventures:
            self.rate = min(self.rate, self._best)
        if self.found:
            # A limit that was raised is found in a minute or two.
            doublings = min(passed / 20.0, 10.0)  # from first to largest; a night has too many
            self._growth = min(_GROWTH_LARGEST, self._growth * 2.0**doublings)
        self._grown_at = now
