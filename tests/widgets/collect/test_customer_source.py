"""Lists as a panel takes them: paths, uploads, columns; and nobody given away."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenvault_data.widgets.collect.customer_source import Upload, read_list

CSV = b"name;customer_id;city\nx;cust_0000001;Pune\ny;cust_0000002;Agra\nz;..;Goa\n"


def test_a_path_and_an_upload_are_read_alike(tmp_path):
    """The same ids, the same refusals, the same name."""
    path = tmp_path / "ids.csv"
    path.write_bytes(CSV)
    for source in (path, Upload("ids.csv", CSV)):
        read = read_list(source)
        assert list(read.customers) == ["cust_0000001", "cust_0000002"]
        assert read.columns == ("name", "customer_id", "city")
        assert read.column == "customer_id"
        assert read.customers.source == "ids.csv, column customer_id"
        assert [one.count for one in read.customers.dropped] == [1]


def test_an_upload_is_what_its_name_says():
    """One column, no heading: CSV by its name, and said to come from it."""
    read = read_list(Upload("ids.csv", b'cust_1\n"cust_2"\n'))
    assert list(read.customers) == ["cust_1", "cust_2"]
    assert read.customers.source.startswith("ids.csv")


def test_a_column_that_is_not_obvious_is_asked_for():
    """Until one is chosen nothing is read; a wrong one is said to be wrong."""
    upload = Upload("t.csv", b"reference,note\ncust_1,x\ncust_2,y\n")
    read = read_list(upload)
    assert (read.customers, read.column) == (None, None)
    assert read.problem.startswith("It is not obvious which of the 2 columns of t.csv")
    assert read.column_labels == ["reference", "note"]
    assert list(read_list(upload, "reference").customers) == ["cust_1", "cust_2"]
    assert "no one column 'c'" in read_list(upload, "c").problem


def test_a_table_without_a_heading_gives_nobody_away():
    """Its first row is taken for names of columns, and shown masked."""
    upload = Upload("t.csv", b"cust_0000001,ACTIVE\ncust_0000002,ACTIVE\n")
    read = read_list(upload)
    assert "cust_0000001" not in read.problem
    assert read.column_labels == ["number 1, cu…01", "ACTIVE"]
    chosen = read_list(upload, "cust_0000001")
    assert "cust_0000001" not in chosen.customers.describe()


def test_parquet_is_uploaded_too(tmp_path):
    """It is read from memory."""
    pq.write_table(pa.table({"id": ["c1"], "customer_id": ["c2"]}), tmp_path / "ids.parquet")
    read = read_list(Upload("ids.parquet", (tmp_path / "ids.parquet").read_bytes()))
    assert list(read.customers) == ["c2"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (Upload("ids.txt", b""), "holds no ids"),
        (Upload("ids.xlsx", b"PK\x03\x04" + b"\0" * 60), "save the sheet as CSV"),
        (Upload("ids.txt", b"..\n.\n"), "Nothing was requested"),
        ([1.5, 2.5], "dtype=str"),
    ],
)
def test_what_is_no_list_becomes_a_sentence(source, problem):
    """Of the file, by its name, with what to do."""
    read = read_list(source)
    assert read.customers is None
    assert problem in read.problem


def test_a_file_that_is_not_there(tmp_path):
    """Is named."""
    assert "gone.csv cannot be opened" in read_list(tmp_path / "gone.csv").problem


def test_what_was_uploaded_is_not_in_its_repr():
    """Not even in a traceback that shows variables."""
    assert repr(Upload("ids.csv", b"cust_0000001")) == "<Upload ids.csv>"
