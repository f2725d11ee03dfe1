"""Looking ahead by days and by calendar months."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.analysis.cards.dates import (
    days_later,
    first_day,
    last_day_within,
    month_number,
    month_text,
    months_later,
    whole_number,
)
from tokenvault_data.errors import UsageError

DAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    "within", ["90D", "90d", " 90 D ", 90, np.int64(90), timedelta(days=90), timedelta(hours=2160)]
)
def test_days_are_read_in_every_form(within):
    """All forms of 90 days mean the same last day."""
    assert last_day_within(within, DAY) == date(2027, 2, 20)


@pytest.mark.parametrize(
    "within",
    [
        *(-1, "-1D", "", "90", "D", "3Y", "1.5D", 1.5, True, None, b"90D", float("nan"), "\u0663D"),
        *("9999999D", 10_000_000, "9999999M", timedelta(hours=1), timedelta(-1)),
    ],
)
def test_nonsense_is_refused(within):
    """What is no whole time ahead is a UsageError that says what to give."""
    with pytest.raises(UsageError, match="nothing was counted"):
        last_day_within(within, DAY)


@pytest.mark.parametrize(
    ("day", "within", "last"),
    [
        (date(2026, 11, 30), "3M", date(2027, 2, 28)),
        (date(2027, 11, 30), "3m", date(2028, 2, 29)),
        (date(2028, 2, 29), "12M", date(2029, 2, 28)),
        (date(2026, 12, 31), "1M", date(2027, 1, 31)),
        (date(2026, 11, 22), "0M", date(2026, 11, 22)),
        (date(2026, 11, 22), 0, date(2026, 11, 22)),
    ],
)
def test_months_end_with_the_month(day, within, last):
    """A month that lacks the day ends the horizon on its last day."""
    assert last_day_within(within, day) == last


@given(st.dates(date(1000, 1, 1), date(9990, 12, 31)), st.integers(0, 100))
def test_months_are_counted_one_after_the_other(day, months):
    """So many months later lies in the month one reaches by stepping from first to first."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first + timedelta(days=31)).replace(day=1)
    later = months_later(day, months)
    assert later.replace(day=1) == first
    assert later.day == day.day or (later + timedelta(days=1)).day == 1
    assert month_number(later) - month_number(day) == months
    assert month_text(month_number(later)) == f"{later:%Y-%m}"
    assert first_day(month_number(later)) == first


def test_the_calendar_ends():
    """Beyond the calendar there is no day, and truths are no numbers."""
    assert days_later(date.max, 1) is None
    assert days_later(date.max, -1) == date(9999, 12, 30)
    assert [whole_number(value) for value in (3, 0, -7, True, "3", None)] == [3, 0, -1, -1, -1, -1]
