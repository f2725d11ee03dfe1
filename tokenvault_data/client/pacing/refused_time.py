"""For how long nothing is answered but 429, as far as somebody was asking. No I/O."""

from __future__ import annotations

# Whoever is at it asks again so soon after the wait that a refusal asks for; later, he was idle.
_ASKS_WITHIN_SECONDS = 60.0


class RefusedTime:
    """Time that has passed in refusals and in the waits after them.

    Neither what is still to be waited for counts, nor time in which nothing was asked.
    """

    def __init__(self) -> None:
        self._counted = 0.0
        self._refused_at: float | None = None
        self._counts_until = 0.0

    def refused(self, now: float, closed_until: float) -> None:
        """Take in a 429, after which nothing is sent up to `closed_until`."""
        self._counted = self.seconds(now)
        self._refused_at = now
        self._counts_until = max(closed_until, now + _ASKS_WITHIN_SECONDS)

    def answered(self) -> None:
        """Take in any other answer."""
        self._counted, self._refused_at = 0.0, None

    def seconds(self, now: float) -> float:
        """How long it has been so; 0 while something is answered."""
        if self._refused_at is None:
            return 0.0
        return self._counted + max(0.0, min(now, self._counts_until) - self._refused_at)

    def follow_clock(self, jump: float) -> None:
        """Keep times as long as they were though the clock was put back."""
        if self._refused_at is not None:
            self._refused_at += jump
            self._counts_until += jump
