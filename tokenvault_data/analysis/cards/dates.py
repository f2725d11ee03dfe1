"""How far ahead somebody looks, in days or calendar months."""

from __future__ import annotations

import calendar
import operator
import re
from datetime import date, timedelta
from typing import Final, SupportsIndex, TypeAlias

from tokenvault_data.errors import UsageError

LONGEST_CALENDAR: Final = 1200
"""Months of the longest calendar: no expiry that can be read lies a hundred years ahead."""

Within: TypeAlias = str | int | timedelta
"""``"90D"``, a number of days, or ``"3M"``: calendar months."""

_text = re.compile(r"\s*(\d{1,7})\s*([DdMm])\s*", re.ASCII).fullmatch


def last_day_within(within: Within, as_of: date) -> date:
    """Return the last day that lies within a horizon that begins with a day.

    Parameters
    ----------
    within : str, int or timedelta
        Days (``"90D"``, ``90``, ``timedelta(days=90)``): so many days after `as_of`. Months
        (``"3M"``): the same day of the month so many months later, or its last day where it is
        shorter.
    as_of : date
        Day 0.

    Raises
    ------
    UsageError
        It is negative, no whole number, not one of these forms, or leads past the year 9999.

    Examples
    --------
    >>> last_day_within("90D", date(2026, 11, 22)), last_day_within("3M", date(2026, 11, 30))
    (datetime.date(2027, 2, 20), datetime.date(2027, 2, 28))
    """
    number, unit = _read(within)
    try:
        return months_later(as_of, number) if unit == "M" else as_of + timedelta(days=number)
    except (OverflowError, ValueError):
        raise UsageError(
            f"{within!r} leads past the year 9999; nothing was counted; give a shorter time."
        ) from None


def days_later(day: date, days: int) -> date | None:
    """Return the day so many days later, None past the ends of the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def whole_number(value: object) -> int:
    """Return a whole number of 0 or more as it is, -1 for anything else; truths are no numbers.

    >>> whole_number(12), whole_number(True), whole_number(1.5)
    (12, -1, -1)
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return -1
    return max(-1, operator.index(value))


def months_later(day: date, months: int) -> date:
    """Return the same day of a month `months` later, or that month's last day if it is shorter.

    >>> months_later(date(2027, 10, 31), 4)
    datetime.date(2028, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def month_number(day: date) -> int:
    """Return how many months lie between the month of a day and the beginning of the calendar."""
    return day.year * 12 + day.month - 1


def first_day(month: int) -> date:
    """Return the first day of a month numbered as by `month_number`."""
    return date(month // 12, month % 12 + 1, 1)


def last_day_of_month(month: int) -> date | None:
    """Return the last day of a month numbered as by `month_number`, None past the year 9999.

    >>> last_day_of_month(month_number(date(2028, 2, 1)))
    datetime.date(2028, 2, 29)
    """
    year, number = divmod(month, 12)
    if year > date.max.year:
        return None
    return date(year, number + 1, calendar.monthrange(year, number + 1)[1])


def month_text(number: int) -> str:
    """Return a month, numbered as by `month_number`, as ``YYYY-MM``.

    >>> month_text(month_number(date(2026, 11, 22)) + 2)
    '2027-01'
    """
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _read(within: Within) -> tuple[int, str]:
    if isinstance(within, timedelta):
        if within >= timedelta(0) and within == timedelta(days=within.days):
            return within.days, "D"
    elif isinstance(within, str):
        read = _text(within)
        if read is not None:
            return int(read[1]), read[2].upper()
    elif whole_number(within) >= 0:
        return whole_number(within), "D"
    raise UsageError(
        f"{within!r} is no time to look ahead; nothing was counted; give whole days such as"
        " '90D', or months such as '3M'."
    )
