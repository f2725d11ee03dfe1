"""Lists of customers are read from anywhere, and checked before anything is requested."""

import gzip
import hashlib
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.collection.customer_files import columns_of
from tokenvault_data.collection.customer_list import CustomerList, read_customers
from tokenvault_data.errors import CustomerListError, UsageError
from tokenvault_data.identifiers import RefusedId, judge_id

IDS = ["cust_1", "00123", "a.b+c@example.com"]


def dropped(customers):
    return {drop.reason: (drop.count, drop.first_rows) for drop in customers.dropped}


@pytest.mark.parametrize(
    "source",
    [
        IDS,
        tuple(IDS),
        dict.fromkeys(IDS).keys(),
        (customer_id for customer_id in IDS),
        pd.Series(IDS),
        pd.Series(IDS, dtype=object, index=[7, 8, 9]),
        pd.Series(IDS, dtype="category"),
        pd.Series(IDS, dtype=pd.ArrowDtype(pa.string())),
        pd.Index(IDS),
        pd.DataFrame({"customer_id": IDS, "n": [1, 2, 3]}),
        np.array(IDS),
        np.array(IDS, dtype=object),
        pa.array(IDS),
        pa.array(IDS, pa.large_string()),
        pa.array(IDS, pa.string_view()),
        pa.chunked_array([IDS[:1], IDS[1:]]),
        pa.array(IDS).dictionary_encode(),
        pa.table({"n": [1, 2, 3], "Customer ID": IDS}),
        io.StringIO("\n".join(IDS)),
        io.BytesIO("\n".join(IDS).encode()),
    ],
    ids=lambda source: type(source).__name__,
)
def test_ids_come_from_any_collection_in_memory(source):
    """Lists, generators, pandas, NumPy, Arrow and streams all give the same list, in order."""
    customers = read_customers(source)
    assert list(customers) == IDS
    assert customers.ids.type == pa.string()
    assert len(customers) == customers.rows_read == 3
    assert customers.dropped == ()


def test_polars_columns_and_frames_are_read():
    """Anything that offers Arrow data is read through it."""
    assert list(read_customers(pl.Series(IDS))) == IDS
    frame = pl.DataFrame({"id": IDS, "n": [1, 2, 3]})
    assert list(read_customers(frame, column="id")) == IDS


def test_a_set_makes_the_same_list_every_time():
    """A set has no order of its own, so it is sorted, and its digest is that of the sorted list."""
    assert list(read_customers(set(IDS))) == sorted(IDS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.txt", "cust_1\n00123\na.b+c@example.com\n"),
        ("ids", "cust_1\n00123\na.b+c@example.com"),
        ("ids.txt", "cust_1\r\n00123\r\na.b+c@example.com\r\n"),
        ("ids.txt", "cust_1\r00123\ra.b+c@example.com\r"),
        ("ids.txt", "  cust_1\n\t00123 \na.b+c@example.com\n"),
        ("ids.txt", '"cust_1"\n"00123"\n"a.b+c@example.com"\n'),
        ("ids.csv", "cust_1\n00123\na.b+c@example.com\n"),
        ("ids.csv", "customer_id\ncust_1\n00123\na.b+c@example.com\n"),
        ("ids.csv", "merchant_ref\ncust_1\n00123\na.b+c@example.com\n"),
        ("ids.csv", '"Customer ID","Name"\n"cust_1","Jane"\n00123,"a\nb"\na.b+c@example.com,""\n'),
        ("ids.csv", "name;customer_id\nJane;cust_1\n;00123\nx,y;a.b+c@example.com\n"),
        ("ids.tsv", "name\tcustomer_id\nJane\tcust_1\n\t00123\nx\ta.b+c@example.com\n"),
        ("ids.txt", ",customer_id\n0,cust_1\n1,00123\n2,a.b+c@example.com\n"),
        ("ids.csv", "\n\ncustomer_id\ncust_1\n00123\na.b+c@example.com\n"),
    ],
)
@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("compress", [False, True])
def test_ids_come_from_text_and_csv_files(tmp_path, name, content, encode, compress):
    """Every usual form of a list file gives the ids as written, leading zeros included."""
    content = content.encode(encode)
    path = tmp_path / (name + ".gz" if compress else name)
    path.write_bytes(gzip.compress(content) if compress else content)
    assert list(read_customers(path)) == IDS
    assert list(read_customers(str(path))) == IDS


@pytest.mark.parametrize("heading", ["customer_id", "Customer ID", "id"])
def test_the_heading_of_a_plain_list_is_no_customer(tmp_path, heading):
    """A first line that names the list is dropped, and counted as a heading."""
    path = tmp_path / "ids.txt"
    path.write_text(f"\n{heading}\ncust_1\n\ncust_1\n")
    customers = read_customers(path)
    assert list(customers) == ["cust_1"]
    assert dropped(customers) == {
        "heading": (1, [2]),
        "blank": (1, [4]),
        "duplicate": (1, [5]),
    }


