"""Waits end at once when the client is told to stop."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from tokenvault_data.client.pacing.pacer import CancellableSleep
from tokenvault_data.errors import CallAbandoned


def test_a_wait_lasts_as_long_as_asked():
    """Without a hold a sleep is a sleep."""

    async def scenario():
        began = time.monotonic()
        await CancellableSleep().sleep(0.05)
        return time.monotonic() - began

    assert asyncio.run(scenario()) >= 0.049


def test_hold_ends_every_wait_at_once_and_refuses_new_ones():
    """All sleepers, and those who come later, get `CallAbandoned` without delay."""

    async def scenario():
        waiting = CancellableSleep()
        sleepers = [asyncio.ensure_future(waiting.sleep(60)) for _ in range(50)]
        await asyncio.sleep(0.01)
        began = time.monotonic()
        waiting.hold()
        waiting.hold()
        ended = await asyncio.gather(*sleepers, return_exceptions=True)
        with pytest.raises(CallAbandoned) as raised:
            await waiting.sleep(0)
        assert raised.value.attempts == 0
        assert all(type(end) is CallAbandoned for end in ended)
        assert len({id(end) for end in ended}) == 50, "each caller has an error of its own"
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 1


def test_release_lets_calls_wait_again():
    """After a release a sleep is a sleep again."""

    async def scenario():
        waiting = CancellableSleep()
        waiting.hold()
        waiting.release()
        await waiting.sleep(0.001)

    asyncio.run(scenario())


def test_a_wait_that_is_over_is_not_abandoned():
    """A hold in the same moment as the end of a wait does not take the wait back."""

    async def scenario():
        waiting = CancellableSleep()
        sleeper = asyncio.ensure_future(waiting.sleep(0))
        await asyncio.sleep(0.01)
        waiting.hold()
        await sleeper

    asyncio.run(scenario())


@pytest.mark.parametrize("cancel_first", [True, False])
def test_cancelled_sleepers_leave_nothing_behind(cancel_first):
    """Cancelling and holding together neither warns nor keeps a sleeper."""
    complaints = []

    async def scenario():
        asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
        waiting = CancellableSleep()
        sleeper = asyncio.ensure_future(waiting.sleep(60))
        await asyncio.sleep(0)
        for act in [sleeper.cancel, waiting.hold][:: 1 if cancel_first else -1]:
            act()
        await asyncio.gather(sleeper, return_exceptions=True)
        assert not waiting._sleepers
        del sleeper
        gc.collect()

    asyncio.run(scenario())
    assert complaints == []
