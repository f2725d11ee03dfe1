"""How long the vault, or others who share its limit, want the campaign to wait. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.vault_api.limit_reading import (
    LONGEST_WAIT_SECONDS,
    SHORTEST_WAIT_SECONDS,
    read_limits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        self._closed_until = float("-inf")

    def closed_for(self, now: float) -> float:
        """Seconds until something may be sent, 0 when it may."""
        return max(0.0, self._closed_until - now)

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
        wait = self._wait_asked(status, headers)
        if wait:
            self._closed_until = max(self._closed_until, now + wait)

    def _wait_asked(self, status: int, headers: Mapping[str, str]) -> float:
        reading = read_limits(headers)
        if status == 429:
            self._refusals += 1
            guess = min(_LONGEST_GUESS_SECONDS, 2.0 ** (min(self._refusals, 16) - 1))
            return _clamped(reading.wait_seconds or reading.reset_after_seconds or guess)
        self._refusals = 0
        limit, remaining = reading.limit_per_minute, reading.remaining
        if limit is None or remaining is None or remaining >= self._reserve * limit:
            return 0.0
        return _clamped(
            reading.reset_after_seconds or reading.wait_seconds or _RESERVE_GUESS_SECONDS
        )


def _clamped(seconds: float) -> float:
    return min(max(seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
