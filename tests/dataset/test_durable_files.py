import hashlib
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_cases import cards_table, outcomes

from tokenvault_data.dataset.durable_files import (
    check_place,
    durable_file,
    read_parquet,
    write_bytes,
    write_parquet,
)
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.errors import SnapshotError, UsageError


def test_what_was_written_is_described(tmp_path):
    """Digest, size and rows are those of the file on the disk."""
    path = tmp_path / "a.parquet"
    facts = write_parquet(path, cards_table(3))
    data = path.read_bytes()
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert (facts.size_bytes, facts.rows) == (len(data), 3)
    assert read_parquet(path, INSTRUMENTS).to_pylist() == cards_table(3).to_pylist()
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_schema_travels_with_the_file(tmp_path):
    """Types, descriptions and version of the pinned schema are read back from the file itself."""
    write_parquet(tmp_path / "a.parquet", cards_table())
    assert read_parquet(tmp_path / "a.parquet", INSTRUMENTS).schema.equals(INSTRUMENTS)
    found = pq.read_schema(tmp_path / "a.parquet")
    assert found.metadata[b"tokenvault_schema_version"] == b"1"
    assert b"requested" in found.field("customer_id").metadata[b"description"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    """An error half-way costs the new content, never the old."""
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")

    def fail_half_way():
        with durable_file(path) as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


DISK_FULL = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from dataset_cases import cards_table
from tokenvault_data.dataset.durable_files import write_parquet
table = cards_table(5000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_parquet(Path(sys.argv[1]) / "a.parquet", table)
except OSError as error:
    print("refused by the system:", error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX thing")
def test_a_full_disk_leaves_no_half_file(tmp_path):
    """When the system takes no more bytes, neither the file nor its temporary remains."""
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(tmp_path), *sys.path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "refused by the system" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_trusted_is_refused_by_name(tmp_path):
    """Missing, truncated, foreign and newer files are each refused with a sentence."""
    good = tmp_path / "good.parquet"
    write_parquet(good, outcomes("empty"))
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(good.read_bytes()[:-20])
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    newer = tmp_path / "newer.parquet"
    metadata = OUTCOMES.metadata | {b"tokenvault_schema_version": b"99"}
    write_parquet(newer, outcomes("empty").replace_schema_metadata(metadata))
    altered = tmp_path / "altered.parquet"
    write_parquet(altered, outcomes("empty").drop_columns(["detail"]))
    for name, words in [
        ("none", "cannot be read"),
        ("cut", "cannot be read"),
        ("foreign", "not a file of outcomes"),
        ("newer", "schema version 99"),
        ("altered", "does not have the columns"),
    ]:
        with pytest.raises(SnapshotError, match=rf"{name}.parquet.*{words}"):
            read_parquet(tmp_path / f"{name}.parquet", OUTCOMES)
    with pytest.raises(SnapshotError, match="not a file of instruments"):
        read_parquet(good, INSTRUMENTS)


@pytest.mark.parametrize(
    ("record", "rows", "inside", "refused"),
    [
        ("manifest.json", "instruments", "instruments", True),
        ("manifest.json", "instruments", ".", True),
        ("run.json", "parts", "parts", True),
        ("manifest.json", "pages", "pages", False),
    ],
)
def test_nothing_is_put_into_what_we_keep(tmp_path, record, rows, inside, refused):
    """A file in a snapshot or a run would damage it; a project with a manifest of its own may."""
    (tmp_path / "kept" / rows).mkdir(parents=True)
    (tmp_path / "kept" / record).write_text("{}")
    place = tmp_path / "kept" / inside / "mine.csv"
    if refused:
        with pytest.raises(UsageError, match=r"lies in a (snapshot|run)"):
            check_place(place, (".csv",))
    else:
        check_place(place, (".csv",))
