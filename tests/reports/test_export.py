"""Exports are whole, harmless to spreadsheets, and read back equal."""

import csv
import datetime as dt
import decimal
import io
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.dataset.frames import to_frame, to_table
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.errors import TokenVaultError, UsageError
from tokenvault_data.reports.export import export, read_export

hostile = st.one_of(
    st.none(),
    st.text(),
    st.text(alphabet="=+-@'\"\t\r\n ,;\\\uff1dax\x00\ufeff", max_size=8),
    st.sampled_from(
        ['=HYPERLINK("http://evil.example","x")', "+1", "@x", "'x", "''", "", "nan", "NULL", "true"]
    ),
)

# A name ends at a zero byte in the Arrow stream interface, before an export sees it.
column_name = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=5)

SAMPLE = pa.table(
    {
        "text": ["=1", "", None],
        "category": pa.array(["'x", None, "-b"]).dictionary_encode(),
        "large": pa.array(["a", "b", "@"], pa.large_string()),
        "small": pa.array([-5, None, 127], pa.int8()),
        "big": pa.array([2**63 - 1, -(2**63), None], pa.int64()),
        "number": pa.array([0.1 + 0.2, None, -1e300]),
        "amount": pa.array([decimal.Decimal("-1.50"), None, decimal.Decimal("2.00")]),
        "flag": [True, False, None],
        "day": [dt.date(2028, 2, 29), None, dt.date(1999, 12, 31)],
        "instant": pa.array(
            [
                dt.datetime(2026, 1, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
                None,
                dt.datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=dt.UTC),
            ],
            pa.timestamp("us", "UTC"),
        ),
        "india": pa.array(
            [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None, None], pa.timestamp("us", "+05:30")
        ),
        "zoneless": pa.array([1_767_232_984_000, None, None], pa.timestamp("ms")),
        "nothing": pa.nulls(3),
    }
)


class Stream:
    """A source that gives its rows piece by piece, and notes what memory Arrow holds meanwhile."""

    def __init__(self, table, pieces=1, fail_after=None):
        self.table = table
        self.pieces = pieces
        self.fail_after = fail_after
        self.given = 0
        self.held_bytes = []

    def __arrow_c_stream__(self, requested_schema=None):
        def batches():
            for _ in range(self.pieces):
                if self.fail_after is not None and self.given >= self.fail_after:
                    raise OSError(28, "No space left on device")
                self.given += 1
                self.held_bytes.append(pa.total_allocated_bytes())
                yield from self.table.to_batches()

        reader = pa.RecordBatchReader.from_batches(self.table.schema, batches())
        return reader.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_type_reads_back_equal(tmp_path, suffix):
    """Text, categories, numbers, truth values, dates and instants come back as they went."""
    path = export(SAMPLE, tmp_path / f"cards{suffix}")
    assert path == tmp_path / f"cards{suffix}"
    frame = read_export(path, SAMPLE.schema)
    assert list(frame.columns) == SAMPLE.column_names
    for name in SAMPLE.column_names:
        column = SAMPLE[name]
        read = frame[name].dt.date if name == "day" else frame[name]
        values = [None if pd.isna(value) else value for value in read]
        assert values == column.to_pylist(), name
    assert frame.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(["text", "category", "large"], "str"),
        **dict.fromkeys(["small", "big"], "Int64"),
        **dict.fromkeys(["number", "amount"], "float64"),
        "flag": "boolean",
        "day": "datetime64[us]",
        "instant": "datetime64[us, UTC]",
        "india": "datetime64[us, UTC+05:30]",
        "zoneless": "datetime64[ms]",
        "nothing": "object",
    }


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.tuples(hostile, hostile), max_size=8), header=column_name)
def test_hostile_text_reads_back_equal(rows, header):
    """Formulas, quotes, separators and line breaks, also in a column's name, survive both forms."""
    names = [header, header + "2"]
    table = pa.table(
        [pa.array([row[at] for row in rows], pa.string()) for at in range(2)], names=names
    )
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".csv", ".parquet"):
            path = export(table, Path(folder) / f"out{suffix}")
            back = pa.Table.from_pandas(read_export(path, table.schema), preserve_index=False)
            assert back.cast(table.schema).to_pylist() == table.to_pylist()


