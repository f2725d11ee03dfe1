from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.analysis.cube.crossfilter import MonthRange, read_month_range
from tokenvault_data.errors import UsageError

_months = st.none() | st.dates(date(2000, 1, 1), date(2060, 12, 31)).map(lambda d: str(d)[:7])


@given(st.tuples(_months, _months), st.dates(date(2000, 1, 1), date(2060, 12, 31)))
def test_condition_is_the_range(ends, day):
    """The condition on the day holds exactly for the months in the range."""
    if None not in ends:
        ends = tuple(sorted(ends))
    months = read_month_range(ends)
    rows = pa.table({"expires_on": pa.array([day, None], pa.date32())})
    inside = (ends[0] or "0000") <= str(day)[:7] <= (ends[1] or "9999")
    assert months.holds(str(day)[:7]) is inside
    assert months.predicate().selected(rows)["expires_on"].to_pylist() == [day] * inside


def test_last_days():
    """A range ends with the last day of its last month, leap years and December included."""
    for month, last in (
        ("2028-02", date(2028, 2, 29)),
        ("2027-02", date(2027, 2, 28)),
        ("9999-12", date(9999, 12, 31)),
    ):
        assert MonthRange(None, month).predicate().to_dict() == {
            "column": "expires_on",
            "<=": last.isoformat(),
        }


@pytest.mark.parametrize(
    "ends",
    [
        *(("2026-11",), ("2026-11", "2026-12", "2027-01"), (), ("2026-12", "2026-11")),
        *(("2026-13", None), ("0000-01", None), ("2026-1", None), (202611, None)),
        ("2026-11-01", None),
    ],
)
def test_what_is_no_range(ends):
    """Anything but two months in order is refused."""
    with pytest.raises(UsageError, match="nothing was filtered"):
        read_month_range(ends)