def test_a_column_is_named(tmp_path):
    """With several columns the one asked for is read, whatever its case."""
    path = tmp_path / "ids.csv"
    path.write_text("buyer,seller\na1,b1\na2,b2\n")
    assert list(read_customers(path, column="seller")) == ["b1", "b2"]
    assert list(read_customers(path, column=" Buyer")) == ["a1", "a2"]
    frame = pd.read_csv(path, dtype=str)
    assert list(read_customers(frame, column="seller")) == ["b1", "b2"]
    assert list(read_customers(pa.Table.from_pandas(frame), column="buyer")) == ["a1", "a2"]


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        ("buyer,seller\na1,b1\n", None, "'buyer', 'seller'.*--column"),
        ("buyer,seller\na1,b1\n", "customer", "no column 'customer'.*'buyer', 'seller'"),
        ("id,id\na1,b1\n", "id", "several columns 'id'"),
        ("customer_id,Customer ID\na1,b1\n", None, "not obvious"),
        ('customer_id,name\na1,"Jane\na2,Jim\n', None, "not well-formed CSV"),
        ('customer_id,name\na1,Jane\n"a"2,Jim\n', None, "not well-formed CSV at or before line 3"),
        ("", None, "holds no ids"),
        ("\n \n", None, "0 customers from 2 lines.*2 blank"),
        ("customer_id,name\n", None, "holds no ids"),
        ("customer_id\n", None, "0 customers"),
        ('["cust_1", "cust_2"]', None, "JSON"),
        ("x" * 100_000, None, "one id a line"),
        ("a\0b\n", None, "zero bytes"),
        ("PK\x03\x04rest of a workbook", None, "save the sheet as CSV"),
        ("PAR1 and then nothing", None, "Parquet"),
    ],
)
def test_files_that_cannot_be_trusted_are_refused(tmp_path, content, column, message):
    """What is ambiguous, broken or empty is one clear error, and no part of it is requested."""
    path = tmp_path / "ids.txt"
    path.write_text(content)
    with pytest.raises(CustomerListError, match=message) as caught:
        read_customers(path, column=column)
    assert "ids.txt" in str(caught.value)
    assert "Jane" not in str(caught.value)
    assert isinstance(caught.value, UsageError)


def test_damaged_archives_and_encodings_are_refused(tmp_path):
    """A cut-off gzip file or UTF-16 file is said to be that."""
    path = tmp_path / "ids.gz"
    path.write_bytes(gzip.compress(b"cust_1\n" * 100)[:-9])
    with pytest.raises(CustomerListError, match="cut off"):
        read_customers(path)
    path.write_bytes("cust_1\ncust_2".encode("utf-16")[:-1])
    with pytest.raises(CustomerListError, match="UTF-16"):
        read_customers(path)


def test_missing_files_are_named(tmp_path):
    """A path that is not there is named, and a single id given as text gets a hint."""
    with pytest.raises(CustomerListError, match=r"absent\.csv cannot be opened"):
        read_customers(tmp_path / "absent.csv")
    with pytest.raises(CustomerListError, match="goes into a list"):
        read_customers("cust_1")
    with pytest.raises(CustomerListError, match="cannot be opened"):
        read_customers(tmp_path)


def test_parquet_columns_are_read(tmp_path):
    """Parquet files are read by column, from disk or a stream, and only text will do."""
    path = tmp_path / "ids.parquet"
    pq.write_table(pa.table({"n": [1, 2, 3], "customer_id": IDS}), path, row_group_size=2)
    assert list(read_customers(path)) == IDS
    assert list(read_customers(io.BytesIO(path.read_bytes()))) == IDS
    with pytest.raises(CustomerListError, match=r"column 'n' holds int64 values.*row 1.*dtype=str"):
        read_customers(path, column="n")
    pq.write_table(pa.table({"customer_id": pa.array([None, None, 1.0])}), path)
    with pytest.raises(CustomerListError, match="double values, not text, first in row 3"):
        read_customers(path)
    pq.write_table(pa.table({"customer_id": pa.array([["a"]])}), path)
    with pytest.raises(CustomerListError, match="nested"):
        read_customers(path)


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ([1, 2], 1),
        ([None, 123.0], 2),
        (iter([True]), 1),
        (range(5), 1),
        (pd.Series([1.5, 2]), 1),
        (pd.Series([float("nan"), 123.0]), 2),
        (pd.Series([None, 5], dtype="Int64"), 2),
        (pd.Series([None, 5], dtype=object), 2),
        (pd.Series([1, 2], dtype=pd.ArrowDtype(pa.int64())), 1),
        (pd.Series([1, 2], dtype="category"), 1),
        (pd.Index([1, 2]), 1),
        (pd.DataFrame({"customer_id": [1.0]}), 1),
        (pd.Series(pd.to_datetime(["2026-01-01"])), 1),
        (np.array([1, 2]), 1),
        (pa.array([None, 2]), 2),
        (pa.array([b"cust_1"]), 1),
        (pa.table({"customer_id": [1.0]}), 1),
        ([b"cust_1"], 1),
    ],
)
def test_numbers_are_refused_as_a_whole(source, row):
    """A column of numbers names its first row and the fix, because its ids are damaged already."""
    with pytest.raises(CustomerListError, match=f"not text, first in row {row}.*dtype=str"):
        read_customers(source)


