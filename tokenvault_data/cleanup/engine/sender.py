"""The only way from a campaign to the vault: one send a call, in the time that the gate leaves.

Whatever comes back is counted here, and may bring the whole campaign to stop.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from tokenvault_data.cleanup.engine.breaker import Breaker
from tokenvault_data.cleanup.engine.customer_list import ListAnswer, chain_of
from tokenvault_data.cleanup.engine.decisions import Sent
from tokenvault_data.cleanup.engine.responses import TABLE, read_attempt
from tokenvault_data.cleanup.engine.throttle import Gate
from tokenvault_data.client.calls import list_call
from tokenvault_data.client.transport import Answer
from tokenvault_data.errors import CallAbandoned, UnusableAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.cleanup.campaign.clock import Clock
    from tokenvault_data.cleanup.engine.freshness import Evidence
    from tokenvault_data.cleanup.engine.responses import Effect, Reading
    from tokenvault_data.cleanup.plan.limits import Limits
    from tokenvault_data.client.attempts import Attempt
    from tokenvault_data.client.calls import Call
    from tokenvault_data.client.pacing.pacer import Reservation

SLICE_SECONDS: Final = 0.5
"""Longest sleep in one piece, so that a request to stop is met soon."""

REFUSED_SECONDS: Final = 15 * 60.0
"""So long it is borne that nothing is answered but 429."""


class VaultPort(Protocol):
    """What a campaign needs of a vault; `AsyncVault` is one."""

    async def attempt(
        self,
        call: Call,
        *,
        idempotency_key: str | None = None,
        before_send: Callable[[], None] | None = None,
        reservation: Reservation | None = None,
        url: str | None = None,
    ) -> Attempt:
        """Send once; see `AsyncVault.attempt`."""
        ...

    async def reserve(self, count: int) -> Reservation:
        """Book slots; see `AsyncVault.reserve`."""
        ...

    def url_of(self, call: Call) -> str:
        """Return where a call is sent to."""
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
    """A send was taken back in the moment it could have left.

    Attributes
    ----------
    counts : bool
        Whether it was for the age of the card's check, and not for the campaign or its rate limit.
    """

    def __init__(self, reason: str, *, counts: bool = False) -> None:
        super().__init__(reason)
        self.counts = counts


INSTANCE_HEADER: Final = "x-emulator-instance"
"""By which an emulator says which one it is: each forgets everything when it ends."""


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
    instance : str or None
        Which emulator answers, as it has said; None while none has.
    """

    def __init__(self, vault: VaultPort, limits: Limits, clock: Clock) -> None:
        self._vault = vault
        self._limits = limits
        self._clock = clock
        self._breaker = Breaker(limits)
        self.gate = Gate(limits.window_reserve)
        self.ending: Ending | None = None
        self.is_heedless = False
        self.instance: str | None = None

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

    async def gate_opens(self, requests: int = 1) -> bool:
        """Wait until so many requests may be sent; False when the campaign stops first."""
        while self.ending is None:
            wait = self.gate.closed_for(self._clock.monotonic(), requests)
            if not wait:
                return True
            await self._clock.sleep(min(wait, SLICE_SECONDS))
        return False

    async def fetch(self, call: Call, on_send: Callable[[], None] | None = None) -> Reading | None:
        """Fetch a card; None when the campaign stopped before it was sent.

        `on_send` is called in the moment of sending.
        """

        def ready() -> None:
            self._nothing_forbids()
            if on_send is not None:
                on_send()

        while await self.gate_opens():
            try:
                return await self._send(call, None, ready)
            except Withheld:
                continue  # others have taken the slot's worth of the limit; wait for the gate
        return None

    async def reserve(self, count: int) -> Reservation | None:
        """Book slots that follow each other; None when the campaign stopped before."""
        while await self.gate_opens(count):
            try:
                reservation = await self._vault.reserve(count)
            except CallAbandoned:
                return None
            if not self.gate.closed_for(self._clock.monotonic(), count):
                return reservation
            reservation.give_back()
        return None

    async def read_list(self, customer_id: str, reservation: Reservation) -> ListAnswer | None:
        """Read a customer's whole list; None when the campaign stopped, or was held up, before.

        Parameters
        ----------
        customer_id : str
        reservation : Reservation
            Holds a slot for each page that is expected; further pages wait for theirs.
        """
        call = list_call(customer_id)
        chain = chain_of(self._vault.url_of(call))
        while (url := chain.next_url) is not None:
            try:
                attempt = await self._vault.attempt(
                    call, before_send=self._nothing_forbids, reservation=reservation, url=url
                )
            except (CallAbandoned, Withheld):
                return None
            self._note(attempt)
            pages, status, request_id = tuple(chain.bodies), attempt.status, attempt.request_id
            if attempt.kind != "answered" or status != 200:
                reading = read_attempt(call, attempt)
                self._count(reading.row.fetch_effect, reading.message)
                return ListAnswer(
                    customer_id,
                    None,
                    pages,
                    reading.message,
                    status,
                    request_id,
                    is_absent=reading.row.fetch == "absent" and not pages,
                    counts=reading.row.fetch_effect != "wait",
                )
            try:
                chain.add(Answer(200, attempt.headers, attempt.body))
            except UnusableAnswer as error:
                self._count(TABLE["garbage"].fetch_effect, str(error))
                return ListAnswer(customer_id, None, pages, str(error), status, request_id)
        self._count("none", "")
        return ListAnswer(
            customer_id, chain.instruments, tuple(chain.bodies), None, status, request_id
        )

    async def delete(
        self, call: Call, idempotency_key: str, evidence: Evidence, reservation: Reservation
    ) -> tuple[Reading, Sent]:
        """Send one delete.

        Parameters
        ----------
        call : Call
        idempotency_key : str
        evidence : Evidence
            Looked at once more in the moment of sending.
        reservation : Reservation
            Holds its slot.

        Raises
        ------
        Withheld
            It was not sent, and will not be.
        """
        age: float | None = None

        def ready() -> None:
            nonlocal age
            self._nothing_forbids()
            age = evidence.age_seconds()
            problem = evidence.problem()
            if problem is not None:
                raise Withheld(problem, counts=True)

        reading = await self._send(call, idempotency_key, ready, reservation)
        if reading is None:
            raise Withheld("the campaign stopped before it could be sent")
        late = evidence.late_seconds()
        return reading, Sent(
            None if age is None else round(age, 3), None if late is None else round(late, 3)
        )

    def _nothing_forbids(self) -> None:
        if self.ending is not None:
            raise Withheld("the campaign stopped before it could be sent")
        if self.gate.closed_for(self._clock.monotonic()):
            raise Withheld("the rate limit left no room before it could be sent")

    async def _send(
        self,
        call: Call,
        key: str | None,
        before_send: Callable[[], None],
        reservation: Reservation | None = None,
    ) -> Reading | None:
        try:
            attempt = await self._vault.attempt(
                call, idempotency_key=key, before_send=before_send, reservation=reservation
            )
        except CallAbandoned:
            return None
        self._note(attempt)
        reading = read_attempt(call, attempt)
        effect = reading.row.delete_effect if key is not None else reading.row.fetch_effect
        self._count(effect, reading.message)
        return reading

    def _note(self, attempt: Attempt) -> None:
        now = self._clock.monotonic()
        self.gate.note(attempt.status, attempt.headers, now)
        if self.gate.refused_seconds(now) > REFUSED_SECONDS and not self.is_heedless:
            minutes = f"{REFUSED_SECONDS / 60:.0f} minutes"
            self.stop(Ending("pause", f"nothing was answered but 429 for over {minutes}"))
        self.instance = attempt.headers.get(INSTANCE_HEADER, self.instance)

    def _count(self, effect: Effect, message: str) -> None:
        if self.is_heedless or effect in ("wait", "doubt"):
            return  # of a doubt the caller asks a control card
        if effect == "none":
            self._breaker.note_success()
        elif effect == "pause":
            self.stop(Ending("pause", message))
        elif effect == "halt":
            self.stop(Ending("halt", message))
        else:
            garbage = self._breaker.note_garbage() if effect == "garbage" else None
            failed = self._breaker.note_failure()
            if garbage:
                self.stop(Ending("pause", garbage))
            if failed:
                self.stop(Ending("rest", f"{failed}; the last one: {_first_sentence(message)}"))


def _first_sentence(message: str) -> str:
    """Return what happened, without the advice that is meant for a command that has ended."""
    return re.split(r"[.;] ", message, maxsplit=1)[0].rstrip(".")
