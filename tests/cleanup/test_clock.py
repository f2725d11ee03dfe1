"""How much time has passed, by the clock that says most."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cleanup import clock as clock_module
from tokenvault_data.cleanup.clock import Clock, Moment, seconds_since_boot

ASKED = Moment(1000.0, 50.0, 70.0)


@pytest.mark.parametrize(
    ("wall", "monotonic", "boot", "age"),
    [
        (1.0, 1.0, 1.0, 1.0),
        (10_800.0, 1.0, 1.0, 10_800.0),  # the wall clock was put on
        (1.0, 0.0, 900.0, 900.0),  # a laptop slept, and two clocks stood still
        (900.0, 0.0, 0.0, 900.0),  # the same, where no clock runs in sleep
        (-10_800.0, 1.5, 1.0, 1.5),  # the wall clock was put back
        (-1.0, 0.0, -1.0, 0.0),
    ],
)
def test_the_clock_that_says_most_counts(wall, monotonic, boot, age):
    """One that stands still, or was put back, makes nothing younger."""
    now = Moment(ASKED.wall + wall, ASKED.monotonic + monotonic, ASKED.boot + boot)
    assert ASKED.age(now) == age


_seconds = st.floats(-1e9, 1e9)
_moments = st.builds(Moment, _seconds, _seconds, _seconds)


@given(_moments, _moments)
def test_no_age_is_below_what_any_clock_says(before, now):
    """And none is negative."""
    age = before.age(now)
    assert age >= 0
    assert all(age >= later - earlier for earlier, later in zip(before, now, strict=True))


def test_the_clocks_of_the_system_are_read():
    """Time of day with a zone, and two clocks of seconds that do not go back."""
    before, moment, after = datetime.now(UTC), Clock().moment(), datetime.now(UTC)
    assert before.timestamp() <= moment.wall <= after.timestamp()
    assert moment.monotonic <= time.monotonic()
    assert moment.boot <= seconds_since_boot()
    assert Clock().now().tzinfo is not None


@pytest.mark.parametrize("content", [None, b"", b"soon 5"])
def test_without_the_file_of_the_system_another_clock_serves(tmp_path, monkeypatch, content):
    """Where the seconds since the start cannot be read, a clock still runs."""
    path = tmp_path / "uptime"
    monkeypatch.setattr(clock_module, "_UPTIME", path)
    if content is not None:
        path.write_bytes(content)
    first = seconds_since_boot()
    assert seconds_since_boot() >= first > 0
    path.write_bytes(b"1234.56 99.00\n")
    assert seconds_since_boot() == 1234.56
