"""The only way from a campaign to the vault: one send a call, in the time that the gate leaves.

Whatever comes back is counted here, and may bring the whole campaign to stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from tokenvault_data.cleanup.answers import read_attempt
from tokenvault_data.cleanup.breaker import Breaker
from tokenvault_data.cleanup.gate import Gate
from tokenvault_data.errors import CallAbandoned

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.cleanup.answers import Effect, Reading
    from tokenvault_data.cleanup.clock import Clock
    from tokenvault_data.cleanup.limits import Limits
    from tokenvault_data.vault_api.attempts import Attempt
    from tokenvault_data.vault_api.operations import Call

SLICE_SECONDS: Final = 0.5
"""Longest sleep in one piece, so that a request to stop is met soon."""


class VaultPort(Protocol):
    """What a campaign needs of a vault; `AsyncVault` is one."""

    async def attempt(
        self,
        call: Call,
        *,
        idempotency_key: str | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> Attempt:
        """Send once; see `AsyncVault.attempt`."""
        ...

    def hold(self) -> None:
        """Send nothing more; whoever waits gets `CallAbandoned`."""
        ...

    def release(self) -> None:
        """Send again."""
        ...


class Ending(NamedTuple):
    """Why a campaign stops what it is doing.

    ``rest`` is a pause after failures that probes may end, ``pause`` one that a person has to end.
    """

    kind: Literal["rest", "pause", "abort", "halt"]
    reason: str


class Withheld(Exception):  # noqa: N818  an event, and never seen outside of this package
    """A send was taken back in the moment it could have left."""


_RANK: Final = ("rest", "pause", "abort", "halt")


class Sender:
    """Sends calls and keeps watch over their answers.

    Parameters
    ----------
    vault : VaultPort
    limits : Limits
    clock : Clock

    Attributes
    ----------
    ending : Ending or None
        Set once the campaign is to stop; nothing is sent from then on until `go_on`.
    is_heedless : bool
        Whether trouble stops nothing: an aborted campaign only looks, and ends in any case.
    """

    def __init__(self, vault: VaultPort, limits: Limits, clock: Clock) -> None:
        self._vault = vault
        self._limits = limits
        self._clock = clock
        self._breaker = Breaker(limits)
        self.gate = Gate(limits.window_reserve)
        self.ending: Ending | None = None
        self.is_heedless = False

    def stop(self, ending: Ending) -> None:
        """Let nothing more leave; calls in flight are still answered. The graver reason stays."""
        if self.ending is None or _RANK.index(ending.kind) > _RANK.index(self.ending.kind):
            self.ending = ending
        self._vault.hold()

    def go_on(self) -> None:
        """Send again, with a clean slate."""
        self.ending = None
        self._breaker = Breaker(self._limits)
        self._vault.release()

    async def gate_opens(self) -> bool:
        """Wait until something may be sent; False when the campaign stops first."""
        while self.ending is None:
            wait = self.gate.closed_for(self._clock.monotonic())
            if not wait:
                return True
            await self._clock.sleep(min(wait, SLICE_SECONDS))
        return False

    async def fetch(self, call: Call) -> Reading | None:
        """Fetch a card; None when the campaign stopped before it was sent."""
        while await self.gate_opens():
            try:
                return await self._send(call, None, self._nothing_forbids)
            except Withheld:
                continue  # others have taken the slot's worth of the limit; wait for the gate
        return None

    async def delete(
        self, call: Call, idempotency_key: str, is_fresh: Callable[[], bool]
    ) -> Reading:
        """Send one delete.

        Parameters
        ----------
        call : Call
        idempotency_key : str
        is_fresh : callable
            Asked in the moment of sending whether the card's check is recent enough.

        Raises
        ------
        Withheld
            It was not sent, and will not be.
        """

        def ready() -> None:
            self._nothing_forbids()
            if not is_fresh():
                raise Withheld("its check had grown old before it could be sent")

        reading = await self._send(call, idempotency_key, ready)
        if reading is None:
            raise Withheld("the campaign stopped before it could be sent")
        return reading

    def _nothing_forbids(self) -> None:
        if self.ending is not None:
            raise Withheld("the campaign stopped before it could be sent")
        if self.gate.closed_for(self._clock.monotonic()):
            raise Withheld("the rate limit left no room before it could be sent")

    async def _send(
        self, call: Call, key: str | None, before_send: Callable[[], None]
    ) -> Reading | None:
        try:
            attempt = await self._vault.attempt(call, idempotency_key=key, before_send=before_send)
        except CallAbandoned:
            return None
        self.gate.note(attempt.status, attempt.headers, self._clock.monotonic())
        reading = read_attempt(call, attempt)
        effect = reading.row.delete_effect if key is not None else reading.row.fetch_effect
        self._count(effect, reading)
        return reading

    def _count(self, effect: Effect, reading: Reading) -> None:
        if self.is_heedless or effect == "wait":
            return
        if effect == "none":
            self._breaker.note_success()
        elif effect == "pause":
            self.stop(Ending("pause", reading.message))
        elif effect == "halt":
            self.stop(Ending("halt", reading.message))
        else:
            garbage = self._breaker.note_garbage() if effect == "garbage" else None
            failed = self._breaker.note_failure()
            if garbage:
                self.stop(Ending("pause", garbage))
            if failed:
                self.stop(Ending("rest", f"{failed}; the last one: {reading.message}"))