def test_ids_that_pandas_made_floats_of_are_refused_with_the_fix(tmp_path):
    """A file that pandas wrote from a float column is refused, and the message says why."""
    path = tmp_path / "ids.csv"
    pd.DataFrame({"customer_id": [101, None, 102]}).to_csv(path, index=False)
    with pytest.raises(CustomerListError, match=r"row 2, was turned into a decimal.*dtype=str"):
        read_customers(path)


@pytest.mark.parametrize("source", [None, 5, b"cust_1", {"cust_1": 1}, np.array([["a"]]), object()])
def test_what_is_no_list_is_refused(source):
    """Things that are no list of text are refused by what they are."""
    with pytest.raises(CustomerListError, match="Nothing was read"):
        read_customers(source)


def test_a_column_of_something_without_columns_is_refused():
    """Asking a list for a column is a mistake worth naming."""
    for source in (IDS, pd.Series(IDS), pa.array(IDS)):
        with pytest.raises(CustomerListError, match="has no columns"):
            read_customers(source, column="customer_id")


def test_bad_ids_are_dropped_and_counted_with_their_rows():
    """Each bad id is dropped for its reason, with its row, and the rest is kept in order."""
    customers = read_customers(
        [
            "cust_1",
            " cust_1 ",
            "",
            None,
            "a/b",
            "..",
            "123.0",
            "nan",
            "caf\u00e9",
            "x" * 300,
            12.0,
            "a\ud800",
            "cust_2",
            "cust_1",
            *["  "] * 10,
        ]
    )
    assert list(customers) == ["cust_1", "cust_2"]
    assert dropped(customers) == {
        "duplicate": (2, [2, 14]),
        "blank": (11, [3, 15, 16, 17, 18]),
        "missing value": (1, [4]),
        "sign with a meaning in URLs": (1, [5]),
        "a path step ('.' or '..')": (1, [6]),
        "damaged by being read as a number": (1, [7]),
        "stands for a missing value": (1, [8]),
        "letter outside ASCII": (1, [9]),
        "too long": (1, [10]),
        "not text": (1, [11]),
        "broken text encoding": (1, [12]),
    }
    summary = customers.describe()
    assert summary.startswith(
        "2 customers from 24 rows of the list. Dropped, and not requested, 22:"
    )
    assert "2 duplicate (rows 2, 14)" in summary
    assert "11 blank (rows 3, 15, 16, 17, 18, …)" in summary
    assert "dtype=str" in summary
    assert "cust_1" not in summary + repr(customers)


def test_rows_of_files_are_counted_as_people_count_them(tmp_path):
    """Lines of a text file count from 1, rows of a CSV file from its heading, which is row 1."""
    text = tmp_path / "ids.txt"
    text.write_bytes(b"cust_1\n\nbad/id\n# note\ncaf\xe9\ncust_2,Jane\n")
    customers = read_customers(text)
    assert list(customers) == ["cust_1"]
    assert {drop.reason: drop.first_rows for drop in customers.dropped} == {
        "blank": [2],
        "sign with a meaning in URLs": [3, 4],
        "broken text encoding": [5],
        "quote or separator of a list file": [6],
    }
    assert "(line 2)" in customers.describe()
    table = tmp_path / "ids.csv"
    table.write_text("customer_id,name\ncust_1,Jane\ncust_2,Jane,Doe\n\nbad/id,Jim\ncust_3,\n")
    customers = read_customers(table)
    assert list(customers) == ["cust_1", "cust_3"]
    assert {drop.reason: drop.first_rows for drop in customers.dropped} == {
        "row with more or fewer fields than the heading": [3],
        "blank": [4],
        "sign with a meaning in URLs": [5],
    }


