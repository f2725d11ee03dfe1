"""How long the vault, or others who share its limit, want the campaign to wait. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.client.pacing.headers import (
    LONGEST_WAIT_SECONDS,
    SHORTEST_WAIT_SECONDS,
    read_limits,
)
from tokenvault_data.client.pacing.refused_time import RefusedTime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.client.pacing.headers import LimitReading

_LONGEST_GUESS_SECONDS: Final = 60.0
_RESERVE_GUESS_SECONDS: Final = 10.0


class Gate:
    """Closed while nothing may be sent.

    Parameters
    ----------
    reserve : float
        Part of the limit's window that is left to others, 0 to 1.
    """

    def __init__(self, reserve: float) -> None:
        self._reserve = reserve
        self._refusals = 0
        self._refused_time = RefusedTime()
        self._closed_until = float("-inf")
        self._narrow_until = float("-inf")

    def closed_for(self, now: float, requests: int = 1) -> float:
        """Seconds until so many requests may be sent one after another, 0 when they may."""
        until = self._closed_until if requests == 1 else max(self._closed_until, self._narrow_until)
        return max(0.0, until - now)

    def refused_seconds(self, now: float) -> float:
        """As `RefusedTime.seconds`."""
        return self._refused_time.seconds(now)

    def note(self, status: int | None, headers: Mapping[str, str], now: float) -> None:
        """Take in an answer.

        Parameters
        ----------
        status : int or None
            None when no answer came.
        headers : mapping
            Names in lower case.
        now : float
            Seconds on a clock that does not go back.
        """
        if status is None:
            return
        reading = read_limits(headers)
        wait = self._wait_asked(status, reading, 0)
        if wait:
            self._closed_until = max(self._closed_until, now + wait)
        if status == 429:
            self._refused_time.refused(now, self._closed_until)
        else:
            self._refused_time.answered()
        # A question of which the answer would close the gate, before what hangs on it could leave,
        # is not worth asking.
        soon = self._wait_asked(status, reading, 1)
        self._narrow_until = now + soon if soon else float("-inf")

    def _wait_asked(self, status: int, reading: LimitReading, further: int) -> float:
        if status == 429:
            self._refusals += not further
            guess = min(_LONGEST_GUESS_SECONDS, 2.0 ** (min(self._refusals, 16) - 1))
            return _clamped(reading.wait_seconds or reading.reset_after_seconds or guess)
        self._refusals = 0
        limit, remaining = reading.limit_per_minute, reading.remaining
        if limit is None or remaining is None or remaining - further >= self._reserve * limit:
            return 0.0
        return _clamped(
            reading.reset_after_seconds or reading.wait_seconds or _RESERVE_GUESS_SECONDS
        )


def _clamped(seconds: float) -> float:
    return min(max(seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
