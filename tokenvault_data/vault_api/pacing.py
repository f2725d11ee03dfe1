"""The waiting room: requests stand in line here until the governor lets one leave."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING

from tokenvault_data.errors import UsageError
from tokenvault_data.vault_api.budget import Budget
from tokenvault_data.vault_api.governor import Governor
from tokenvault_data.vault_api.waiting import abandoned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Budget", "Pacer"]

# Waits longer than this can be cut short by an answer that comes in meanwhile.
_SHORT_SECONDS = 0.25


class Pacer:
    """Lets requests leave in the order they came, as fast as the account's budget allows.

    One pacer holds the budget of one account. It belongs to one event loop.

    Parameters
    ----------
    share : float
        The part of the account's limit to use, above 0 and at most 1.
    rate_per_minute : float or None
        Requests a minute not to be exceeded whatever the limit; it is not multiplied by
        `share`. None for no such ceiling.
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
        self._governor = Governor(share=share, rate_per_minute=rate_per_minute)
        self._clock = clock
        self._sleep = sleep
        self._line: deque[asyncio.Future[None]] = deque()
        self._has_head = False
        self._held = False
        self._news: asyncio.Future[None] | None = None

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
        if not self._has_head and self._governor.due(now) <= now:
            self._governor.sent(now)
            return now
        if self._has_head:
            await self._stand_in_line(ahead=ahead)
        self._has_head = True
        try:
            while True:
                if self._held:
                    raise abandoned()
                now = self._clock()
                wait = self._governor.due(now) - now
                if wait <= 0:
                    self._governor.sent(now)
                    return now
                await self._wait(wait)
        finally:
            self._call_next()

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
    def limit_per_minute(self) -> int | None:
        """The account's limit a minute, None while unknown."""
        return self.budget.limit_per_minute

    @property
    def rate_per_minute(self) -> float | None:
        """The rate at which requests leave now, None when nothing holds them back."""
        return self.budget.rate_per_minute
