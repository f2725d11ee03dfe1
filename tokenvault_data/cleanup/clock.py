"""The time, as a campaign needs it: four functions that a simulation can replace."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_UPTIME: Final = Path("/proc/uptime")


def _now() -> datetime:
    return datetime.now(UTC)


def seconds_since_boot() -> float:
    """Return seconds on a clock that also runs while the machine sleeps, and that nobody can set.

    Linux says it in a file, which tools that fake the time of a process leave alone; elsewhere it
    is the best clock that the system has.
    """
    try:
        return float(_UPTIME.read_bytes().split()[0])
    except (OSError, ValueError, IndexError):
        boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)


class Moment(NamedTuple):
    """One moment on three clocks, in seconds; see `Clock`."""

    wall: float
    monotonic: float
    boot: float

    def age(self, now: Moment) -> float:
        """Return the seconds that have passed until `now`, by the clock that says most."""
        return max(0.0, *(later - earlier for earlier, later in zip(self, now, strict=True)))


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from.

    Attributes
    ----------
    now : callable
        The time of day, with a zone; it may be set while a campaign runs.
    monotonic : callable
        Seconds on a clock that does not go back; it may stand still while a laptop sleeps.
    sleep : callable
        Awaits a number of seconds.
    boot : callable
        Seconds on a clock that goes on while the machine sleeps.
    """

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    boot: Callable[[], float] = seconds_since_boot

    def moment(self) -> Moment:
        """Read all clocks."""
        return Moment(self.now().timestamp(), self.monotonic(), self.boot())
