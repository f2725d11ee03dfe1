"""When the requests of the last minutes left, to tell which of them an answer has seen."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

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
