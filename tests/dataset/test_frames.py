"""The one door between Arrow and pandas."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from dataset_cases import body, card, cards_table, outcomes

from tokenvault_data.dataset.flattening.flatten import flatten
from tokenvault_data.dataset.frames import read_stream, to_frame, to_table
from tokenvault_data.dataset.schema import CATEGORIES, INSTRUMENTS
from tokenvault_data.errors import UsageError


def test_dtypes():
    """Text is pandas' own, days and instants are datetime64, numbers are numpy's."""
    dtypes = to_frame(cards_table()).dtypes.astype(str).to_dict()
    instants = ("created_at", "fetched_at")
    whole = ("list_position", "expiry_month", "expiry_year")
    assert dtypes == {
        name: "datetime64[us, UTC]"
        if name in instants
        else "datetime64[us]"
        if name == "expires_on"
        else dtypes[name]
        if name in whole
        else "str"
        for name in INSTRUMENTS.names
    }
    assert {dtypes[name] for name in whole} <= {"int64", "Int64"}
    assert {dtypes[name] for name in CATEGORIES} == {"str"}


def test_missing_values_and_odd_types():
    """A gap makes whole numbers Int64 and truth values boolean; decimals are numbers."""
    frame = to_frame(
        pa.table(
            {
                "n": pa.array([1, None], pa.int8()),
                "all": pa.array([1, 2], pa.int16()),
                "yes": [True, None],
                "both": [True, False],
                "sum": pa.array([Decimal(7), None], pa.decimal128(38, 0)),
                "huge": pa.array([Decimal(10**30), None], pa.decimal128(38, 0)),
                "price": pa.array([Decimal("1.50"), None]),
                "day": pa.array([date(2028, 2, 29), None]),
                "share": [0.5, None],
            }
        )
    )
    assert frame.dtypes.astype(str).tolist() == [
        *("Int64", "int64", "boolean", "bool", "Int64", "float64", "float64"),
        *("datetime64[us]", "float64"),
    ]
    assert frame["day"][1] is pd.NaT
    assert (frame["all"] * 100_000).tolist() == [100_000, 200_000]
    assert frame.iloc[0, :5].tolist() == [1, 1, True, True, 7]


def test_values_survive():
    """Through pandas and back a table is what it was, days as days."""
    table = cards_table()
    back = to_table(to_frame(table))
    assert back.schema.field("expires_on").type == pa.date32()
    assert back.to_pylist() == table.to_pylist()


def test_batches_can_be_concatenated():
    """Frames of different batches go together into one of the same types."""
    frames = [
        to_frame(flatten([body([card(card_network=name)])]).table) for name in ("VISA", "rupay")
    ]
    together = pd.concat(frames)
    assert together["card_network"].value_counts().loc[["visa", "rupay"]].tolist() == [1, 1]
    assert together.dtypes.equals(frames[0].dtypes)


def test_columns_batches_and_outcomes():
    """Part of the columns, a record batch, and the other table convert as well."""
    batch = cards_table().select(["customer_id", "card_network"]).to_batches()[0]
    assert to_frame(batch).columns.tolist() == ["customer_id", "card_network"]
    assert to_frame(outcomes("empty", "failed"))["outcome"].tolist() == ["empty", "failed"]


def test_what_a_filter_left_of_an_index_is_no_column():
    """A table has the columns, and the levels of an index that have a name."""
    frame = pd.DataFrame({"bank": ["A", "B", "B"], "n": [1, 2, 3]})
    assert to_table(frame[frame["n"] > 1]).column_names == ["bank", "n"]
    assert to_table(frame.groupby("bank").sum()).to_pylist() == [
        {"bank": "A", "n": 1},
        {"bank": "B", "n": 5},
    ]
    assert to_table(frame.set_index("bank", drop=False)).column_names == ["bank", "n"]
    two = frame.set_index([frame["bank"].rename("by"), [7, 8, 9]])
    assert to_table(two).column_names == ["by", "bank", "n"]


def test_times_stay_times():
    """Only what holds nothing but midnights without a zone is a column of days."""
    frame = pd.DataFrame(
        {
            "days": pd.to_datetime([date(2026, 11, 22), None]),
            "times": pd.to_datetime(["2026-11-22 00:00", "2026-11-22 12:00"]),
            "instants": pd.to_datetime([datetime(2026, 11, 22, tzinfo=UTC)] * 2),
        }
    )
    types = [str(kind) for kind in to_table(frame).schema.types]
    assert types == ["date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]"]


def test_what_is_no_table_is_refused():
    """Two columns of one name, or numbers and text in one column, are refused in a sentence."""
    for frame in (
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [1, "x", date(2026, 1, 1)]}),
    ):
        with pytest.raises(UsageError, match="cannot be read as a table"):
            read_stream(frame)
