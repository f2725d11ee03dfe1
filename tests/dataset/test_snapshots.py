import shutil
from datetime import timedelta

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dataset_cases import NOW, cards_table, facts, outcomes, publish

from tokenvault_data.dataset.durable_files import write_parquet
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.dataset.snapshot_writer import SnapshotWriter
from tokenvault_data.dataset.snapshots import list_snapshots, open_snapshot
from tokenvault_data.errors import SnapshotError


def later(hours):
    return NOW + timedelta(hours=hours)


def thaw(path):
    path.chmod(0o644)
    return path


@pytest.fixture
def snapshot(tmp_path):
    return publish(tmp_path, "fetched", "empty", "fetched")


def test_what_was_added_is_what_is_read(snapshot):
    """Arrow, pandas, batches and the C stream all give the rows that were written, in order."""
    expected = cards_table(2, "cust_0").to_pylist() + cards_table(2, "cust_2").to_pylist()
    opened = open_snapshot(snapshot.path.parents[1])
    assert opened.to_arrow().to_pylist() == expected
    assert opened.to_arrow().schema.equals(INSTRUMENTS)
    assert opened.to_arrow(["par"]).column_names == ["par"]
    assert [r for b in opened.iter_batches(rows=3) for r in b.to_pylist()] == expected
    assert pa.table(opened).to_pylist() == expected
    assert opened.instruments().count_rows() == 4
    assert opened.to_pandas()["card_network"].astype(str).tolist() == ["visa"] * 4
    assert opened.to_pandas(["last_four"])["last_four"].tolist() == ["4375"] * 4
    assert opened.outcomes().to_table()["outcome"].to_pylist() == ["fetched", "empty", "fetched"]


def test_others_read_it_without_us(snapshot):
    """pandas, Polars and DuckDB read the folder as the plain Parquet it is."""
    folder = snapshot.path / "instruments"
    frame = pd.read_parquet(folder)
    assert frame["customer_id"].tolist() == ["cust_0"] * 2 + ["cust_2"] * 2
    assert str(frame["expires_on"].iloc[0]) == "2023-12-31"
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert pl.read_parquet(folder)["card_network"].cast(pl.String).to_list() == ["visa"] * 4
    with duckdb.connect() as database:
        query = f"select card_bank, count(*) from '{folder}/*.parquet' group by all"
        assert database.sql(query).fetchall() == [("HDFC Bank Limited", 4)]
    assert pl.DataFrame(snapshot).height == 4


def test_repr_shows_counts_and_no_customer(snapshot):
    """A notebook that shows a snapshot shows nobody's data."""
    assert repr(snapshot) == (
        f"<Snapshot {snapshot.id}: complete, emulator, 4 instruments of 3 customers>"
    )
    with pytest.raises(AttributeError):
        snapshot.id = "other"


def test_latest_prefers_complete_over_new(tmp_path):
    """A partial snapshot never takes the place of a complete one, however old that is."""
    partial = publish(tmp_path, "fetched", "failed")
    assert open_snapshot(tmp_path).id == partial.id
    old = publish(tmp_path, "fetched", now=later(1))
    new = publish(tmp_path, "fetched", now=later(2))
    publish(tmp_path, "not_attempted", now=later(3))
    assert open_snapshot(tmp_path).id == new.id
    assert open_snapshot(tmp_path, "latest").id == new.id
    assert open_snapshot(tmp_path, old.id).id == old.id
    assert open_snapshot(tmp_path, old.path).id == old.id
    assert open_snapshot(old.path).id == old.id


def test_environments_are_kept_apart(tmp_path):
    """Asking for production never gives an emulator's snapshot, by whatever reference."""
    real = publish(tmp_path, "fetched", environment="production")
    fake = publish(tmp_path, "fetched", now=later(1))
    assert open_snapshot(tmp_path, environment="production").id == real.id
    with pytest.raises(SnapshotError, match="environment emulator, not production"):
        open_snapshot(tmp_path, fake.id, environment="production")
    with pytest.raises(SnapshotError, match="no snapshot of environment sandbox"):
        open_snapshot(tmp_path, environment="sandbox")


def test_nothing_there(tmp_path):
    """An empty store, a missing id and a foreign folder are told apart."""
    with pytest.raises(SnapshotError, match="There is no snapshot in"):
        open_snapshot(tmp_path)
    with pytest.raises(SnapshotError, match="There is no snapshot 2020"):
        open_snapshot(tmp_path, "2020")
    (tmp_path / "snapshots" / "notes").mkdir(parents=True)
    with pytest.raises(SnapshotError, match="notes is not a snapshot: it has no manifest"):
        open_snapshot(tmp_path, "notes")
    assert list_snapshots(tmp_path / "nowhere") == []


def flip_a_byte(path):
    file = thaw(path / "instruments" / "part-00000.parquet")
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)


def truncate(path):
    file = thaw(path / "outcomes" / "part-00000.parquet")
    file.write_bytes(file.read_bytes()[:-1])


def remove(path):
    thaw(path / "instruments" / "part-00000.parquet").unlink()


def add_a_file(path):
    write_parquet(path / "instruments" / "part-00007.parquet", cards_table())


def cut_manifest(path):
    file = thaw(path / "manifest.json")
    file.write_bytes(file.read_bytes()[:-30])


