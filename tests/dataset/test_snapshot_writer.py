import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from dataset_cases import body, card, cards_table, facts, outcomes, publish

from tokenvault_data.dataset.flattening.flatten import flatten
from tokenvault_data.dataset.snapshot_writer import SnapshotWriter, new_snapshot_id
from tokenvault_data.dataset.snapshots import list_snapshots, open_snapshot
from tokenvault_data.errors import SnapshotError


def names(store):
    return sorted(path.name for path in (store / "snapshots").iterdir())


def test_ids_are_generated_and_sort_by_time():
    """An id says when, in UTC, and two of the same second differ."""
    moment = datetime(2026, 11, 22, 10, 48, tzinfo=UTC)
    first, second = new_snapshot_id(moment), new_snapshot_id(moment)
    assert first.startswith("20261122T104800Z-")
    assert len(first) == 23
    assert first != second


def test_published_files_are_read_only(tmp_path):
    """Nobody edits a snapshot by accident."""
    snapshot = publish(tmp_path, "fetched")
    files = [path for path in snapshot.path.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}
    assert names(tmp_path) == [snapshot.id]


def test_anomalies_are_counted_in_the_manifest(tmp_path):
    """The manifest carries the anomalies of all rows by field and kind."""
    table = flatten([body([card(par=""), card(par="", card_type="?")])]).table
    with SnapshotWriter(tmp_path) as writer:
        writer.add(table, outcomes(("fetched", 2)))
        writer.add(cards_table(0), outcomes("empty", start=1))
        snapshot = writer.publish(facts(2))
    assert snapshot.manifest.anomalies == {"par": {"empty": 2}, "card_type": {"unknown": 1}}


@pytest.mark.parametrize(
    ("added", "requested", "words"),
    [
        (outcomes("empty"), 2, "2 customers were requested and 1 have an outcome"),
        (outcomes("empty", "empty"), 1, "1 customers were requested and 2 have an outcome"),
        (outcomes("empty", start=5), 1, "have an outcome"),
        (outcomes("lost"), 1, "have an outcome"),
        (outcomes(("fetched", 3)), 1, "name 3 instruments and 0 were written"),
    ],
)
def test_what_does_not_add_up_is_not_published(tmp_path, added, requested, words):
    """Requested is the sum of outcomes, and the instruments are those the outcomes name."""
    with SnapshotWriter(tmp_path) as writer:
        writer.add(cards_table(0), added)
        with pytest.raises(SnapshotError, match=words):
            writer.publish(facts(requested))
    assert names(tmp_path) == []


def test_two_outcomes_for_one_customer_are_refused(tmp_path):
    """Exactly one outcome for every requested customer."""
    with SnapshotWriter(tmp_path) as writer:
        writer.add(cards_table(0), outcomes("empty"))
        with pytest.raises(SnapshotError, match="two outcomes"):
            writer.add(cards_table(0), outcomes("failed"))
    assert names(tmp_path) == []


def test_no_credential_reaches_the_manifest(tmp_path):
    """Only a digest is taken for the merchant."""
    with SnapshotWriter(tmp_path) as writer:
        writer.add(cards_table(0), outcomes("empty"))
        with pytest.raises(SnapshotError, match="not a digest") as refused:
            writer.publish(facts(1, merchant="cfsk_ma_test_secret"))
        assert "cfsk" not in str(refused.value)


def test_an_error_leaves_nothing(tmp_path):
    """Leaving the block without publishing removes what was written."""

    def fail_before_publishing():
        with SnapshotWriter(tmp_path) as writer:
            writer.add(cards_table(2), outcomes(("fetched", 2)))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_before_publishing()
    assert names(tmp_path) == []


def test_the_dead_are_buried_and_the_living_left_alone(tmp_path):
    """A later writer removes staging folders that nobody touched for an hour, and only those."""
    living, dead = SnapshotWriter(tmp_path), SnapshotWriter(tmp_path)
    staging = tmp_path / "snapshots" / f".{dead.id}.partial"
    old = time.time() - 7200
    for path in (staging / "instruments", staging / "outcomes", staging):
        os.utime(path, (old, old))
    published = publish(tmp_path, "fetched")
    assert names(tmp_path) == [f".{living.id}.partial", published.id]
    living.add(cards_table(0), outcomes("empty"))
    living.publish(facts(1))
    assert len(list_snapshots(tmp_path)) == 2


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
import dataset_cases
import pandas  # once for all: what is written loads it, and a child would load it again

def die_at(step):
    left = [step]
    def doomed(name):
        real = getattr(os, name)
        def call(*arguments, **named):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return real(*arguments, **named)
        setattr(os, name, call)
    for name in ("fsync", "rename", "replace", "chmod", "mkdir", "close"):
        doomed(name)

step = 0
while True:
    store = Path(sys.argv[1]) / f"{step:03d}"
    store.mkdir()
    child = os.fork()
    if child == 0:
        die_at(step)
        dataset_cases.publish(store, "fetched", "empty")
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 9:
        sys.exit(code)
    step += 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by forking")
def test_killed_between_any_two_steps_there_is_no_snapshot_or_a_whole_one(tmp_path):
    """A process that dies before any call to the file system leaves nothing half visible."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), *sys.path], check=True)
    stores = sorted(tmp_path.iterdir())
    assert len(stores) > 12
    whole = 0
    for store in stores:
        listed = list_snapshots(store)
        assert [one.damage for one in listed] == [None] * len(listed)
        if listed:
            whole += 1
            assert open_snapshot(store, verify="full").to_arrow().num_rows == 2
        after = publish(store, "fetched")
        assert after.id in {one.id for one in list_snapshots(store)}
    assert 1 <= whole < len(stores) / 2
