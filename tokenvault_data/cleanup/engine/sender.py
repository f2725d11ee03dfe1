"""The only way from a campaign to the vault: one send a call, in the time that the gate leaves.

Whatever comes back is counted here, and may bring the whole campaign to stop.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from tokenvault_data.cleanup.engine.decisions import Sent
from tokenvault_data.cleanup.engine.list_answer import ListAnswer, chain_of
from tokenvault_data.cleanup.engine.responses import TABLE, read_attempt
from tokenvault_data.client.calls import list_call
from tokenvault_data.client.pacing.headers import (
    LONGEST_WAIT_SECONDS,
    SHORTEST_WAIT_SECONDS,
    RefusedTime,
    read_limits,
)
from tokenvault_data.client.transport import Answer
from tokenvault_data.errors import CallAbandoned, UnusableAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenvault_data.cleanup.clock import Clock
    from tokenvault_data.cleanup.engine.freshness import Evidence
    from tokenvault_data.cleanup.engine.responses import ClassifiedResponse, Effect
    from tokenvault_data.cleanup.selection.limits import Limits
    from tokenvault_data.client.calls import Call
    from tokenvault_data.client.pacing.headers import LimitReading
    from tokenvault_data.client.pacing.pacer import Reservation
    from tokenvault_data.client.retries import Attempt


_LONGEST_GUESS_SECONDS: Final = 60.0
_RESERVE_GUESS_SECONDS: Final = 10.0


class Throttle:
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

    def observe(self, status: int | None, headers: Mapping[str, str], now: float) -> None:
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


PROBE_SECONDS: Final = (30.0, 60.0, 120.0)
"""Waits before each probe of a campaign that failures have paused; after the last one it ends."""

_GARBAGE_IN_ROW: Final = 3


class CircuitBreaker:
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


class DriftBreaker:
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

    def record(self, *, drifted: bool, in_canary: bool) -> str | None:
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


class StopReason(NamedTuple):
    """Why a campaign stops what it is doing.

    ``rest`` is a pause after failures that probes may end, ``pause`` one that a person has to end.
    """

    kind: Literal["rest", "pause", "abort", "halt"]
    reason: str


class SendCancelled(Exception):  # noqa: N818  an event, and never seen outside of this package
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
    ending : StopReason or None
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
        self._breaker = CircuitBreaker(limits)
        self.gate = Throttle(limits.window_reserve)
        self.ending: StopReason | None = None
        self.is_heedless = False
        self.instance: str | None = None

    def stop(self, ending: StopReason) -> None:
        """Let nothing more leave; calls in flight are still answered. The graver reason stays."""
        if self.ending is None or _RANK.index(ending.kind) > _RANK.index(self.ending.kind):
            self.ending = ending
        self._vault.hold()

    def go_on(self) -> None:
        """Send again, with a clean slate."""
        self.ending = None
        self._breaker = CircuitBreaker(self._limits)
        self._vault.release()

    async def gate_opens(self, requests: int = 1) -> bool:
        """Wait until so many requests may be sent; False when the campaign stops first."""
        while self.ending is None:
            wait = self.gate.closed_for(self._clock.monotonic(), requests)
            if not wait:
                return True
            await self._clock.sleep(min(wait, SLICE_SECONDS))
        return False

    async def fetch(
        self, call: Call, on_send: Callable[[], None] | None = None
    ) -> ClassifiedResponse | None:
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
            except SendCancelled:
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
            except (CallAbandoned, SendCancelled):
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
    ) -> tuple[ClassifiedResponse, Sent]:
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
        SendCancelled
            It was not sent, and will not be.
        """
        age: float | None = None

        def ready() -> None:
            nonlocal age
            self._nothing_forbids()
            age = evidence.age_seconds()
            problem = evidence.problem()
            if problem is not None:
                raise SendCancelled(problem, counts=True)

        reading = await self._send(call, idempotency_key, ready, reservation)
        if reading is None:
            raise SendCancelled("the campaign stopped before it could be sent")
        late = evidence.late_seconds()
        return reading, Sent(
            None if age is None else round(age, 3), None if late is None else round(late, 3)
        )

    def _nothing_forbids(self) -> None:
        if self.ending is not None:
            raise SendCancelled("the campaign stopped before it could be sent")
        if self.gate.closed_for(self._clock.monotonic()):
            raise SendCancelled("the rate limit left no room before it could be sent")

    async def _send(
        self,
        call: Call,
        key: str | None,
        before_send: Callable[[], None],
        reservation: Reservation | None = None,
    ) -> ClassifiedResponse | None:
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
        self.gate.observe(attempt.status, attempt.headers, now)
        if self.gate.refused_seconds(now) > REFUSED_SECONDS and not self.is_heedless:
            minutes = f"{REFUSED_SECONDS / 60:.0f} minutes"
            self.stop(StopReason("pause", f"nothing was answered but 429 for over {minutes}"))
        self.instance = attempt.headers.get(INSTANCE_HEADER, self.instance)

    def _count(self, effect: Effect, message: str) -> None:
        if self.is_heedless or effect in ("wait", "doubt"):
            return  # of a doubt the caller asks a control card
        if effect == "none":
            self._breaker.note_success()
        elif effect == "pause":
            self.stop(StopReason("pause", message))
        elif effect == "halt":
            self.stop(StopReason("halt", message))
        else:
            garbage = self._breaker.note_garbage() if effect == "garbage" else None
            failed = self._breaker.note_failure()
            if garbage:
                self.stop(StopReason("pause", garbage))
            if failed:
                self.stop(StopReason("rest", f"{failed}; the last one: {_first_sentence(message)}"))


def _first_sentence(message: str) -> str:
    """Return what happened, without the advice that is meant for a command that has ended."""
    return re.split(r"[.;] ", message, maxsplit=1)[0].rstrip(".")
