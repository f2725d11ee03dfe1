"""Work asked for in the same moment is done once."""

import asyncio

import pytest

from tokenvault_data.cleanup.engine.batching import Batcher


def test_what_is_asked_together_is_done_together():
    """Three tasks cost one piece of work, and each gets its own result."""
    groups = []

    def double(numbers):
        groups.append(list(numbers))
        return [2 * number for number in numbers]

    async def run():
        together = Batcher(double)
        first = await asyncio.gather(*map(together.ask, (1, 2, 3)))
        return first, await together.ask(4)

    assert asyncio.run(run()) == ([2, 4, 6], 8)
    assert groups == [[1, 2, 3], [4]]


def test_a_failure_is_everybodys():
    """Whoever asked gets what was raised; the next to ask are served again."""
    fails = [True, False]

    def work(asked):
        if fails.pop(0):
            raise OSError("disk full")
        return asked

    async def run():
        together = Batcher(work)
        failed = await asyncio.gather(together.ask(1), together.ask(2), return_exceptions=True)
        assert [type(one) for one in failed] == [OSError, OSError]
        return await together.ask(3)

    assert asyncio.run(run()) == 3


def test_one_who_gives_up_harms_nobody():
    """A cancelled task's work is done, and the others get theirs."""

    async def run():
        together = Batcher(list)
        gone = asyncio.create_task(together.ask(1))
        stays = asyncio.create_task(together.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == 2
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(run())
