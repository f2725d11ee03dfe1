"""The waiting room: requests stand in line here until the governor lets one leave."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING

from tokenvault_data.client.pacing.governor import Budget, Governor, Learned
from tokenvault_data.errors import CallAbandoned, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping


def abandoned() -> CallAbandoned:
    """Make the error of a call that was still waiting when the client was told to stop."""
    return CallAbandoned("the client was told to stop before this request was sent", attempts=0)


class CancellableSleep:
    """Sleeps of any number of calls, which `hold` ends with `CallAbandoned`.

    It belongs to one event loop, on which all of its methods are called.
    """

    def __init__(self) -> None:
        self._held = False
        self._sleepers: set[asyncio.Future[None]] = set()

    async def sleep(self, seconds: float) -> None:
        """Wait. Raises `CallAbandoned` when held before or meanwhile."""
        if self._held:
            raise abandoned()
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, sleeper)
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            self._sleepers.discard(sleeper)

    def hold(self) -> None:
        """End every wait, and every later one until `release`, with `CallAbandoned`."""
        self._held = True
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_exception(abandoned())

    def release(self) -> None:
        """Let calls wait again."""
        self._held = False


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


__all__ = ["Budget", "Pacer", "Reservation"]

# Waits longer than this can be cut short by an answer that comes in meanwhile.
_SHORT_SECONDS = 0.25
# How often it is asked who else is there, and how long a wait may last before it is asked again.
_DIVIDE_SECONDS = 1.0
# A slot that was given back is good for so long; later it would come on top of others.
_KEPT_SECONDS = 1.0


class Reservation:
    """Slots that were reserved together, to be taken one after another; see `Pacer.reserve`.

    Attributes
    ----------
    spacing_seconds : float
        From the first slot to the last.
    """

    def __init__(self, pacer: Pacer, slots: list[float]) -> None:
        self._pacer = pacer
        self._slots = deque(slots)
        self.spacing_seconds = slots[-1] - slots[0]

    async def acquire(self) -> float:
        """Wait until the next slot has come; what is not reserved any more is waited for in line.

        Raises
        ------
        CallAbandoned
            As of `Pacer.slot`.
        """
        if not self._slots:
            return await self._pacer.slot(ahead=True)
        return await self._pacer._until(self._slots.popleft())  # noqa: SLF001  they are one

    def give_back(self) -> None:
        """Let others have the slots that were not taken."""
        self._pacer._take_back(self._slots)  # noqa: SLF001  they are one
        self._slots.clear()


class Pacer:
    """Lets requests leave in the order they came, as fast as the account's budget allows.

    One pacer holds the budget of one account. It belongs to one event loop.

    Parameters
    ----------
    share : float
        The part of the account's limit to use, above 0 and at most 1.
    rate_per_minute : float or None
        Requests a minute not to be exceeded whatever the limit; it is not multiplied by
        `share`. Where no answer tells a limit, it is the rate; without one, the rate is searched
        for. None for no such ceiling.
    unlimited_mark : str or None
        As of `Governor`.
    division : callable or None
        Gives this client's share and that of all processes of this user together; asked about
        once a second while requests are made. None where nobody shares.
    clock : callable
        Seconds on a clock that does not go back.
    sleep : callable
        Awaits so many seconds on that clock.

    Raises
    ------
    UsageError
        `share` or `rate_per_minute` is out of range.
    """

    def __init__(
        self,
        *,
        share: float = 0.5,
        rate_per_minute: float | None = None,
        unlimited_mark: str | None = None,
        division: Callable[[], tuple[float, float]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not 0.0 < share <= 1.0:
            raise UsageError(
                f"share is {share}, which is no part of a budget; nothing was sent. "
                "Give a number above 0 and at most 1, such as 0.5."
            )
        if rate_per_minute is not None and not (
            rate_per_minute > 0 and math.isfinite(rate_per_minute)
        ):
            raise UsageError(
                f"a rate of {rate_per_minute} requests a minute cannot be kept; nothing was "
                "sent. Give a number above 0, or none to learn the limit from the answers."
            )
        self._governor = Governor(
            share=share, rate_per_minute=rate_per_minute, unlimited_mark=unlimited_mark
        )
        self._division = division
        self._divided_at = -math.inf
        self._clock = clock
        self._sleep = sleep
        self._line: deque[asyncio.Future[None]] = deque()
        self._has_head = False
        self._held = False
        self._news: asyncio.Future[None] | None = None
        self._given_back: deque[float] = deque()

    def hold(self) -> None:
        """Let nothing leave until `release`; all who wait, or come, get `CallAbandoned`."""
        self._held = True
        for place in self._line:
            if not place.done():
                place.set_exception(abandoned())
        self._line.clear()
        self._tell_head()

    def release(self) -> None:
        """Let requests leave again."""
        self._held = False

    async def slot(self, *, ahead: bool = False) -> float:
        """Wait until one request may leave, and take note that it does.

        Parameters
        ----------
        ahead : bool, optional
            Stand at the front of the line: for the rest of something already begun, which is kept
            by nobody until it is whole.

        Returns
        -------
        float
            The time of leaving on the pacer's clock; give it back to `observe`.

        Raises
        ------
        CallAbandoned
            `hold` was called before the request could leave.
        """
        if self._held:
            raise abandoned()
        now = self._clock()
        self._divide(now)
        if not self._has_head and self._leaves(now):
            return now
        if self._has_head:
            await self._stand_in_line(ahead=ahead)
        self._has_head = True
        try:
            while True:
                if self._held:
                    raise abandoned()
                now = self._clock()
                self._divide(now)
                if self._leaves(now):
                    return now
                wait = self._due(now) - now
                await self._wait(wait if self._division is None else min(wait, _DIVIDE_SECONDS))
        finally:
            self._call_next()

    async def reserve(self, count: int) -> Reservation:
        """Wait until as many requests may leave one right after the other, and book them all.

        The first may leave when this returns. Others may leave between them only where the answer
        to the first one takes longer than the time between two slots.

        Parameters
        ----------
        count : int
            1 or more.

        Raises
        ------
        CallAbandoned
            As of `slot`.
        """
        slots = [await self.slot()]
        even = self._governor.spacing(slots[0])
        if even is None:
            return Reservation(self, slots[:1])  # nothing is known before its answer
        while len(slots) < count:
            booked = max(slots[-1], self._governor.due(slots[0]))
            if self._given_back and self._given_back[0] <= booked:
                booked = max(slots[-1], self._given_back.popleft())
            else:
                self._governor.sent(booked)
            slots.append(booked)
        # Where the budget is spent in between, the first waits, so that all leave at one pace.
        late = slots[-1] - slots[0] - even * (count - 1)
        if late > _SHORT_SECONDS:
            slots = [min(slot + late, slots[-1]) for slot in slots]
            await self._until(slots[0])
        return Reservation(self, slots)

    def _divide(self, now: float) -> None:
        if self._division is None or self._governor.is_free:
            return
        if 0.0 <= now - self._divided_at < _DIVIDE_SECONDS:
            return
        self._divided_at = now
        self._governor.follow_share(*self._division())

    def _due(self, now: float) -> float:
        due = self._governor.due(now)
        if self._given_back and self._governor.bears(max(now, self._given_back[0])):
            return min(due, self._given_back[0])
        return due

    def _leaves(self, now: float) -> bool:
        """Let one request leave now if there is a slot: one that was given back, or its own."""
        while self._given_back and self._given_back[0] < now - _KEPT_SECONDS:
            self._given_back.popleft()
        if self._given_back and self._given_back[0] <= now and self._governor.bears(now):
            self._given_back.popleft()
            return True
        if self._governor.due(now) > now:
            return False
        self._governor.sent(now)
        return True

    async def _until(self, slot: float) -> float:
        while True:
            if self._held:
                raise abandoned()
            now = self._clock()
            if slot <= now:
                return now
            await self._sleep(min(slot - now, _SHORT_SECONDS))

    def _take_back(self, slots: Iterable[float]) -> None:
        self._given_back = deque(sorted((*self._given_back, *slots)))
        self._tell_head()

    async def _stand_in_line(self, *, ahead: bool) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if ahead:
            self._line.appendleft(place)
        else:
            self._line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._call_next()  # called to the front and gone in the same moment
            raise

    def _call_next(self) -> None:
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._has_head = False

    async def _wait(self, seconds: float) -> None:
        if seconds <= _SHORT_SECONDS:
            await self._sleep(seconds)
            return
        loop = asyncio.get_running_loop()
        self._news = loop.create_future()
        nap = asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait((self._news, nap), return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            self._news = None

    def observe(self, status: int | None, headers: Mapping[str, str], *, sent_at: float) -> None:
        """Learn from the answer to a request.

        Parameters
        ----------
        status : int or None
            HTTP status, or None when no answer came.
        headers : mapping of str to str
            Headers of the answer, names in lower case.
        sent_at : float
            What `slot` gave for that request.
        """
        self._governor.observe(status, headers, sent_at=sent_at, now=self._clock())
        self._tell_head()

    def _tell_head(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    @property
    def budget(self) -> Budget:
        """The state of the budget now, for progress displays."""
        return self._governor.budget(self._clock())

    @property
    def answers(self) -> int:
        """How many answers there were so far that were no refusals."""
        return self._governor.answers

    @property
    def refused_seconds(self) -> float:
        """How long there has been no answer but refusals, without the wait that is to come."""
        return self._governor.refused_seconds(self._clock())

    @property
    def blocked_seconds(self) -> float:
        """How long nothing leaves because of a refusal."""
        return self._governor.blocked_seconds(self._clock())

    @property
    def learned(self) -> Learned | None:
        """What the search for a limit that no answer tells has come to; None where one is told."""
        return self._governor.learned

    def adopt(self, learned: Learned) -> None:
        """Start from what was learned before."""
        self._governor.adopt(learned, self._clock())

    @property
    def limit_per_minute(self) -> int | None:
        """The account's limit a minute, None while unknown."""
        return self.budget.limit_per_minute

    @property
    def rate_per_minute(self) -> float | None:
        """The rate at which requests leave now, None when nothing holds them back."""
        return self.budget.rate_per_minute
