"""The day that counts as today: a card expires at midnight where the vault's merchants are."""

from __future__ import annotations

from datetime import date, datetime

from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.errors import UsageError


def today_in_india() -> date:
    """The calendar day it now is in India."""
    return datetime.now(INDIA).date()


def day_of(as_of: date | datetime | str | None) -> date:
    """Read the day on which expiry is judged.

    Parameters
    ----------
    as_of : date, datetime or str, optional
        A day, or ``YYYY-MM-DD``; an instant with a zone is the day it falls on in India, one
        without is India time. Today in India when not given.

    Raises
    ------
    UsageError
        It is no day of the calendar.

    Examples
    --------
    >>> day_of("2028-02-29")
    datetime.date(2028, 2, 29)
    """
    if as_of is None:
        return today_in_india()
    is_missing = as_of != as_of  # noqa: PLR0124  as pandas' NaT, which calls itself a datetime
    if isinstance(as_of, datetime) and not is_missing:
        return (as_of if as_of.tzinfo is None else as_of.astimezone(INDIA)).date()
    if isinstance(as_of, date) and not is_missing:
        return as_of
    try:
        return date.fromisoformat(as_of.strip() if isinstance(as_of, str) else "")
    except ValueError:
        raise UsageError(
            f"{as_of!r} is not a day; nothing was counted; give one as YYYY-MM-DD."
        ) from None
