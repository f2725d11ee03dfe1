"""How old the vault's word about a card is, and whether it still allows a delete.

Age counts from before the question was sent, by whichever of three clocks says most: the wall clock
may be set, the monotonic clock may stand still while a laptop sleeps, and the boot clock may be
missing. A heartbeat notices that the process was stopped: whatever was asked before that is void.
The vault knows no conditional delete, so what happens between the last look and the arrival of the
delete cannot be excluded; it is measured when the send returns, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenvault_data.cleanup.clock import Clock, Moment

BEAT_SECONDS: Final = 0.1
LONGEST_GAP_SECONDS: Final = 1.0
"""A heartbeat later than this means that the process, or its machine, was stopped."""


class Heartbeat:
    """Notices that the process did not run for a while.

    Attributes
    ----------
    stops : int
        How often it was stopped so far.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.moment()
        self.stops = 0

    def beat(self) -> Moment:
        """Look at the clocks; called every `BEAT_SECONDS`, and before anything is decided."""
        now = self._clock.moment()
        gaps = (abs(after - before) for before, after in zip(self._last, now, strict=True))
        if max(gaps) > LONGEST_GAP_SECONDS:
            self.stops += 1
        self._last = now
        return now

    async def run(self) -> None:
        """Beat until cancelled."""
        self._last = self._clock.moment()
        while True:
            await self._clock.sleep(BEAT_SECONDS)
            self.beat()


@dataclass(frozen=True, slots=True)
class Evidence:
    """When the vault was asked about a card, and for how long its answer allows a delete.

    Attributes
    ----------
    asked : Moment
        Before the question was sent.
    bound_seconds : float
        Oldest age at which a delete may leave.
    """

    asked: Moment
    bound_seconds: float
    _heartbeat: Heartbeat
    _stops: int

    @classmethod
    def about_to_ask(cls, heartbeat: Heartbeat, bound_seconds: float) -> Evidence:
        """Begin now."""
        asked = heartbeat.beat()
        return cls(asked, bound_seconds, heartbeat, heartbeat.stops)

    def age_seconds(self) -> float:
        """Return the age now."""
        return self.asked.age(self._heartbeat.beat())

    def problem(self) -> str | None:
        """Say why it allows no delete now, None where it does."""
        age = self.age_seconds()
        if self._heartbeat.stops != self._stops:
            return "the process was stopped after the vault was asked"
        if age > self.bound_seconds:
            bound = self.bound_seconds
            return f"the vault's answer was {age:.1f} s old, and {bound:.1f} s is the bound"
        return None

    def late_seconds(self) -> float | None:
        """Return the age when a send has returned, None where the delete surely left in time.

        It may have left late where the process was stopped meanwhile, and where a connection had to
        be opened or the answer took so long that nobody knows.
        """
        age = self.age_seconds()
        was_stopped = self._heartbeat.stops != self._stops
        return age if was_stopped or age > self.bound_seconds else None