@settings(deadline=None, max_examples=60)
@given(values=st.lists(hostile, max_size=8))
def test_one_column_with_gaps_reads_back_equal(values):
    """A file of one column keeps its empty rows, which look like empty lines."""
    table = pa.table({"name": pa.array(values, pa.string())})
    with tempfile.TemporaryDirectory() as folder:
        frame = read_export(export(table, Path(folder) / "out.csv"))
    assert [None if pd.isna(value) else value for value in frame["name"]] == values


@settings(deadline=None, max_examples=60)
@given(values=st.lists(hostile.filter(bool), min_size=1, max_size=8))
def test_no_cell_of_a_csv_file_is_a_formula(values):
    """Read by any CSV reader, no cell begins like a formula."""
    table = pa.table({"=name": pa.array(values, pa.string())})
    with tempfile.TemporaryDirectory() as folder:
        content = export(table, Path(folder) / "out.csv").read_bytes().decode()
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert rows[0] == ["'=name"]
    assert len(rows) == len(values) + 1
    assert all(row[0].lstrip()[:1] not in {"=", "+", "-", "@", "\uff1d"} for row in rows[1:])


def test_csv_is_written_as_documented(tmp_path):
    """Dates and instants are ISO, empty text is quoted, a missing value is nothing."""
    table = SAMPLE.select(["text", "small", "day", "instant", "india", "zoneless"]).slice(0, 2)
    content = export(table, tmp_path / "out.csv").read_text()
    assert content == (
        '"text","small","day","instant","india","zoneless"\n'
        '"\'=1",-5,2028-02-29,"2026-01-01T02:03:04.000005Z","2026-01-01T00:00:00.000000Z",'
        '"2026-01-01T02:03:04.000"\n'
        '"",,,,,\n'
    )


