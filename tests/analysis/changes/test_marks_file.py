"""Marks kept beside a snapshot: used when they can be trusted, made anew when not."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from analysis_cases import NOW, card, publish, table_of

from tokenvault_data.analysis.changes.compare import changes, compare
from tokenvault_data.analysis.changes.detection import Hashing
from tokenvault_data.analysis.changes.marks import Marks, keep_marks, marks_path, read_marks
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.snapshots import open_snapshot

BANKS = load_bank_names()
LATER = NOW + timedelta(days=31)
OLD = {f"c{n}": [card(f"i{n}"), card(f"j{n}")] for n in range(40)}
NEW = {name: [cards[0], card(f"k{name}")] for name, cards in OLD.items()} | {
    "c0": [card("i0", expires="2031-12"), card("j0", card_bank_name="AXIS BANK")]
}
RECIPE = {"hashes": "SELECT a, b", "row_bits": 30, "hashed_by": "duckdb 1.4"}
MARKS = Marks(np.sort(np.random.default_rng(4).integers(0, 1 << 63, 80, np.uint64)) << 1, 77)
RIGHT = {"gone": 39, "added": 39, "renewed": 1, "details_changed": 1}


@pytest.fixture
def pair(tmp_path):
    store = tmp_path / "store"
    return publish(store, OLD), publish(store, NEW, now=LATER)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("store"), OLD)


def kinds(old, new, **settings):
    return Counter(compare(old, new, banks=BANKS, **settings).events["kind"])


def recipe_of(snapshot):
    facts = json.loads(pq.read_schema(marks_path(snapshot)).metadata[b"tokenvault_marks"])
    return {name: facts[name] for name in ("hashes", "row_bits", "hashed_by")}


def rewrite(path, *, values=None, **facts):
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[b"tokenvault_marks"]) | facts
    if values is not None:
        table = pa.table({"mark": values(table.column("mark"))})
    table = table.replace_schema_metadata({b"tokenvault_marks": json.dumps(metadata)})
    pq.write_table(table, path)


def flip(path):
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(bytes(data))


def shifted(column):
    return pa.array(np.sort(column.to_numpy() ^ np.uint64(1 << 40)))


DAMAGES = {
    "cut off": lambda path: os.truncate(path, 300),
    "emptied": lambda path: path.write_bytes(b""),
    "removed": lambda path: path.unlink(),
    "a byte flipped": flip,
    "no Parquet": lambda path: path.write_text("{}"),
    "another format": lambda path: rewrite(path, format=0),
    "another snapshot": lambda path: rewrite(path, digest="0" * 64),
    "another engine": lambda path: rewrite(path, hashed_by="duckdb 0.1"),
    "other columns compared": lambda path: rewrite(path, hashes="SELECT 1, 2"),
    "fewer bits": lambda path: rewrite(path, row_bits=29),
    "a sum of no use": lambda path: rewrite(path, total="many"),
    "a sum that cannot be": lambda path: rewrite(path, total=1 << 64),
    "another number of marks": lambda path: rewrite(path, marks=79),
    "one mark too many": lambda path: rewrite(
        path, values=lambda column: pa.concat_arrays([*column.chunks, column.chunk(0)[-1:]])
    ),
    "out of order": lambda path: rewrite(path, values=lambda column: column.to_numpy()[::-1]),
    "the lowest bit taken": lambda path: rewrite(
        path, values=lambda column: column.to_numpy() | np.uint64(1)
    ),
    "signed": lambda path: rewrite(path, values=lambda column: column.cast("int64", safe=False)),
    "a mark missing": lambda path: rewrite(
        path, values=lambda column: pa.array([*column.to_pylist()[:-1], None], pa.uint64())
    ),
    "no metadata": lambda path: pq.write_table(
        pq.read_table(path).replace_schema_metadata(None), path
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_marks_that_cannot_be_trusted_are_not_read(snapshot, damage):
    """Kept marks that are not whole, or not of this snapshot and recipe, are as none at all."""
    assert keep_marks(snapshot, RECIPE, MARKS)
    assert read_marks(snapshot, RECIPE).values.tolist() == MARKS.values.tolist()
    DAMAGES[damage](marks_path(snapshot))
    assert read_marks(snapshot, RECIPE) is None


def test_marks_that_cannot_be_trusted_are_made_again(pair):
    """The events are the same when the kept marks are damaged, and good ones take their place."""
    old, new = pair
    assert kinds(old, new) == RIGHT
    good = read_marks(old, recipe_of(old))
    flip(marks_path(old))
    os.truncate(marks_path(new), 300)
    assert kinds(old, new) == RIGHT
    again = read_marks(old, recipe_of(old))
    assert again.total == good.total
    assert again.values.tolist() == good.values.tolist()
    assert read_marks(new, recipe_of(new)) is not None


def test_kept_marks_are_used(pair):
    """Kept marks are compared in place of the rows, and left as they are: with forged ones of both
    that name no row at all, no row is looked at.
    """
    old, new = pair
    assert kinds(old, new) == RIGHT
    for one in pair:
        rewrite(marks_path(one), values=lambda column: column.slice(0, 0), total=0, marks=0)
    before = [marks_path(one).stat() for one in pair]
    assert not kinds(old, new)
    assert [marks_path(one).stat().st_mtime_ns for one in pair] == [at.st_mtime_ns for at in before]


@pytest.mark.parametrize("wrong", [{"total": 12345}, {"values": shifted}])
def test_wrong_marks_change_no_event(pair, wrong):
    """Marks that look right and are not, say of a faulty copy, do not go unnoticed: the sums do not
    agree, or their rows are read, and the events are those of the rows.
    """
    old, new = pair
    kinds(old, new)
    rewrite(marks_path(old), **wrong)
    assert read_marks(old, recipe_of(old)) is not None
    assert kinds(old, new) == RIGHT


def test_marks_of_another_snapshot(pair):
    """Marks that lie under the name of another snapshot are not believed."""
    old, new = pair
    kinds(old, new)
    shutil.copy(marks_path(old), marks_path(new))
    assert read_marks(new, recipe_of(old)) is None
    assert kinds(old, new) == RIGHT


def test_other_hashes_are_not_mixed(pair):
    """Marks made with other hashing are not used, and neither are those of other columns."""
    old, new = pair
    assert kinds(old, new, hashing=Hashing(row_bits=20)) == RIGHT
    assert kinds(old, new) == RIGHT
    assert recipe_of(old)["row_bits"] == 30
    with_par = {name: [one | {} for one in cards] for name, cards in OLD.items()}
    with_par["c1"] = [card("i1", par="p", instrument_uid="u"), card("j1", par="q")]
    third = publish(old.path.parent.parent, with_par, now=LATER + timedelta(days=31))
    assert "par" not in recipe_of(old)["hashes"]
    assert not kinds(old, third)  # what was missing is no change
    with_par["c1"] = [card("i1", par="p2", instrument_uid="u"), card("j1", par="q")]
    fourth = publish(old.path.parent.parent, with_par, now=LATER + timedelta(days=62))
    assert kinds(third, fourth) == {"details_changed": 1}
    assert "par" in recipe_of(third)["hashes"]


def test_kept_beside_the_snapshots(pair, tmp_path):
    """They are in `marks` of the store by id, digest and version, and nothing else is left."""
    old, new = pair
    changes(old, new)
    names = [f"{one.id}-{one.digest[:16]}-v1" for one in pair]
    assert sorted(path.name for path in (tmp_path / "store" / "marks").iterdir()) == names
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["marks", "snapshots"]
    assert open_snapshot(tmp_path / "store").id == new.id


def test_no_ids_are_kept(pair):
    """What is kept is numbers: no id of a customer or an instrument is in it."""
    changes(*pair)
    data = marks_path(pair[0]).read_bytes()
    assert pq.read_schema(marks_path(pair[0])).names == ["mark"]
    assert not [name for name in (b'c39"', b"i39", b"j39") if name in data]


def test_store_that_cannot_be_written(pair, tmp_path):
    """Where nothing can be written the events are right all the same, and nothing is left."""
    (tmp_path / "store" / "marks").write_text("in the way")
    assert kinds(*pair) == RIGHT
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["marks", "snapshots"]
    assert not keep_marks(pair[0], {}, Marks(np.empty(0, np.uint64), 0))


def test_a_folder_in_the_place_of_marks(snapshot):
    """It is not read, and not replaced either."""
    marks_path(snapshot).unlink(missing_ok=True)
    marks_path(snapshot).mkdir(parents=True)
    try:
        assert read_marks(snapshot, RECIPE) is None
        assert not keep_marks(snapshot, RECIPE, MARKS)
        assert list(marks_path(snapshot).parent.iterdir()) == [marks_path(snapshot)]
    finally:
        marks_path(snapshot).rmdir()


def test_a_table_has_no_marks(pair, tmp_path):
    """A table is compared with a snapshot, and only the snapshot's marks are kept."""
    old, _ = pair
    assert kinds(old, table_of(NEW, fetched_at_us=0)) == RIGHT
    assert [path.name[:20] for path in (tmp_path / "store" / "marks").iterdir()] == [old.id[:20]]
