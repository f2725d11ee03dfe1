"""When a campaign stops by itself: too many failures, garbage, or cards that changed. No I/O."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenvault_data.cleanup.plan.limits import Limits

PROBE_SECONDS: Final = (30.0, 60.0, 120.0)
"""Waits before each probe of a campaign that failures have paused; after the last one it ends."""

_GARBAGE_IN_ROW: Final = 3


class Breaker:
    """Counts failures of calls.

    Parameters
    ----------
    limits : Limits
        ``failures_in_row``, ``failure_share`` and ``failure_window``; 0 in a row allows none.
    """

    def __init__(self, limits: Limits) -> None:
        self._in_row_cap = max(1, limits.failures_in_row)
        self._share = limits.failure_share
        self._window: deque[bool] = deque(maxlen=limits.failure_window)
        self._in_row = 0
        self._garbage = 0

    def note_success(self) -> None:
        """Count a call that was answered as it should be."""
        self._in_row = self._garbage = 0
        self._window.append(False)

    def note_failure(self) -> str | None:
        """Count a failure; give the reason to pause for, if there is one."""
        self._in_row += 1
        self._window.append(True)
        if self._in_row >= self._in_row_cap:
            return f"{self._in_row} calls in a row failed"
        failed, most = sum(self._window), self._window.maxlen or 1
        if len(self._window) == most and failed > self._share * most:
            return f"{failed} of the last {most} calls failed"
        return None

    def note_garbage(self) -> str | None:
        """Count a 200 that holds no card; give the reason to pause for, if there is one."""
        self._garbage += 1
        if self._garbage >= _GARBAGE_IN_ROW:
            return f"{self._garbage} answers in a row were 200 without a card to read"
        return None


class DriftStop:
    """Counts cards that are not what they were when they were planned.

    Parameters
    ----------
    limits : Limits
        ``drift_canary``, ``drift_share`` and ``drift_window``.
    """

    def __init__(self, limits: Limits) -> None:
        self._canary_cap = max(1, limits.drift_canary)
        self._share = limits.drift_share
        self._window: deque[bool] = deque(maxlen=limits.drift_window)
        self._in_canary = 0

    def note(self, *, drifted: bool, in_canary: bool) -> str | None:
        """Count one checked card; give the reason to stop for, if there is one.

        The share is of the whole window from the first card on, so that one of the first three is
        no third.
        """
        self._window.append(drifted)
        if not drifted:
            return None
        self._in_canary += in_canary
        if in_canary and self._in_canary >= self._canary_cap:
            return f"{self._in_canary} cards of the canary have changed since they were planned"
        changed, most = sum(self._window), self._window.maxlen or 1
        if changed > self._share * most:
            return f"{changed} of the last {most} cards have changed since they were planned"
        return None
