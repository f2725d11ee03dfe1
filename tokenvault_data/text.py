"""How findings word counts, shares and days, so that all titles and notes read alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

# Not from the calendar module, whose names follow the locale of the program around us.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "card"), counted(1234, "card"), counted(0, "entry", "entries")
    ('1 card', '1,234 cards', '0 entries')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def percent(share: float) -> str:
    """Return a share as a percentage that never rounds something to nothing, or to all.

    >>> percent(0.125), percent(0.00001), percent(0.99999), percent(1.0), percent(0.0)
    ('12.5%', 'under 0.1%', 'over 99.9%', '100%', '0%')
    """
    if 0 < share < 0.0005:
        return "under 0.1%"
    if 0.9995 <= share < 1:
        return "over 99.9%"
    return f"{share:.1%}".replace(".0%", "%")


def long_day(day: date) -> str:
    """Return a day with its month in letters.

    >>> import datetime
    >>> long_day(datetime.date(2026, 11, 2))
    '2 November 2026'
    """
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def utc_minute(instant: str) -> str:
    """Return an instant of a plan or a journal, ISO 8601 with a zone, as a reader wants it.

    >>> utc_minute("2026-11-22T23:30:12.345678+05:30")
    '2026-11-22 18:00 UTC'
    """
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
