"""Dimensions that follow from a column: the bank of a spelling, the month and bucket of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from tokenvault_data.analysis.bank_names import BankNames

DERIVED: Final = {"bank": "card_bank", "expiry": "expires_on", "expires_in": "expires_on"}
"""Derived dimensions with the column each follows from."""

EXPIRES_IN: Final = ("expired", "0-30 days", "31-60 days", "61-90 days", "later")
"""Buckets of days until a card's last day, soonest first; unknown expiry is in none of them."""

TIME_ORDERED: Final = frozenset(
    {"expiry", "expires_on", "expires_in", "expiry_year", "expiry_month"}
)
"""Dimensions whose values are in order of time."""


def expiry_month_text(expires_on: date) -> str:
    """Return the month of a day as text.

    >>> from datetime import date
    >>> expiry_month_text(date(2028, 2, 29))
    '2028-02'
    """
    return f"{expires_on.year:04d}-{expires_on.month:02d}"


def expires_in(expires_on: date, as_of: date) -> str:
    """Return the bucket of a card whose last day is `expires_on`, as of a day.

    A card is valid through its last day, so that day itself is in ``0-30 days``.

    >>> from datetime import date
    >>> expires_in(date(2026, 11, 30), date(2026, 11, 30))
    '0-30 days'
    """
    days_left = (expires_on - as_of).days
    if days_left < 0:
        return EXPIRES_IN[0]
    return EXPIRES_IN[min(max(days_left - 1, 0) // 30 + 1, 4)]


def derive(
    dimension: str, values: pa.Array, *, banks: BankNames | None, as_of: date
) -> list[str | None]:
    """Return what follows for a derived dimension from each value of its column.

    Parameters
    ----------
    dimension : str
        One of `DERIVED`.
    values : pyarrow.Array
        Values of the column, none missing.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    as_of : datetime.date
        The day that buckets are counted from.
    """
    known = values.to_pylist()
    if dimension == "expiry":
        return [expiry_month_text(day) for day in known]
    if dimension == "expires_in":
        return [expires_in(day, as_of) for day in known]
    if banks is None:
        from tokenvault_data.analysis.bank_names import load_bank_names

        banks = load_bank_names()
    return [banks.canonical(spelling) for spelling in known]


def in_order(dimension: str, values: set[str]) -> list[str]:
    """Return the values of a derived dimension in its order: buckets by time, others as text."""
    if dimension == "expires_in":
        return [bucket for bucket in EXPIRES_IN if bucket in values]
    return sorted(values)
