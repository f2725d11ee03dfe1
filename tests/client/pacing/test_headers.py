from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.client.pacing.headers import LimitReading, read_limits
from tokenvault_data.emulator.limiter import DIALECTS, Verdict, limit_headers

NAMES = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-retry",
    "x-ratelimit-reset",
    "x-ratelimit-type",
    "retry-after",
]


def test_every_dialect_of_the_emulator_is_read():
    """What the emulator writes in all six headers is read back."""
    verdict = Verdict(False, 400, 0, 17.3, 29.0)
    headers = {n.decode(): v.decode() for n, v in limit_headers(verdict, DIALECTS)}
    assert read_limits(headers) == LimitReading(
        limit_per_minute=400,
        remaining=0,
        wait_seconds=18.0,
        reset_after_seconds=29.0,
        counted_by="app_id",
    )


def test_no_headers_say_nothing():
    """An answer without limit headers reads as nothing known."""
    assert read_limits({"content-type": "application/json"}) == LimitReading()


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "-1",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "abc",
        "12abc",
        "1_000",
        "٣",
        "0x10",
        "9" * 30,
        "1700000000",
        "5;w=60",
        " ",
        "None",
    ],
)
def test_nonsense_is_ignored(nonsense):
    """Negative, huge, NaN and other nonsense reads as if the header were missing."""
    headers = dict.fromkeys(NAMES, nonsense)
    if nonsense.isascii() and nonsense.isdigit():
        del headers["retry-after"]
    assert read_limits(headers) == LimitReading()


@pytest.mark.parametrize(
    ("told", "wait"), [("0", 0.0), ("0.2", 1.0), ("7", 7.0), ("900", 900.0), ("3600", 900.0)]
)
@pytest.mark.parametrize("name", ["x-ratelimit-retry", "retry-after"])
def test_a_wait_is_kept_between_one_second_and_fifteen_minutes(name, told, wait):
    """0 means that there is no need to wait; any other wait becomes 1 to 900 seconds."""
    assert read_limits({name: told}).wait_seconds == wait


@pytest.mark.parametrize("told", ["604801", "1700000000", "9" * 30])
def test_a_retry_after_however_long_is_the_longest_wait(told):
    """A wait of weeks is not taken for no wait at all."""
    assert read_limits({"retry-after": told}).wait_seconds == 900.0


def test_of_two_waits_the_longer_one_counts():
    """Where both headers tell a wait, waiting the longer one satisfies both."""
    both = {"x-ratelimit-retry": "3", "retry-after": "9"}
    assert read_limits(both).wait_seconds == 9.0


def test_a_limit_of_zero_is_no_limit():
    """A limit of 0 requests a minute cannot be meant."""
    assert read_limits({"x-ratelimit-limit": "0"}).limit_per_minute is None
    assert read_limits({"x-ratelimit-remaining": "0"}).remaining == 0


def test_a_date_is_measured_from_the_answers_own_date():
    """Retry-After as a date counts from the server's Date, not from a local clock hours off."""
    headers = {
        "retry-after": "Fri, 13 Nov 2026 10:00:30 GMT",
        "date": "Fri, 13 Nov 2026 10:00:00 GMT",
    }
    assert read_limits(headers, wall_clock=lambda: 0.0).wait_seconds == 30.0


def test_a_date_alone_is_measured_from_the_local_clock():
    """Without a Date header, the local clock is all there is."""
    headers = {"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}
    assert read_limits(headers, wall_clock=lambda: 75.0).wait_seconds == 45.0


@pytest.mark.parametrize(
    "date", ["Thu, 01 Jan 1970 00:00:10 GMT", "Thu, 01 Jan 2099 00:00:00 GMT", "Thu, 99 Jan"]
)
def test_a_date_that_cannot_be_meant_is_ignored(date):
    """A date that is past, decades away or no date at all tells no wait."""
    assert read_limits({"retry-after": date}, wall_clock=lambda: 75.0).wait_seconds is None


@given(st.dictionaries(st.sampled_from([*NAMES, "date"]), st.text(max_size=40)))
def test_no_header_can_break_the_reading(headers):
    """Whatever the headers hold, what is read is None or a number in range."""
    reading = read_limits(headers)
    assert reading.limit_per_minute is None or reading.limit_per_minute >= 1
    assert reading.remaining is None or reading.remaining >= 0
    for seconds in (reading.wait_seconds, reading.reset_after_seconds):
        assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= 900)