DAMAGES = [
    (flip_a_byte, "is damaged: instruments/part-00000.parquet is not what was published"),
    (truncate, "is damaged: outcomes/part-00000.parquet is not of the size"),
    (remove, "is damaged: instruments/part-00000.parquet is missing"),
    (add_a_file, "holds instruments/part-00007.parquet, which its manifest does not name"),
    (cut_manifest, "manifest of snapshot .* is damaged"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES)
def test_damage_is_refused_by_name(snapshot, damage, words):
    """Any change after publishing is found, named, and answered with what to do."""
    damage(snapshot.path)
    for verify in ("auto", "full"):
        with pytest.raises(SnapshotError, match=words) as refused:
            open_snapshot(snapshot.path.parents[1], snapshot.id, verify=verify)
        assert snapshot.id in str(refused.value)
        assert "restore" in str(refused.value)


def test_quick_verification_is_cheap_and_says_less(snapshot):
    """A quick look sees sizes and footers; a flipped byte needs the full one."""
    flip_a_byte(snapshot.path)
    assert open_snapshot(snapshot.path, verify="quick").id == snapshot.id
    truncate(snapshot.path)
    with pytest.raises(SnapshotError, match="not of the size"):
        open_snapshot(snapshot.path, verify="quick")


def test_latest_never_falls_back_in_silence(tmp_path):
    """When the newest snapshot is damaged, `latest` says so instead of giving an older one."""
    publish(tmp_path, "fetched")
    newest = publish(tmp_path, "fetched", now=later(1))
    truncate(newest.path)
    with pytest.raises(SnapshotError, match=newest.id):
        open_snapshot(tmp_path)
    cut_manifest(newest.path)
    with pytest.raises(SnapshotError, match=newest.id):
        open_snapshot(tmp_path)


def test_listing_shows_all_newest_first(tmp_path):
    """The list names damaged folders as such and leaves unfinished ones out."""
    old = publish(tmp_path, "fetched")
    new = publish(tmp_path, "failed", now=later(1))
    remove(old.path)
    (tmp_path / "snapshots" / ".20260101T000000Z-abcdef.partial").mkdir()
    listed = list_snapshots(tmp_path)
    assert [one.id for one in listed] == [new.id, old.id]
    assert listed[0].damage is None
    assert "is missing" in listed[1].damage


def test_an_unpublished_folder_cannot_be_opened(snapshot):
    """Even with a manifest in it, a hidden folder is not a snapshot."""
    hidden = snapshot.path.with_name(f".{snapshot.id}.partial")
    shutil.copytree(snapshot.path, hidden)
    with pytest.raises(SnapshotError, match="never published"):
        open_snapshot(hidden)


def test_several_files_read_as_one(tmp_path):
    """Rows come in the order written, over all files."""
    count = 70_000
    table = cards_table(1).take(pa.array([0] * count))
    table = table.set_column(
        1, INSTRUMENTS.field("list_position"), pa.array(range(count), pa.int32())
    )
    with SnapshotWriter(tmp_path, rows_per_file=1) as writer:
        writer.add(table, outcomes(("fetched", count)))
        snapshot = writer.publish(facts(1))
    assert len(list((snapshot.path / "instruments").iterdir())) == 2
    assert snapshot.to_arrow(["list_position"])["list_position"].to_pylist() == list(range(count))
    batches = snapshot.iter_batches(["list_position"])
    assert [n for b in batches for n in b.column(0).to_pylist()] == list(range(count))
    assert len(pd.read_parquet(snapshot.path / "instruments", columns=["par"])) == count


LEFT_BY_OTHERS = (
    *(".DS_Store", "._part-00000.parquet", ".nfs0001", "Thumbs.db", "desktop.ini", "~$part.xlsx"),
    *("part-00000 (1).parquet", "part-00000 (Asha's conflicted copy 2026-11-22).parquet"),
    *("part-00000.sync-conflict-20261122-104800-ABCDEF7.parquet", "part-00000-LAPTOP.parquet"),
    *("part-00000 2.parquet", "README.txt", "_SUCCESS"),
)


@pytest.mark.parametrize("name", LEFT_BY_OTHERS)
@pytest.mark.parametrize("verify", ["quick", "full"])
def test_what_other_programs_leave_in_a_snapshot_is_not_read(tmp_path, name, verify):
    """Finder's, Explorer's and synchronisers' files change nothing, and are no damage."""
    snapshot = publish(tmp_path, "fetched", "empty")
    part = snapshot.path / "instruments" / "part-00000.parquet"
    for table in ("instruments", "outcomes"):
        copied = part.read_bytes() if name.startswith("part-") else b"\0\5\x16\7"
        (snapshot.path / table / name).write_bytes(copied)
    (snapshot.path / "manifest (1).json").write_bytes(b"{}")
    shutil.copytree(snapshot.path, snapshot.path.with_name(f"{snapshot.id} (1)"))
    (tmp_path / "snapshots" / "@eaDir").mkdir()
    opened = open_snapshot(tmp_path, verify=verify)
    assert opened.id == snapshot.id
    assert opened.instruments().count_rows() == len(opened.to_pandas()) == 2
    assert [one.damage for one in list_snapshots(tmp_path)] == [None]


@pytest.mark.parametrize(
    "name", ["part-00001.parquet", "extra.parquet", "rows", "x/part-00000.PARQUET"]
)
def test_rows_that_no_manifest_names_are_damage(tmp_path, name):
    """Data of others among the files of a snapshot is said, whatever it is called."""
    snapshot = publish(tmp_path, "fetched")
    stray = snapshot.path / "instruments" / name
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes((snapshot.path / "instruments" / "part-00000.parquet").read_bytes())
    with pytest.raises(SnapshotError, match="which its manifest does not name"):
        open_snapshot(tmp_path)
