"""A path means one file to whatever reads it, and everything that reads files is called here."""

import ast
import re
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_cases import publish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tokenvault_data
from tokenvault_data import open_snapshot
from tokenvault_data.dataset.readers import (
    open_duckdb,
    open_parquet,
    open_sqlite,
    parquet_dataset,
)

PACKAGE = Path(tokenvault_data.__file__).parent
DOORS = ("dataset/readers.py", "folders.py")
READERS = re.compile(
    r"(duckdb|sqlite3)\.connect|(pq|pyarrow\.parquet)\.(read_\w+|ParquetFile|ParquetDataset)"
    r"|ds\.dataset|pyarrow\.dataset\.dataset|pa\.(memory_map|OSFile|input_stream)"
    r"|pd\.read_\w+|pandas\.read_\w+|arrow_csv\.(read|open)_csv|pyarrow\.csv\.(read|open)_csv"
    r"|os\.(walk|scandir|listdir)|glob\.\w+"
)
SQL_READERS = re.compile(r"\b(read_parquet|parquet_scan|read_csv|read_json)\s*\(")
LISTERS = {"glob", "rglob", "iterdir", "walk"}
OF_BUFFERS = {
    "collection/customer_files.py": "reads Parquet that is in memory already",
    "reports/csv.py": "reads CSV from the file that it has opened",
    "dataset/snapshot_writer.py": "looks for hidden folders of writers that died",
}


def _name_of(called):
    """Write a name, or names joined by dots; of what is no name only the last of them."""
    if isinstance(called, ast.Attribute):
        return f"{_name_of(called.value)}.{called.attr}"
    return called.id if isinstance(called, ast.Name) else ""


def _calls(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = _name_of(node.func)
            if READERS.fullmatch(name) or name.rpartition(".")[2] in LISTERS:
                yield name
        elif isinstance(node, ast.Constant) and SQL_READERS.search(str(node.value)):
            yield "SQL that reads files"


def test_nothing_else_hands_a_path_to_a_reader():
    """No module but the doors calls a reader of files or lists a folder; three say why they may."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        calls = set(_calls(path))
        if calls and name not in (*DOORS, *OF_BUFFERS):
            found[name] = calls
    assert found == {}
    assert all(set(_calls(PACKAGE / name)) for name in (*DOORS, *OF_BUFFERS))


SIGNS = "st* [a] ? ** {a,b} ' \" %2F # - ~ s3: file: é \\ [ ] ! $HOME ; . card_network=rupay n=1"
FOLDERS = st.sampled_from([*SIGNS.split(), " ", "\n", "\udcff"])
NAMES = (
    st.lists(FOLDERS, min_size=1, max_size=3).map("".join).filter(lambda x: x not in (".", ".."))
)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(NAMES, NAMES)
def test_a_path_means_its_file(name, neighbour):
    """DuckDB, Arrow and SQLite read the file of that name, and only what is in it."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / name / "part-0.parquet"
        for folder, value in ((neighbour, 2), (name, 1)):
            (Path(place) / folder).mkdir(exist_ok=True)
            sink = pa.BufferOutputStream()
            pq.write_table(pa.table({"n": [value]}), sink)
            (Path(place) / folder / path.name).write_bytes(sink.getvalue())
        with open_duckdb({"rows": [path, path]}) as connection:
            assert connection.sql("SELECT * FROM rows").fetchall() == [(1,), (1,)]
        with open_parquet(path) as file:
            assert file.read().to_pydict() == {"n": [1]}
        schema = pa.schema([("n", pa.int64()), ("card_network", pa.string())])
        rows = parquet_dataset([path], schema).to_table().to_pydict()
        assert rows == {"n": [1], "card_network": [None]}
        open_sqlite(path.with_name("a.db"), "mode=rwc").execute(
            "CREATE TABLE t (n)"
        ).connection.close()
        assert path.with_name("a.db").exists()


def test_a_relative_store_behind_a_link_is_read(tmp_path, monkeypatch):
    """A relative path, and one through a link, mean the same store."""
    made = publish(tmp_path / "st[a]re", "fetched", "empty")
    (tmp_path / "linked").symlink_to(tmp_path / "st[a]re")
    monkeypatch.chdir(tmp_path)
    for store in ("st[a]re", "./linked", "st[a]re/../linked"):
        snapshot = open_snapshot(store)
        assert snapshot.id == made.id
        assert len(snapshot.sql("SELECT * FROM instruments")) == 2
        assert snapshot.outcomes().count_rows() == 2


@pytest.mark.parametrize("name", ["[temp]", "x=1"])
def test_temporary_files_may_be_anywhere(tmp_path, monkeypatch, name):
    """Where temporary files are kept changes no answer either."""
    snapshot = publish(tmp_path / "store", "fetched")
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    assert (
        list(snapshot.sql("SELECT * FROM instruments").columns[:-3])
        == snapshot.instruments().schema.names
    )


def test_a_query_that_does_not_fit_spills(tmp_path):
    """DuckDB's spilled rows go into the temporary folder, and nothing of them is left."""
    snapshot = publish(tmp_path, "fetched")
    with snapshot.connection(memory_limit_mb=40) as connection:
        query = "SELECT count(*) FROM (SELECT DISTINCT i, md5(i::VARCHAR) FROM range(900000) t(i))"
        assert connection.sql(query).fetchall() == [(900_000,)]
        ((place,),) = connection.sql("SELECT current_setting('temp_directory')").fetchall()
        assert Path(place).is_dir()
    assert not Path(place).parent.exists()
