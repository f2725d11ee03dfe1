"""Waits that end at once when the client is told to stop."""

from __future__ import annotations

import asyncio

from tokenvault_data.errors import CallAbandoned


def abandoned() -> CallAbandoned:
    """Make the error of a call that was still waiting when the client was told to stop."""
    return CallAbandoned("the client was told to stop before this request was sent", attempts=0)


class Waiting:
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
