"""Which day it is for a card."""

from datetime import UTC, date, datetime

import pytest

from tokenvault_data.dataset.today import day_of, today_in_india
from tokenvault_data.errors import UsageError


@pytest.mark.parametrize(
    ("given", "day"),
    [
        ("2028-02-29", date(2028, 2, 29)),
        (" 2026-12-31 ", date(2026, 12, 31)),
        (date(2026, 1, 1), date(2026, 1, 1)),
        (datetime(2026, 11, 30, 18, 29, 59, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 11, 30, 18, 30, tzinfo=UTC), date(2026, 12, 1)),
        (datetime(2026, 11, 30, 23, 59), date(2026, 11, 30)),  # noqa: DTZ001  zoneless is India
    ],
)
def test_a_day_is_a_day_in_india(given, day):
    """Texts, days and instants name one day; an instant counts where the merchants are."""
    assert day_of(given) == day


@pytest.mark.parametrize("given", ["2026-02-30", "22/11/2026", "", "tomorrow", 20261122])
def test_what_is_no_day_is_refused(given):
    """Other texts and numbers are refused in a sentence, not guessed at."""
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        day_of(given)


def test_without_a_day_it_is_today():
    """The default is today in India, which is never before today in UTC."""
    before = datetime.now(UTC).date()
    assert before <= day_of(None) <= today_in_india()
