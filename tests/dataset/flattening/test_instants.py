from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenvault_data.dataset.flattening.canonical import read_instant, read_instants

DAYS = st.sampled_from(
    [
        "2021-11-11",
        "2024-02-29",
        "2023-02-29",
        "2021-13-01",
        "0000-01-01",
        "1999-12-31",
        "9999-12-31",
    ]
)
CLOCKS = st.sampled_from(
    ["16:57:57", "00:00:00", "23:59:60", "24:00:00", "23:59:59", "16:57", "1657"]
)
ZONES = st.sampled_from(["", "Z", "z", "+05:30", "-0800", "+05", "+24:00", "+05:60", " ", "UTC"])
FRACTIONS = st.sampled_from(["", ".0", ".123", ".123456", ".1234567", ".1234567891", "."])
NEARLY = st.builds(
    lambda day, between, clock, fraction, zone: day + between + clock + fraction + zone,
    DAYS, st.sampled_from("T t_"), CLOCKS, FRACTIONS, ZONES,
)  # fmt: skip


def when(text):
    value = read_instants(pa.array([text]))[0][0].as_py()
    return None if value is None else value.astimezone(UTC).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-11-11 16:57:57", datetime(2021, 11, 11, 11, 27, 57, tzinfo=UTC)),
        ("2023-11-01T04:55:07.000+00:00", datetime(2023, 11, 1, 4, 55, 7, tzinfo=UTC)),
        ("2022-04-14T10:42:59+05:30", datetime(2022, 4, 14, 5, 12, 59, tzinfo=UTC)),
        ("2022-04-14T10:42:59Z", datetime(2022, 4, 14, 10, 42, 59, tzinfo=UTC)),
        ("2022-04-14T10:42:59.5-0100", datetime(2022, 4, 14, 11, 42, 59, 500000, tzinfo=UTC)),
        # before half past five in the morning of India it is still the day before in UTC
        ("2022-01-01 00:00:00", datetime(2021, 12, 31, 18, 30, tzinfo=UTC)),
        ("2024-03-01 05:29:59", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
        ("2024-03-01 05:30:00", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-02-29 12:00:00", datetime(2024, 2, 29, 6, 30, tzinfo=UTC)),
        ("2023-02-29 12:00:00", None),
        ("2021-11-11", None),
        ("1700000000", None),
    ],
)
def test_documented_spellings(text, moment):
    """A zone is obeyed, and no zone means India."""
    assert when(text) == moment


@settings(deadline=None, max_examples=200)
@given(
    st.lists(NEARLY | st.none() | st.just("2021-11-11 16:57:57") | st.text(max_size=30), max_size=8)
)
@example(["2021-11-11 16:57:57", "2021-11-11T16:57:57", "2021-11-31 00:00:00"])
@example(["2022-04-14T10:42:59+05:30", "2022-04-14T10:42:5+005:30"])
def test_arrow_reads_what_the_authority_reads(texts):
    """The fast reading of a column equals the careful reading of each of its values."""
    instants, unreadable, out_of_range = read_instants(pa.array(texts, pa.string()))
    expected = [None if text is None else read_instant(text) for text in texts]
    year_2000, year_2100 = 946_684_800_000_000, 4_102_444_800_000_000
    good = [value is not None and year_2000 <= value < year_2100 for value in expected]
    assert instants.view(pa.int64()).to_pylist() == [
        value if ok else None for value, ok in zip(expected, good, strict=True)
    ]
    assert unreadable.tolist() == [
        bool(text) and value is None for text, value in zip(texts, expected, strict=True)
    ]
    assert np.array_equal(
        out_of_range,
        [value is not None and not ok for value, ok in zip(expected, good, strict=True)],
    )
