"""For how long the vault's word about a card allows a delete."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.engine.freshness import (
    BEAT_SECONDS,
    LONGEST_GAP_SECONDS,
    Evidence,
    Heartbeat,
)

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


class Hands:
    """Three clocks that are moved by hand."""

    def __init__(self):
        self.wall = self.monotonic = self.boot = 100.0
        self.naps = 0

    def clock(self):
        return Clock(
            now=lambda: START + timedelta(seconds=self.wall),
            monotonic=lambda: self.monotonic,
            sleep=self.sleep,
            boot=lambda: self.boot,
        )

    async def sleep(self, seconds):
        self.naps += 1
        self.pass_(seconds)
        await asyncio.sleep(0)

    def pass_(self, seconds):
        self.wall += seconds
        self.monotonic += seconds
        self.boot += seconds


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def heart(hands):
    return Heartbeat(hands.clock())


def beats(hands, heart, seconds):
    """Let time pass as a process at work sees it."""
    for _ in range(round(seconds / BEAT_SECONDS)):
        hands.pass_(BEAT_SECONDS)
        heart.beat()


def test_it_allows_until_its_bound_and_no_longer(hands, heart):
    """Age counts from before the question; the bound itself is within."""
    evidence = Evidence.about_to_ask(heart, 2.0)
    beats(hands, heart, 1.9)
    assert evidence.problem() is None
    beats(hands, heart, 0.2)
    assert "2.1 s old" in evidence.problem()
    assert evidence.age_seconds() == pytest.approx(2.1)
    assert evidence.late_seconds() == pytest.approx(2.1)


def test_a_longer_bound_holds_where_requests_are_far_apart(hands, heart):
    """It is given with the evidence."""
    evidence = Evidence.about_to_ask(heart, 8.0)
    beats(hands, heart, 7.9)
    assert evidence.problem() is None
    beats(hands, heart, 0.2)
    assert evidence.problem() is not None


@pytest.mark.parametrize("clock", ["wall", "monotonic", "boot"])
@pytest.mark.parametrize("jump", [-10_800.0, -1.1, 1.1, 3.0, 10_800.0])
@pytest.mark.parametrize("beats_after", [0, 1])
def test_a_stop_voids_what_was_asked_before(hands, heart, clock, jump, beats_after):
    """Whichever clock noticed it, and also where the heartbeat has not beaten since."""
    evidence = Evidence.about_to_ask(heart, 1e9)
    beats(hands, heart, 0.5)
    setattr(hands, clock, getattr(hands, clock) + jump)
    for _ in range(beats_after):
        heart.beat()
    assert "stopped" in evidence.problem()
    assert evidence.late_seconds() == pytest.approx(0.5 + max(0.0, jump))


def test_a_stop_voids_nothing_that_is_asked_after_it(hands, heart):
    """Also where nobody has noticed it before the question."""
    old = Evidence.about_to_ask(heart, 2.0)
    hands.pass_(LONGEST_GAP_SECONDS + 0.1)
    new = Evidence.about_to_ask(heart, 2.0)
    beats(hands, heart, 0.5)
    assert new.problem() is None
    assert new.late_seconds() is None
    assert old.problem() is not None
    assert heart.stops == 1


def test_a_short_gap_is_no_stop(hands, heart):
    """A second without a beat is what a busy machine may take."""
    evidence = Evidence.about_to_ask(heart, 10.0)
    for _ in range(5):
        hands.pass_(LONGEST_GAP_SECONDS)
        assert evidence.problem() is None
    assert heart.stops == 0


def test_an_age_that_only_the_wall_clock_saw_is_one(hands, heart):
    """Put on in small steps, no beat is missed, and the evidence is old all the same."""
    evidence = Evidence.about_to_ask(heart, 2.0)
    for _ in range(3):
        hands.wall += 0.9
        heart.beat()
    assert "2.7 s old" in evidence.problem()


def test_a_heart_beats_until_it_is_stopped(hands, heart):
    """Ten times a second, and what passed before it began to beat is no stop."""
    hands.pass_(600.0)

    async def run():
        beating = asyncio.create_task(heart.run())
        for gap in (5.0, 0.0):
            for _ in range(40):
                await asyncio.sleep(0)
            hands.pass_(gap)
        beating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beating

    asyncio.run(run())
    assert heart.stops == 1
    assert hands.naps > 20
