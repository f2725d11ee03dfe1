"""What is left of the budget at this moment, and how fast it may be spent, from ``remaining``.

Services mean different things by the number: what is left of a fixed window, of a sliding one,
or in a token bucket. None says which. So the way in which credit comes back is inferred:
``remaining`` plus the number of our own requests so far stays level while nothing comes back,
sinks as others spend, leaps when a window starts afresh, and climbs when credit trickles back.

One rule then serves all: spend at the rate at which credit comes back net of what others take,
plus the credit in hand over the time in which it ought to be used. That time is what is left of
a fixed window, a moment when credit trickles back, and a minute while neither has been seen.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenvault_data.client.pacing.headers import LimitReading


_KEPT_SECONDS = 90.0
_TRIM_AT = 4096


class SendLog:
    """Send times, numbered from 1 in order; eight bytes each, those of the last minutes kept."""

    def __init__(self) -> None:
        self._times = array("d")
        self._forgotten = 0
        self._trim_at = _TRIM_AT

    @property
    def total(self) -> int:
        """How many requests have left since the start."""
        return self._forgotten + len(self._times)

    def add(self, now: float) -> None:
        """Note that a request leaves at `now`."""
        times = self._times
        if times and now < times[-1]:
            self.clear()  # the clock was put back: earlier times mean nothing any more
        times.append(now)
        if len(times) >= self._trim_at:
            old = bisect_left(times, now - _KEPT_SECONDS)
            del times[:old]
            self._forgotten += old
            # Trimming costs a pass over what is kept, so it has to become rarer as that grows.
            self._trim_at = max(_TRIM_AT, 2 * len(times))

    def number_of(self, sent_at: float) -> int:
        """Number of the last request that left at `sent_at` or before."""
        return self._forgotten + bisect_right(self._times, sent_at)

    def since(self, moment: float) -> int:
        """How many left at `moment` or later."""
        return len(self._times) - bisect_left(self._times, moment)

    def between(self, start: float, end: float) -> int:
        """How many left from `start` (included) to `end` (excluded)."""
        return bisect_left(self._times, end) - bisect_left(self._times, start)

    def clear(self) -> None:
        """Forget the times, keep the count."""
        self._forgotten += len(self._times)
        del self._times[:]


WINDOW_SECONDS = 60.0
# A client leaves unspent what comes to it in so many seconds. It is this droop that lets two
# clients with the same rule end up with equal parts: who has less leaves less.
_DROOP_SECONDS = 0.4
# A small bucket would overflow with as much left in it.
_DROOP_PART = 0.35
# Part of what others take that is granted them; less than all, for the same reason.
_YIELD = 0.8
_TRIALS = 8
# Two clocks part by up to so much a second.
_CLOCK_DRIFT = 1e-4


class Refill(Enum):
    """How credit has been seen to come back."""

    UNSEEN = "not seen yet"
    TRICKLE = "bit by bit"
    LEAP = "all at once, every minute"


class Credit:
    """The budget as the ``remaining`` headers show it."""

    def __init__(self, sends: SendLog) -> None:
        self._sends = sends
        self.refill = Refill.UNSEEN
        self.highest = 0  # the largest `remaining` seen since the limit last changed
        self.round_trip_seconds = 0.1
        self._limit: int | None = None
        self._outlasts = False
        self.forget()

    def forget(self) -> None:
        """Start anew, as after a long silence."""
        self.refill = Refill.UNSEEN
        self._seen = 0  # answers since this began
        self._first_at = 0.0
        self._remaining = 0
        self._number = 0  # of the request whose answer is the newest
        self._sent_at = -math.inf
        self._counted_at = -math.inf
        self._gain = 0.0  # net of what came back and what others took, fading
        self._gain_seconds = 0.0  # over so much time, fading alike
        self._leap: tuple[float, float] | None = None  # a leap happened between these times
        self._leap_seen_at = -math.inf

    @property
    def reference(self) -> int:
        """The whole budget as far as is known, in requests."""
        return self._limit or self.highest + 1

    @property
    def is_bucket(self) -> bool:
        """Tell whether more was sent in a minute than was ever left: then it fills as it goes."""
        return self._outlasts

    @property
    def is_on_trial(self) -> bool:
        """Tell whether there are too few answers yet to say how credit comes back."""
        return self._seen < _TRIALS

    @property
    def _memory_seconds(self) -> float:
        return max(6.0, 480.0 / self._yield_per_minute())

    @property
    def net_rate(self) -> float:
        """Requests a second that came back, less those that others took."""
        return self._gain / self._gain_seconds if self._gain_seconds > 0.2 else 0.0

    def known_at(self, now: float) -> bool:
        """Tell whether an answer of the last minute had the header."""
        return now - self._counted_at < WINDOW_SECONDS

    def is_stale(self, now: float) -> bool:
        """Tell whether there was such an answer, but none in the last minute."""
        return self._number > 0 and not self.known_at(now)

    def set_limit(self, limit: int) -> None:
        """Take note of the limit a minute."""
        if limit != self._limit:
            self._limit = limit
            self.highest = 0

    def learn(self, reading: LimitReading, sent_at: float, now: float, *, refused: bool) -> None:
        """Take in the answer, received `now`, to the request that left at `sent_at`."""
        remaining = reading.remaining
        if remaining is None:
            return
        number = self._sends.number_of(sent_at)
        if number <= self._number:
            return  # overtaken by the answer to a later request, which knows more
        self.round_trip_seconds += 0.1 * (min(now - sent_at, 5.0) - self.round_trip_seconds)
        counted_at = (sent_at + now) / 2
        passed = counted_at - self._counted_at
        if passed > WINDOW_SECONDS:
            self.forget()
            self._first_at = sent_at
        else:
            self._compare(remaining, number, passed, sent_at, now, refused=refused)
        self._seen += 1
        self.highest = max(self.highest, remaining)
        self._remaining, self._number = remaining, number
        self._sent_at, self._counted_at = sent_at, counted_at
        if self.refill is Refill.TRICKLE and not self._outlasts:
            last_minute = self._sends.since(now - WINDOW_SECONDS)
            self._outlasts = remaining + last_minute > 1.5 * (self.highest + 1)
        if self.refill is Refill.LEAP and reading.reset_after_seconds:
            # Whole seconds rounded up: the true time is up to one second earlier.
            reset = reading.reset_after_seconds
            self._narrow(sent_at + reset - 1.0, now + reset)

    def _compare(
        self,
        remaining: int,
        number: int,
        passed: float,
        sent_at: float,
        now: float,
        *,
        refused: bool,
    ) -> None:
        # A refused request took nothing, as a rule.
        gain = remaining + number - self._remaining - self._number - refused
        usual = 2.0 * self.reference / WINDOW_SECONDS * passed
        if gain > max(4.0, 0.1 * self.reference) + usual:
            self.refill = Refill.LEAP
            self._narrow(self._sent_at, now)
            self._leap_seen_at = now
            self._gain = min(self._gain, 0.0)
            self._outlasts = False
            return
        if passed <= 0 or gain > 3.0 + usual:
            return  # too much for a trickle, too little to be sure of a leap
        fade = math.exp(-passed / self._memory_seconds)
        self._gain = self._gain * fade + gain
        self._gain_seconds = self._gain_seconds * fade + passed
        trickle = 3.0
        if self.refill is Refill.LEAP:
            trickle = max(trickle, 0.3 * self.reference / WINDOW_SECONDS * self._memory_seconds)
        if self._gain >= trickle:
            self.refill = Refill.TRICKLE
        elif self.refill is Refill.LEAP and self._leap is not None:
            earliest, latest = self._window_start(now)
            if sent_at > latest and self._leap_seen_at < earliest:
                # The window should have started afresh, and this answer came after that.
                self._leap_seen_at = now
                if remaining < 0.5 * self.reference:
                    self._unsee(now)

    def _unsee(self, now: float) -> None:
        self.refill = Refill.UNSEEN
        self._leap = None
        self._first_at = now
        self._seen = _TRIALS

    def _narrow(self, earliest: float, latest: float) -> None:
        """Combine a new sighting of the moment of the leap with the earlier ones."""
        if self._leap is not None:
            turns = round((latest - self._leap[1]) / WINDOW_SECONDS) * WINDOW_SECONDS
            drift = _CLOCK_DRIFT * turns
            lower = max(earliest, self._leap[0] + turns - drift)
            upper = min(latest, self._leap[1] + turns + drift)
            if lower <= upper:
                self._leap = (lower, upper)
                return
        self._leap = (earliest, latest)

    def _window_start(self, now: float) -> tuple[float, float]:
        """Between which times the present window began, or (-inf, -inf)."""
        if self._leap is None:
            return (-math.inf, -math.inf)
        earliest, latest = self._leap
        turns = math.floor((now - latest) / WINDOW_SECONDS) * WINDOW_SECONDS
        return earliest + turns, latest + turns

    def available(self, now: float) -> float:
        """Requests that may still be sent, as far as can be told, counting those under way."""
        if self.refill is Refill.UNSEEN and now >= self._first_at + WINDOW_SECONDS:
            self._expect_trickle()
        if self.refill is Refill.LEAP:
            earliest, _ = self._window_start(now)
            if self._leap_seen_at < earliest:
                return self.reference - self._sends.since(earliest)
        left = float(self._remaining - (self._sends.total - self._number))
        if self.refill is Refill.TRICKLE:
            left += max(0.0, self.net_rate) * min(now - self._counted_at, 5.0)
        return left

    def wait(self, now: float) -> float:
        """Seconds until one request is left, infinite if nothing says when."""
        lacking = 1.0 - self.available(now)
        if lacking <= 0:
            return 0.0
        if self.refill is Refill.TRICKLE and self.net_rate > 0:
            return lacking / self.net_rate
        if self.refill is Refill.LEAP:
            return self._window_start(now)[1] + WINDOW_SECONDS - now + 0.001
        if self.refill is Refill.UNSEEN:
            return self._first_at + WINDOW_SECONDS - now + 0.001
        return math.inf

    def rate(self, now: float, reserve: float) -> float:
        """Requests a second at which to spend so that `reserve` is left over."""
        if self.is_on_trial:
            # A few at the full rate, or at one that is safe whatever the number means, show
            # whether credit trickles back.
            return math.inf if self._limit is not None else self.reference / 6.0
        spare = self.available(now) - reserve
        net = self.net_rate
        if self.refill is Refill.TRICKLE:
            seconds = max(1.0, 4.0 * self.round_trip_seconds, 120.0 / self._yield_per_minute())
            droop = min(_DROOP_SECONDS * max(net, 0.0), _DROOP_PART * self.highest)
            return max(0.0, net + (spare - droop) / seconds)
        if self.refill is Refill.LEAP:
            # To the middle of the time in which it may end: what is sent then narrows that down.
            end = sum(self._window_start(now)) / 2 + WINDOW_SECONDS
            seconds = max(0.05, end - self.round_trip_seconds - now)
        else:
            seconds = max(1.0, self._first_at + WINDOW_SECONDS - now)
        return max(0.0, _YIELD * min(net, 0.0) + spare / seconds)

    def _expect_trickle(self) -> None:
        """Conclude from a minute without a leap that what was spent a minute ago comes back."""
        self.refill = Refill.TRICKLE
        first = self._sends.between(self._first_at, self._first_at + 5.0) / 5.0
        self._gain_seconds = max(self._gain_seconds, 3.0)
        self._gain = max(self._gain, 0.0) + first * self._gain_seconds

    def _yield_per_minute(self) -> float:
        return max(60.0, float(self.reference), 60.0 * self.net_rate)
