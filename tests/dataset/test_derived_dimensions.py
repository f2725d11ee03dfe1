from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.derived_dimensions import EXPIRES_IN, derive, expires_in, in_order


@given(st.dates(date(2000, 1, 1), date(2060, 12, 31)), st.integers(-5_000, 5_000))
def test_every_day_is_in_the_bucket_that_names_it(as_of, days_left):
    """A bucket holds the days it names, day 0 is not expired, and what is beyond 90 is later."""
    bucket = expires_in(as_of + timedelta(days=days_left), as_of)
    if bucket == "expired":
        assert days_left < 0
    elif bucket == "later":
        assert days_left > 90
    else:
        first, last = map(int, bucket.removesuffix(" days").split("-"))
        assert first <= days_left <= last


def test_edges_of_buckets():
    """The last day itself is still valid, and each horizon is in the bucket that ends with it."""
    as_of = date(2028, 2, 29)
    found = [expires_in(as_of + timedelta(days=d), as_of) for d in (-1, 0, 30, 31, 60, 61, 90, 91)]
    assert found == [
        *("expired", "0-30 days", "0-30 days", "31-60 days", "31-60 days"),
        *("61-90 days", "61-90 days", "later"),
    ]


def test_derive():
    """Each value of a column leads to one of the derived dimension."""
    days = pa.array([date(2027, 2, 28), date(987, 1, 31)])
    as_of = date(2027, 2, 28)
    assert derive("expiry", days, banks=None, as_of=as_of) == ["2027-02", "0987-01"]
    assert derive("expires_in", days, banks=None, as_of=as_of) == ["0-30 days", "expired"]
    spellings = pa.array(["HDFC BANK", "HDFC Bank Limited"])
    canonical = load_bank_names().canonical("HDFC BANK")
    assert derive("bank", spellings, banks=None, as_of=as_of) == [canonical] * 2


def test_order():
    """Buckets are in order of time, other values in the order of their text."""
    assert in_order("expires_in", set(EXPIRES_IN)) == list(EXPIRES_IN)
    assert in_order("expires_in", {"later", "expired"}) == ["expired", "later"]
    assert in_order("bank", {"b", "B", "a"}) == ["B", "a", "b"]
