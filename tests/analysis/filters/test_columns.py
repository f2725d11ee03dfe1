"""Which columns and which values conditions may speak of."""

from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pytest

from tokenvault_data.analysis.filters.columns import (
    ARROW_TYPES,
    KINDS,
    kind_of_type,
    value_for,
    value_from_text,
)
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError


def test_every_column_of_the_instruments_can_be_asked_for():
    """No column of the pinned schema is left out, and each is of the kind of its type."""
    assert set(INSTRUMENTS.names) <= set(KINDS)
    assert {n: KINDS[n] for n in INSTRUMENTS.names} == {
        field.name: kind_of_type(field.type) for field in INSTRUMENTS
    }
    assert {kind: kind_of_type(held) for kind, held in ARROW_TYPES.items()} == {
        kind: kind for kind in ARROW_TYPES
    }


@pytest.mark.parametrize(
    ("column", "given", "held"),
    [
        ("expires_on", "2024-02-29", date(2024, 2, 29)),
        ("expires_on", date(2024, 2, 29), date(2024, 2, 29)),
        ("created_at", "2026-11-22T00:00:00+05:30", datetime(2026, 11, 21, 18, 30, tzinfo=UTC)),
        ("created_at", "2026-11-22 00:00Z", datetime(2026, 11, 22, tzinfo=UTC)),
        (
            "created_at",
            datetime(2026, 11, 22, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 11, 21, 23, tzinfo=UTC),
        ),
        ("created_at", pd.Timestamp("2026-11-22", tz="UTC"), datetime(2026, 11, 22, tzinfo=UTC)),
        ("expiry_year", 2027, 2027),
        ("card_bank", "anything at all", "anything at all"),
        ("expiry", "2026-11", "2026-11"),
        ("card_country", "IN", "IN"),
    ],
)
def test_values_are_held_in_one_type(column, given, held):
    """Text of dates and instants is read, instants come back in UTC."""
    value = value_for(column, given)
    assert value == held
    assert type(value) is type(held)
    assert not isinstance(value, datetime) or value.tzinfo is UTC


@pytest.mark.parametrize(
    ("column", "given"),
    [
        ("expires_on", "2026-2-3"),
        ("expires_on", "20260203"),
        ("expires_on", "2026-02-30"),
        ("expires_on", "\u0662\u0660\u0662\u0666-01-01"),
        ("created_at", "2026-11-22T00:00:00"),
        ("created_at", datetime(2026, 11, 22)),  # noqa: DTZ001 - the case itself
        ("created_at", "2026-13-22T00:00:00Z"),
        ("created_at", "0001-01-01T00:00:00+05:30"),
        ("created_at", date(2026, 11, 22)),
        ("created_at", pd.NaT),
        ("expiry_year", "2027"),
        ("expiry_year", 2**63),
        ("card_bank", "\ud800"),
        ("card_bank", 5),
        ("card_bank", b"x"),
        ("card_type", "DEBIT_CARD"),
    ],
)
def test_what_a_column_cannot_hold_is_refused(column, given):
    """No value is guessed at."""
    with pytest.raises(UsageError, match=column):
        value_for(column, given)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("expiry_month", "05", 5),
        ("list_position", "-1", -1),
        ("expires_on", "2026-11-22", date(2026, 11, 22)),
        ("customer_id", "5", "5"),
    ],
)
def test_typed_text_is_read_as_its_column_holds_it(column, text, value):
    """Only columns of whole numbers make a number of digits."""
    assert value_from_text(column, text) == value


@pytest.mark.parametrize(
    "text", ["5.0", "five", "\u0665", "", "1e3", "99999999999999999999", "1_0"]
)
def test_typed_numbers_are_plain_digits(text):
    """Anything that is no whole number in ASCII digits is refused."""
    with pytest.raises(UsageError, match="expiry_month"):
        value_from_text("expiry_month", text)