def instruments():
    return pa.Table.from_pylist(
        [
            {
                "customer_id": "00123",
                "list_position": 0,
                "card_bank": "=cmd|' /C calc'!A0",
                "card_network": "visa",
                "expiry_month": 2,
                "expires_on": dt.date(2028, 2, 29),
                "created_at": dt.datetime(2021, 11, 11, 11, 27, 57, tzinfo=dt.UTC),
                "fetched_at": dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
                "api_version": "2023-08-01",
            },
            {
                "customer_id": "-x",
                "list_position": 1,
                "card_bank": None,
                "extra": "",
                "fetched_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
                "api_version": "2023-08-01",
            },
        ],
        schema=INSTRUMENTS,
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("columns", [None, ["expires_on", "customer_id", "card_bank"]])
def test_a_snapshot_table_reads_back_with_its_types(tmp_path, suffix, columns):
    """Without being told, both forms of a snapshot's table come back equal, types included."""
    table = instruments()
    frame = read_export(export(table, tmp_path / f"out{suffix}", columns=columns))
    expected = table.select(columns or table.column_names)
    assert list(frame.columns) == expected.column_names
    assert to_table(frame).cast(expected.schema).to_pylist() == expected.to_pylist()


def test_both_forms_give_the_frame_of_the_snapshot(tmp_path):
    """An analyst gets the same frame from the CSV, the Parquet file and the snapshot's table."""
    table = instruments()
    for suffix in (".csv", ".parquet"):
        frame = read_export(export(table, tmp_path / f"out{suffix}"))
        pd.testing.assert_frame_equal(frame, to_frame(table))


def test_outcomes_read_back_with_their_types(tmp_path):
    """The other table of a snapshot is recognised as well."""
    table = OUTCOMES.empty_table()
    frame = read_export(export(table, tmp_path / "out.csv"))
    assert list(frame.columns) == OUTCOMES.names
    assert frame["http_status"].dtype == "int64"
    assert frame["finished_at"].dtype == "datetime64[us, UTC]"


def test_unknown_columns_read_back_as_text(tmp_path):
    """Columns of no snapshot table are text unless a schema says otherwise."""
    path = export(pa.table({"n": [1, None], "s": ["x", ""]}), tmp_path / "out.csv")
    frame = read_export(path)
    assert frame["n"].tolist()[0] == "1"
    assert pd.isna(frame["n"][1])
    assert frame["s"].tolist() == ["x", ""]
    typed = read_export(path, pa.schema([("n", pa.int16())]))
    assert typed["n"].dtype == "Int64"


def test_parquet_keeps_descriptions_and_is_zstd(tmp_path):
    """The Parquet file says what its columns mean, and is packed well."""
    path = export(instruments(), tmp_path / "out.parquet", columns=["customer_id", "expires_on"])
    assert pq.read_schema(path).equals(
        pa.schema([INSTRUMENTS.field("customer_id"), INSTRUMENTS.field("expires_on")]),
        check_metadata=False,
    )
    described = pq.read_schema(path).field("expires_on").metadata[b"description"]
    assert described == INSTRUMENTS.field("expires_on").metadata[b"description"]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_frames_of_other_libraries_are_exported(tmp_path):
    """Anything with an Arrow stream will do: pandas and Polars frames as well."""
    frame = pd.DataFrame({"s": ["=x", None], "n": [1, 2]})
    assert read_export(export(frame, tmp_path / "a.csv"))["s"][0] == "=x"
    export(pl.DataFrame({"s": ["=x", None]}), tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == '"s"\n"\'=x"\n\n'


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_are_streamed(tmp_path, suffix):
    """Rows pass piece by piece; an export of many pieces takes no more memory than one."""
    piece = pa.table({"text": ["x" * 100] * 10_000})
    source = Stream(piece, pieces=40)
    before = pa.total_allocated_bytes()
    path = export(source, tmp_path / f"out{suffix}")
    assert len(read_export(path)) == 400_000
    assert source.given == 40
    assert max(source.held_bytes) - before < 10 * piece.nbytes


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_failed_export_leaves_what_was_there(tmp_path, suffix):
    """When the rows stop half-way, the old file stays and nothing else is left behind."""
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"before")
    source = Stream(SAMPLE.select(["text", "small"]), pieces=3, fail_after=1)
    with pytest.raises(TokenVaultError, match="untouched"):
        export(source, path)
    assert source.given == 1
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    export(SAMPLE.select(["text"]), path)
    assert list(tmp_path.iterdir()) == [path]
    assert len(read_export(path)) == 3


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("out.xlsx", None, r"'out\.xlsx'"),
        ("out", None, r"\.csv or \.parquet"),
        ("absent/out.csv", None, "no directory"),
        ("out.csv", ["text", "texts"], "no column 'texts'; known are text, category"),
        ("out.csv", ["text", "text"], "only once"),
        ("out.csv", [], "at least one column"),
        ("folder.csv", None, "is a directory"),
    ],
)
def test_wrong_wishes_are_refused(tmp_path, name, columns, message):
    """Other suffixes, unknown columns and absent places are named, and nothing is written."""
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=message):
        export(SAMPLE, tmp_path / name, columns=columns)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_what_has_no_form_is_refused(tmp_path):
    """Lists have no form in CSV, and a list of dicts is no table."""
    nested = pa.table({"cards": [["a", "b"]], "n": [1]})
    with pytest.raises(UsageError, match=r"columns cards .*write \.parquet"):
        export(nested, tmp_path / "out.csv")
    with pytest.raises(UsageError, match="list cannot be exported"):
        export([{"n": 1}], tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []
    export(nested, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(nested)


def test_files_that_are_no_exports_are_refused_without_quoting_them(tmp_path):
    """A file that cannot be read back is named, its content is not."""
    path = tmp_path / "out.csv"
    path.write_text('"expiry_month"\nprivate\n')
    with pytest.raises(TokenVaultError, match=r"out\.csv could not be read back") as caught:
        read_export(path)
    assert "private" not in str(caught.value)
    path.write_text('"a","b"\n1\n')
    with pytest.raises(TokenVaultError, match="could not be read back"):
        read_export(path)
    path.write_bytes(b'"caf\xe9"\n')
    with pytest.raises(TokenVaultError, match="could not be read back"):
        read_export(path)
    (tmp_path / "out.parquet").write_bytes(b"PAR1")
    with pytest.raises(TokenVaultError, match="not a whole Parquet file"):
        read_export(tmp_path / "out.parquet")
    with pytest.raises(UsageError, match="no file"):
        read_export(tmp_path / "absent.csv")
