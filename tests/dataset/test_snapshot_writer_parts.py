import pyarrow as pa
import pyarrow.parquet as pq
from dataset_cases import cards_table, outcomes

from tokenvault_data.dataset import snapshot_writer
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.snapshot_writer import PartWriter


def test_small_tables_become_large_row_groups(tmp_path):
    """However small the pieces, row groups are full, files are cut, and order is kept."""
    writer = PartWriter(tmp_path, OUTCOMES, rows_per_file=2 * snapshot_writer.ROW_GROUP_ROWS)
    block = outcomes(*["empty"] * 1000)
    total = 0
    while total < 3 * snapshot_writer.ROW_GROUP_ROWS:
        numbers = pa.array(range(total, total + 1000), pa.int64())
        writer.add(block.set_column(1, OUTCOMES.field("position"), numbers))
        total += 1000
    done = writer.close()
    assert list(done) == ["part-00000.parquet", "part-00001.parquet"]
    files = [pq.ParquetFile(tmp_path / name) for name in done]
    assert [f.metadata.num_row_groups for f in files] == [2, 2]
    assert [f.metadata.num_rows for f in files] == [facts.rows for facts in done.values()]
    positions = [p for f in files for p in f.read(["position"]).column(0).to_pylist()]
    assert positions == list(range(total))


def test_different_dictionaries_are_brought_together(tmp_path):
    """Batches with different distinct values end in one file that reads back equal."""
    tables = [cards_table(2, "a"), cards_table(3, "b")]
    writer = PartWriter(tmp_path, INSTRUMENTS)
    for table in tables:
        writer.add(table)
    (name,) = writer.close()
    assert pq.read_table(tmp_path / name).to_pylist() == [r for t in tables for r in t.to_pylist()]


def test_no_rows_still_make_a_file(tmp_path):
    """An empty table leaves one empty file, so that readers find the columns."""
    done = PartWriter(tmp_path, INSTRUMENTS).close()
    assert [facts.rows for facts in done.values()] == [0]
    assert pq.read_schema(tmp_path / "part-00000.parquet").names == INSTRUMENTS.names


def test_exactly_one_row_group(tmp_path):
    """A writer closed on the edge of a row group writes no empty one after it."""
    writer = PartWriter(tmp_path, OUTCOMES)
    writer.add(outcomes(*["empty"] * 64).take(pa.array([0] * snapshot_writer.ROW_GROUP_ROWS)))
    done = writer.close()
    assert [facts.rows for facts in done.values()] == [snapshot_writer.ROW_GROUP_ROWS]
    assert pq.ParquetFile(tmp_path / "part-00000.parquet").metadata.num_row_groups == 1


def test_abort_leaves_nothing(tmp_path):
    """A file that was being written disappears."""
    writer = PartWriter(tmp_path, OUTCOMES)
    writer.add(outcomes(*["empty"] * 64).take(pa.array([0] * snapshot_writer.ROW_GROUP_ROWS)))
    writer.abort()
    assert list(tmp_path.iterdir()) == []
