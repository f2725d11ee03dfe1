"""Counts, shares and days in words."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.text import counted, long_day, percent


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 cards"), (1, "1 card"), (2, "2 cards"), (1234567, "1,234,567 cards")],
)
def test_a_count_has_its_noun(number, text):
    """One is singular, all other numbers plural, thousands apart."""
    assert counted(number, "card") == text


@given(st.floats(0, 1))
def test_a_share_is_never_rounded_to_nothing_or_all(share):
    """Only nothing is 0%, and only all is 100%."""
    assert (percent(share) == "0%") == (share == 0)
    assert (percent(share) == "100%") == (share == 1)
    assert percent(share).endswith("%")


@given(st.dates())
def test_a_day_is_unmistakable(day):
    """No two days read alike, and months are in letters."""
    assert long_day(day).split()[0] == str(day.day)
    assert long_day(day).endswith(str(day.year))
    if day.month < 12:
        assert long_day(day) != long_day(day.replace(day=1) + timedelta(days=31 + day.day - 1))


def test_the_months_are_in_english():
    """Whatever the locale, November is November."""
    assert long_day(date(2026, 11, 22)) == "22 November 2026"