def test_rows_are_right_beyond_one_chunk():
    """Row numbers, order and duplicates hold over several chunks of values."""
    many = [f"cust_{number}" for number in range(150_000)]
    source = [*many[:70_000], "bad/id", *many[70_000:], "cust_149999", "cust_5"]
    for form in (source, iter(source), pa.array(source), pd.Series(source)):
        customers = read_customers(form)
        assert customers.ids.equals(pa.array(many))
        assert dropped(customers) == {
            "sign with a meaning in URLs": (1, [70_001]),
            "duplicate": (2, [150_002, 150_003]),
        }


def test_a_generator_is_read_once_and_in_pieces():
    """A generator is consumed as it comes, so that it may read a database."""
    asked = []

    def ids():
        for number in range(3):
            asked.append(number)
            yield f"cust_{number}"

    assert len(read_customers(ids())) == 3
    assert asked == [0, 1, 2]


def test_the_digest_is_that_of_the_ids_in_order():
    """The digest is SHA-256 of the ids, a line each, and does not depend on how they were read."""
    expected = hashlib.sha256("".join(f"{one}\n" for one in IDS).encode()).hexdigest()
    assert read_customers(IDS).digest == expected
    assert read_customers([*IDS, " cust_1", "bad/id"]).digest == expected
    assert read_customers(pa.chunked_array([IDS[:1], IDS[1:]])).digest == expected
    assert read_customers(IDS[::-1]).digest != expected
    many = [f"cust_{number}" for number in range(70_000)]
    joined = "".join(f"{one}\n" for one in many).encode()
    assert read_customers(many).digest == hashlib.sha256(joined).hexdigest()


def test_a_list_that_was_read_is_taken_as_it_is():
    """Reading a list that was read already gives that list."""
    customers = read_customers(IDS)
    assert isinstance(customers, CustomerList)
    assert read_customers(customers) is customers


def test_standard_input_is_read_as_a_file_would_be():
    """`-` reads a list or a table from a pipe."""
    code = (
        "from tokenvault_data.collection.customer_list import read_customers;"
        "customers = read_customers('-'); print(*customers, customers.source, sep='|')"
    )
    for content, source in (
        (b"cust_1\ncust_2\n", "standard input"),
        (b"customer_id,n\ncust_1,1\ncust_2,2\n", "standard input, column 'customer_id'"),
    ):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, input=content, capture_output=True, check=True)
        assert done.stdout.decode().strip() == f"cust_1|cust_2|{source}"


odd_text = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="ab1_.@+-/ \t,%", max_size=6),
    st.from_regex(r"[+-]?[0-9]{1,2}(\.[0-9]{1,2})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(["nan", "NaN", "None", "<NA>", "..", ".", "x" * 255, "x" * 256, "\ud800"]),
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), odd_text), max_size=20))
def test_whole_chunks_are_judged_like_single_ids(values):
    """What is recognised in C++ is exactly what the rules for one id say, in order, each once."""
    judged = [judge_id(value) for value in values]
    expected = list(dict.fromkeys(one for one in judged if not isinstance(one, RefusedId)))
    try:
        customers = read_customers(values)
    except CustomerListError:
        assert expected == []
        return
    assert list(customers) == expected
    assert len(customers) + sum(drop.count for drop in customers.dropped) == len(values)
    refused = sum(isinstance(one, RefusedId) for one in judged)
    assert sum(d.count for d in customers.dropped if d.reason != "duplicate") == refused


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_no_file_content_gets_past_the_rules(content):
    """Whatever bytes a file holds, it is refused clearly or only good ids come out."""
    try:
        customers = read_customers(io.BytesIO(content))
    except CustomerListError:
        return
    assert all(judge_id(one) == one for one in customers)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"name;customer_id\nx;c1\n", ("name", "customer_id")),
        (b'"customer, id",city\nc1,x\n', ("customer, id", "city")),
        (gzip.compress(b" id\tcity \r\nc1\tx\n"), ("id", "city")),
        ("id,city\nc1,x\n".encode("utf-16"), ("id", "city")),
        (b"customer_id\nc1\n", ()),
        (b"", ()),
    ],
)
def test_columns_of_a_table_can_be_named(content, columns):
    """Of CSV in every guise; a plain list has none to choose from."""
    assert columns_of(io.BytesIO(content), "ids.csv") == columns


def test_columns_of_parquet_can_be_named(tmp_path):
    """Of Parquet too, and what is damaged says so."""
    pq.write_table(pa.table({"id": ["a"], "city": ["b"]}), tmp_path / "ids.parquet")
    content = (tmp_path / "ids.parquet").read_bytes()
    assert columns_of(io.BytesIO(content), "ids.parquet") == ("id", "city")
    with pytest.raises(CustomerListError, match="begins like a Parquet file"):
        columns_of(io.BytesIO(content[:40]), "ids.parquet")


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_is_called_so(tmp_path, content):
    """Not a table whose columns nobody knows."""
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(CustomerListError, match="is empty"):
        read_customers(path)
