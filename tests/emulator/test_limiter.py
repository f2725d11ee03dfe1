from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.emulator.limiter import WINDOWS, make_limiter


def admitted(limiter, times):
    return [time for time in times if limiter.admit(time).allowed]


def busy(per_second, seconds, start=0.0):
    return [start + n / per_second for n in range(int(per_second * seconds))]


def test_a_fixed_window_starts_afresh_at_each_boundary():
    """A fixed window lets the limit through before a boundary, and all of it again after."""
    limiter = make_limiter("fixed", 60, offset_seconds=0.0)
    assert len(admitted(limiter, busy(100, 1, start=59.0))) == 60
    assert len(admitted(limiter, busy(100, 1, start=60.0))) == 60
    assert not limiter.admit(119.9).allowed
    assert limiter.admit(120.0).allowed


@pytest.mark.parametrize("window", ["fixed", "counter"])
def test_boundaries_do_not_follow_the_client(window):
    """Without a given offset, the first boundary falls within a window, elsewhere by seed."""
    resets = {
        make_limiter("fixed", 60, seed=seed).admit(1000.0).reset_after_seconds for seed in range(8)
    }
    assert len(resets) == 8
    assert all(0 < reset <= 60 for reset in resets)
    again = [make_limiter(window, 60, seed=3).admit(1000.0) for _ in range(2)]
    assert again[0] == again[1]


def test_a_sliding_log_never_exceeds_the_limit_in_any_minute():
    """However requests come, no 60 seconds of a sliding log hold more than the limit."""
    draw = random.Random(7)
    times, now = [], 0.0
    for _ in range(4000):
        now += draw.expovariate(3.0)
        times.append(now)
    passed = admitted(make_limiter("log", 100), times)
    assert len(passed) > 1000
    assert all(later - first >= 60.0 for first, later in zip(passed, passed[100:], strict=False))


def test_a_sliding_counter_weighs_the_window_before():
    """Half-way through a window, half of the one before still counts."""
    limiter = make_limiter("counter", 60, offset_seconds=0.0)
    assert len(admitted(limiter, busy(100, 1, start=10.0))) == 60
    assert not limiter.admit(60.5).allowed
    assert len(admitted(limiter, busy(1000, 0.1, start=90.0))) == 30


def test_a_counter_forgets_after_two_windows():
    """A window of silence in between leaves nothing to weigh."""
    limiter = make_limiter("counter", 60, offset_seconds=0.0)
    admitted(limiter, busy(100, 1, start=10.0))
    assert limiter.admit(125.0).remaining == 59


def test_a_bucket_lets_a_burst_through_and_then_its_rate():
    """A full bucket lets its burst through at once, and an even rate from then on."""
    limiter = make_limiter("bucket", 600, burst=10)
    assert len(admitted(limiter, busy(10_000, 0.01))) == 10
    assert len(admitted(limiter, busy(1000, 60, start=0.01))) == pytest.approx(600, abs=1)


@pytest.mark.parametrize("window", WINDOWS)
@given(
    per_minute=st.integers(1, 300),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=200),
    rejected_count=st.booleans(),
)
def test_a_verdict_keeps_its_word(window, per_minute, gaps, rejected_count):
    """So many more pass at once as are said to remain, then none until the wait told is over."""
    limiter = make_limiter(window, per_minute, rejected_count=rejected_count)
    now = 50.0
    verdict = limiter.admit(now)
    for gap in gaps:
        now += gap
        verdict = limiter.admit(now)
    for _ in range(verdict.remaining):
        verdict = limiter.admit(now)
        assert verdict.allowed
    assert verdict.remaining == 0
    wait = verdict.retry_after_seconds
    assert wait > 0
    assert limiter.admit(now + wait + 1e-6).allowed


@pytest.mark.parametrize("window", WINDOWS)
def test_early_requests_are_refused(window):
    """Who comes just before the wait told is over is refused, in every kind of window."""
    limiter = make_limiter(window, 60)
    verdict = limiter.admit(0.0)
    while verdict.remaining:
        verdict = limiter.admit(0.0)
    assert not limiter.admit(0.95 * verdict.retry_after_seconds).allowed


@pytest.mark.parametrize("window", ["log", "counter", "bucket"])
def test_refusals_that_count_shut_out_who_never_pauses(window):
    """Where refusals count, hammering gets far less through than where they do not."""
    through = {
        counted: len(admitted(make_limiter(window, 60, rejected_count=counted), busy(20, 600)))
        for counted in (False, True)
    }
    assert through[False] == pytest.approx(600, abs=61)
    assert through[True] < 0.35 * through[False]


@pytest.mark.parametrize("window", WINDOWS)
def test_the_budget_of_hours_is_the_limit(window):
    """Over ten minutes of hammering, the limit times ten gets through, and at most one more."""
    passed = len(admitted(make_limiter(window, 120, seed=1), busy(10, 600)))
    assert 1190 <= passed <= 1320


def test_a_shorter_window_holds_its_proportion():
    """A window of one second allows a sixtieth of the limit, and still tells it by the minute."""
    limiter = make_limiter("fixed", 600, window_seconds=1.0, offset_seconds=0.0)
    assert len(admitted(limiter, busy(1000, 0.9))) == 10
    assert limiter.admit(1.0).limit == 600


@pytest.mark.parametrize(
    ("window", "settings"),
    [
        ("leaky", {}),
        ("fixed", {"burst": 5}),
        ("bucket", {"burst": 0}),
        ("log", {"window_seconds": 0.0}),
        ("log", {"window_seconds": float("nan")}),
    ],
)
def test_impossible_settings_are_refused(window, settings):
    """Unknown kinds and impossible numbers raise ValueError and name the value."""
    with pytest.raises(ValueError, match=r"window|burst"):
        make_limiter(window, 60, **settings)
    with pytest.raises(ValueError, match="0"):
        make_limiter("fixed", 0)
