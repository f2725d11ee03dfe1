"""The time, as a campaign needs it: three functions that a simulation can replace."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def _now() -> datetime:
    return datetime.now(UTC)


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
        Awaits so many seconds.
    """

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
