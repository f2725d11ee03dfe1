from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.client.pacing.headers import (
    NAMES,
    FieldsReading,
    LimitReading,
    read_fields,
    read_limits,
)

DRAFT_6 = {
    "ratelimit-limit": "100",
    "ratelimit-policy": "100;w=60",
    "ratelimit-remaining": "50",
    "ratelimit-reset": "5",
}
DRAFT_7 = {"ratelimit": "limit=100, remaining=50, reset=5", "ratelimit-policy": "100;w=60"}
DRAFT_8 = {"ratelimit": '"default";r=50;t=5', "ratelimit-policy": '"default";q=100;w=60'}


@pytest.mark.parametrize("headers", [DRAFT_6, DRAFT_7, DRAFT_8], ids=["6", "7", "8"])
def test_three_drafts_say_the_same(headers):
    """Limit, remaining and reset of a window of a minute are read from each draft."""
    assert read_limits(headers) == LimitReading(
        limit_per_minute=100, remaining=50, reset_after_seconds=5.0
    )


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        pytest.param({"ratelimit-limit": "100, 100;w=60"}, 100, id="6, policy within the limit"),
        pytest.param({"ratelimit-limit": "10, 10;w=1, 50;w=60, 1000;w=3600"}, 16, id="strictest"),
        pytest.param({"ratelimit-policy": "100;w=10;burst=5"}, 600, id="a window of ten seconds"),
        pytest.param({"ratelimit-policy": '"d";q=5000;w=86400'}, 3, id="a window of a day"),
        pytest.param(
            {"ratelimit-policy": '"burst";q=20;w=1,"hour";q=3000;w=3600;pk=:cHN0:'}, 50, id="two"
        ),
        pytest.param(
            {"ratelimit-policy": '"r";q=90;w=60, "b";q=1;w=60;qu="content-bytes"'}, 90, id="bytes"
        ),
        pytest.param({"ratelimit-policy": r'"a;q=1,\";w=9";q=70;w=60'}, 70, id="a quoted name"),
        pytest.param({"ratelimit": "limit=10, remaining=9, reset=1"}, 10, id="no window: a minute"),
        pytest.param(
            {"ratelimit": "limit=5000, remaining=9, reset=3000"}, 100, id="no window: its reset"
        ),
        pytest.param(
            {"ratelimit-policy": "100;w=60", "x-ratelimit-limit": "40"}, 40, id="both dialects"
        ),
        pytest.param(
            {"ratelimit": "limit=10, remaining=1, reset=1", "ratelimit-policy": "10;w=1"},
            600,
            id="a bare figure is that of its policy",
        ),
    ],
)
def test_the_strictest_policy_holds_by_the_minute(headers, limit):
    """Of windows of any length and any number of policies, the lowest rate is the limit."""
    assert read_limits(headers).limit_per_minute == limit


def test_what_is_left_counts_only_of_a_window_of_a_minute():
    """What is left of an hour would be spent within a minute."""
    hour = {"ratelimit": '"h";r=3000;t=3000', "ratelimit-policy": '"h";q=6000;w=3600'}
    assert read_limits(hour).remaining is None
    two = {
        "ratelimit": '"m";r=7;t=30, "h";r=3000;t=3000',
        "ratelimit-policy": '"m";q=60;w=60, "h";q=6000;w=3600',
    }
    assert read_limits(two).remaining == 7


def test_a_spent_policy_says_how_long_to_wait():
    """Of policies of which nothing is left the last to reset counts; Retry-After comes first."""
    spent = {
        "ratelimit": '"m";r=0;t=30, "h";r=0;t=700, "d";r=5;t=80000',
        "ratelimit-policy": '"m";q=60;w=60, "h";q=6000;w=3600, "d";q=90000;w=86400',
    }
    assert read_limits(spent).wait_seconds == 700.0
    assert read_limits({**spent, "retry-after": "3"}).wait_seconds == 3.0


def test_a_limit_whose_window_was_not_told_is_a_guess():
    """It may be lower, as a later answer with a longer reset shows."""
    assert read_limits({"ratelimit": "limit=100, remaining=1, reset=3"}).limit_is_guessed
    assert not read_limits(DRAFT_7).limit_is_guessed


NONSENSE = ["", ";", ",", '"', "=", "a;q", '"d";q=-1;w=60', '"d";q=1e9;w=60', '"d";q=5;w=0']
NONSENSE += ['"d";q=5;w=x', "limit=x, remaining=, reset=;", "-5", "1.5", "٣;w=60", "9" * 30]
NONSENSE += ["100 w=60", '"d";q=99999999;w=60', "limit=0", "\x00", '"' * 50, "x" * 9999]


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_as_if_it_were_missing(value):
    """No limit, nothing left, no wait is read from what cannot be read."""
    assert read_fields(dict.fromkeys(NAMES, value)) == FieldsReading()


@given(st.dictionaries(st.sampled_from(NAMES), st.text('"\\;,=:rtqw limitremaining0123456789-.')))
def test_no_field_can_break_the_reading(headers):
    """Whatever the fields hold, what is read is None or a number in range."""
    reading = read_limits(headers)
    assert reading.limit_per_minute is None or 1 <= reading.limit_per_minute <= 600_000_000
    for number in (reading.remaining, reading.wait_seconds, reading.reset_after_seconds):
        assert number is None or (math.isfinite(number) and number >= 0)
