"""Random vaults for questions of expiry, and their cards one by one to count by hand."""

from __future__ import annotations

from datetime import date, timedelta

from analysis_cases import card, table_of
from hypothesis import strategies as st

# Days at which months end, years leap, and centuries do not.
DAYS = st.one_of(
    st.sampled_from(
        [
            date(2026, 11, 22),
            date(2026, 11, 30),
            date(2026, 12, 1),
            date(2026, 12, 31),
            date(2027, 2, 28),
            date(2028, 2, 28),
            date(2028, 2, 29),
            date(2028, 3, 1),
        ]
    ),
    st.dates(date(2026, 6, 1), date(2028, 12, 31)),
)

_EXPIRIES = st.one_of(
    st.none(),
    st.tuples(st.sampled_from([2026, 2027, 2028, 2031]), st.integers(1, 12)),
)
_ROW = st.fixed_dictionaries(
    {
        "instrument_id": st.sampled_from(["i0", "i1", "i2", "i3"]),
        "instrument_status": st.sampled_from(["ACTIVE", "ACTIVE", "INACTIVE", "EXPIRED", None]),
        "card_network": st.sampled_from(["visa", "rupay", None]),
        "card_bank_name": st.sampled_from(["HDFC BANK", "HDFC Bank Limited", "AXIS BANK", None]),
        "expires": _EXPIRIES,
    }
)
VAULTS = st.dictionaries(
    st.sampled_from([f"c{number}" for number in range(6)]), st.lists(_ROW, max_size=5), max_size=6
)


def raw(row):
    """Return a row of `VAULTS` as the vault would send it."""
    year, month = row["expires"] or (None, None)
    return card(
        row["instrument_id"],
        instrument_status=row["instrument_status"],
        card_network=row["card_network"],
        card_bank_name=row["card_bank_name"],
        expiry_year=None if year is None else str(year),
        expiry_month=None if month is None else f"{month:02d}",
    )


def table_from(rows_of):
    """Flatten a vault of `VAULTS`."""
    return table_of({customer: [raw(row) for row in rows] for customer, rows in rows_of.items()})


def last_day(expires):
    """Return the last day of a (year, month) by going back from the first of the next one."""
    if expires is None:
        return None
    year, month = expires
    following = date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1)
    return following - timedelta(days=1)


def cards_in(rows_of):
    """Return (customer, place in the list, row, last day) of every card."""
    return [
        (customer, place, row, last_day(row["expires"]))
        for customer, rows in rows_of.items()
        for place, row in enumerate(rows)
    ]
