"""Lists of cards out of files, tables and pairs."""

import gzip

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenvault_data.cleanup.selection.rules import listed, read_pairs
from tokenvault_data.errors import UsageError

WANTED = (("c2", "i2"), ("c1", "i1"))
CSV = "customer_id,instrument_id\nc2,i2\nc1,i1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", CSV.encode()),
        ("list.txt", CSV.encode()),
        ("list.csv", CSV.replace(",", ";").encode()),
        ("list.txt", CSV.replace(",", "\t").encode()),
        ("list.csv", CSV.replace("\n", "\r\n").encode("utf-8-sig")),
        ("list.csv", CSV.encode("utf-16")),
        ("list.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("list.csv", b'"instrument_id","final","customer_id"\ni2,x,c2\n i1 ,"y,z",c1\n\n'),
        ("list.csv", (CSV + "c2,i2\n").encode()),
    ],
)
def test_files_of_all_kinds(tmp_path, name, content):
    """Delimiters, encodings, further columns, blank lines and repeats all give the same cards."""
    path = tmp_path / name
    path.write_bytes(content)
    assert read_pairs(path) == read_pairs(str(path)) == WANTED
    assert listed(path).pairs == tuple(sorted(WANTED))


def test_tables(tmp_path):
    """Parquet files, Arrow tables, pandas and Polars frames, and pairs give the same cards."""
    table = pa.table({"x": [1, 2], "customer_id": ["c2", "c1"], "instrument_id": ["i2", "i1"]})
    pq.write_table(table, tmp_path / "list.parquet")
    for cards in (
        tmp_path / "list.parquet",
        table,
        table.to_pandas(),
        pd.DataFrame({"instrument_id": ["i2", "i1"], "customer_id": ["c2", "c1"]}, dtype=object),
        pl.DataFrame(table),
        [("c2", "i2"), ("c1", "i1")],
        iter([["c2", "i2"], ["c1", "i1"]]),
    ):
        assert read_pairs(cards) == WANTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("customer_id\nc1\n", "instrument_id"),
        ("instrument_id\ni1\n", "customer_id"),
        ("c1,i1\nc2,i2\n", "no column 'customer_id'"),
        ("", "customer_id"),
        ("customer_id,instrument_id\n", "names no card"),
        ("customer_id,instrument_id\nc1,i1\nc2,\n", r"1 of 2 cards .*\(row 3\)"),
        ("customer_id,instrument_id\nc1,1.23E+11\n", "decimal number"),
        ("customer_id,instrument_id\nc1,../c2\n", r"\(row 2\)"),
        ("customer_id,instrument_id\nc1,i1,x\nc2,i2\n", r"1 of 2 cards .*\(row 2\)"),
        ("customer_id,instrument_id,customer_id\nc1,i1,c2\n", "several columns"),
        ('customer_id,instrument_id\nc1,"i1\n', "quote"),
    ],
)
def test_a_list_with_a_fault_is_refused_whole(tmp_path, content, message):
    """One line that is not like the others, and nothing of the list is taken."""
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        read_pairs(path)


def test_numbers_are_no_ids(tmp_path):
    """A column of numbers has lost what its ids were."""
    table = pa.table({"customer_id": [1, 2], "instrument_id": ["i1", "i2"]})
    pq.write_table(table, tmp_path / "list.parquet")
    for cards in (tmp_path / "list.parquet", table, table.to_pandas(), [(1, "i1")]):
        with pytest.raises(UsageError):
            read_pairs(cards)


@pytest.mark.parametrize(
    "cards", [[], 5, None, b"c1,i1", {"c1": "i1"}, ["c1"], [("c1", "i1", "x")], [("c1", None)]]
)
def test_what_is_no_list_is_refused(cards):
    """Anything but a path, a table or pairs of ids is an error."""
    with pytest.raises(UsageError):
        read_pairs(cards)


def test_messages_name_rows_and_no_ids(tmp_path):
    """What is wrong is said by row, so that no id ends up in a log."""
    path = tmp_path / "list.csv"
    rows = "".join(f"secret{at},bad/{at}\n" for at in range(9))
    path.write_text(f"customer_id,instrument_id\n{rows}")
    with pytest.raises(UsageError, match=r"9 of 9 cards .* \(row 2, 3, 4, 5, 6, \.\.\.\)") as error:
        read_pairs(path)
    assert "secret" not in str(error.value)


def test_a_missing_file_is_said(tmp_path):
    """A path that leads nowhere is an error of whoever gave it."""
    with pytest.raises(UsageError, match="cannot be opened"):
        read_pairs(tmp_path / "none.csv")
