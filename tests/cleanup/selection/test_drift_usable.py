"""Whether a card can be paid with: the same in Python and in SQL."""

from datetime import date

import duckdb
import pytest

from tokenvault_data.cleanup.selection.drift import usable, usable_sql

DAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("status", "expires_on", "wanted"),
    [
        ("ACTIVE", date(2026, 11, 30), True),
        ("ACTIVE", date(2026, 11, 29), False),
        ("ACTIVE", None, None),
        (None, date(2026, 11, 30), None),
        (None, date(2026, 11, 29), False),
        (None, None, None),
        ("INACTIVE", date(2026, 11, 30), False),
        ("INACTIVE", None, False),
        ("EXPIRED", date(2030, 1, 31), False),
    ],
)
def test_usable_through_the_last_day(status, expires_on, wanted):
    """ACTIVE through its last day is usable; what is missing leaves open what it could decide."""
    assert usable(status, expires_on, DAY) is wanted
    card = "(SELECT ?::VARCHAR, ?::DATE) AS card(instrument_status, expires_on)"
    asked = f"SELECT {usable_sql(DAY)} FROM {card}"
    with duckdb.connect() as connection:
        assert connection.execute(asked, [status, expires_on]).fetchone() == (wanted,)
