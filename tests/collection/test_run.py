"""A run on disk: what counts, what is pending, who may write, and which one is gone on with."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tokenvault_data.collection.run import (
    Publication,
    RunFacts,
    create_run,
    find_resumable,
    list_runs,
    open_run,
)
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.errors import CollectionError, Locked, UsageError

IDS = [f"cust_{number}" for number in range(10)]
FACTS = RunFacts("emulator", "abcdef123456", "2023-08-01", "0" * 64, len(IDS))


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, FACTS, pa.array(IDS))


def outcomes(positions, outcome="empty"):
    rows = [
        {
            "customer_id": IDS[position],
            "position": position,
            "outcome": outcome,
            "cause": "answer_lost" if outcome == "failed" else None,
            "instruments": 0,
            "requests": 1,
            "finished_at": datetime(2026, 11, 22, tzinfo=UTC),
        }
        for position in positions
    ]
    return pa.Table.from_pylist(rows, schema=OUTCOMES)


def write(run, *parts):
    with run.locked():
        run.standing()
        for part in parts:
            run.write_part(INSTRUMENTS.empty_table(), part)


def pending(run, *, retry_failed=False):
    return run.standing().pending(retry_failed=retry_failed).tolist()


def test_pending_is_what_was_requested_less_what_has_an_outcome(run, tmp_path):
    """Also when it is read by another process later."""
    assert pending(run) == list(range(10))
    write(run, outcomes([0, 3]), outcomes([9]))
    assert pending(open_run(tmp_path, run.run_id)) == [1, 2, 4, 5, 6, 7, 8]
    assert run.customers().to_pylist() == IDS


def test_failed_customers_are_pending_only_when_they_are_to_be_retried(run):
    """A failure is an outcome; a later part replaces it."""
    write(run, outcomes(range(8)), outcomes([8, 9], "failed"))
    assert pending(run) == []
    assert pending(run, retry_failed=True) == [8, 9]
    write(run, outcomes([9]))
    assert pending(run, retry_failed=True) == [8]
    standing = run.standing()
    assert standing.part_of.tolist() == [1] * 8 + [2, 3]
    assert standing.last_part == 3


def test_the_first_answered_customer_is_one_that_did_not_fail(run):
    """It is the one to ask for when it is not known whether the vault is there."""
    assert run.standing().first_answered() is None
    write(run, outcomes([0, 1], "failed"))
    assert run.standing().first_answered() is None
    write(run, outcomes([5]))
    assert run.standing().first_answered() == 5


def test_a_part_without_its_outcomes_does_not_count(run):
    """A crash between the two files of a part leaves nothing that anybody reads, nor in the way."""
    write(run, outcomes([0, 1]))
    orphan = run.path / "parts" / "000002-instruments.parquet"
    orphan.write_bytes(b"half a part")
    assert pending(run) == list(range(2, 10))
    write(run, outcomes([2]))
    assert run.part_numbers() == [1, 2]
    assert run.read_instruments(2).num_rows == 0
    assert pending(run) == list(range(3, 10))


def test_temporary_files_do_not_count(run):
    """What a killed writer left under a temporary name is not a part."""
    write(run, outcomes([0]))
    (run.path / "parts" / ".000002-outcomes.parquet.aa.tmp").write_bytes(b"")
    (run.path / "parts" / ".000003-outcomes.parquet").write_bytes(b"")
    assert run.part_numbers() == [1]


def test_only_who_holds_the_lock_writes(run):
    """A writer that was given up cannot write into a run that somebody else goes on with."""
    with pytest.raises(CollectionError, match="given up"):
        run.write_part(INSTRUMENTS.empty_table(), outcomes([0]))
    write(run, outcomes([0]))
    with pytest.raises(CollectionError, match="given up"):
        run.write_part(INSTRUMENTS.empty_table(), outcomes([1]))
    assert run.part_numbers() == [1]


def test_two_processes_do_not_work_on_one_run(run, tmp_path):
    """The second is told so and does nothing; the lock of a killed process is no lock."""
    program = f"""
import sys, time
from pathlib import Path
from tokenvault_data.collection.run import open_run
with open_run(Path({str(tmp_path)!r}), {run.run_id!r}).locked():
    print("locked", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(Locked, match="another process"), run.locked():
            pass
        other.kill()
        other.wait()
    write(run, outcomes([0]))
    assert run.part_numbers() == [1]


def test_going_on_prefers_the_newest_unfinished_run_of_the_same_facts(run, tmp_path):
    """Same list, same account, same version: gone on with; anything else is a new run."""
    assert find_resumable(tmp_path, FACTS).run_id == run.run_id
    for change in (
        {"environment": "sandbox"},
        {"merchant": "123456abcdef"},
        {"api_version": "2025-01-01"},
        {"customers_digest": "1" * 64},
    ):
        assert find_resumable(tmp_path, replace(FACTS, **change)) is None
    time.sleep(1.1)  # ids have seconds
    newer = create_run(tmp_path, FACTS, pa.array(IDS))
    assert find_resumable(tmp_path, FACTS).run_id == newer.run_id
    with newer.locked():
        newer.finish()
    assert find_resumable(tmp_path, FACTS).run_id == run.run_id


@pytest.mark.parametrize(("days", "found"), [(6.9, True), (7.1, False)])
def test_a_run_nobody_touched_for_a_week_is_not_gone_on_with(run, tmp_path, days, found):
    """An old run is a stale picture of the vault; it takes its name to go on with it."""
    write(run, outcomes([0]))
    then = time.time() - timedelta(days=days).total_seconds()
    for path in (run.path, run.path / "parts"):
        os.utime(path, (then, then))
    assert (find_resumable(tmp_path, FACTS) is not None) == found
    assert open_run(tmp_path, run.run_id).facts == FACTS


def test_a_new_part_makes_an_old_run_young(run, tmp_path):
    """A slow collection of more than a week stays the one that is gone on with."""
    then = time.time() - timedelta(days=30).total_seconds()
    for path in (run.path, run.path / "parts"):
        os.utime(path, (then, then))
    assert find_resumable(tmp_path, FACTS) is None
    write(run, outcomes([0]))
    assert find_resumable(tmp_path, FACTS) is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"format": 1}',
        json.dumps({"format": 1, "started_at": "yesterday"}).encode(),
        json.dumps(
            {"format": 1, "started_at": "2026-11-22T00:00:00+00:00", "environment": "emulator",
             "merchant": "a", "api_version": "b", "customers_digest": "c", "requested": None}
        ).encode(),
    ],
)  # fmt: skip
def test_a_damaged_run_is_named_left_alone_and_not_in_the_way(run, tmp_path, content):
    """By name it is an error that says what to do; otherwise a new run is begun."""
    (run.path / "run.json").write_bytes(content)
    with pytest.raises(CollectionError, match="--fresh"):
        open_run(tmp_path, run.run_id)
    assert list_runs(tmp_path) == []
    assert find_resumable(tmp_path, FACTS) is None
    assert (run.path / "run.json").read_bytes() == content


def test_a_run_of_another_format_is_refused(run, tmp_path):
    """What a newer toolkit has begun it has to finish."""
    path = run.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(CollectionError, match="another version"):
        open_run(tmp_path, run.run_id)


@pytest.mark.parametrize("name", ["nothing", "", ".", "..", "../x", "a/b", "a\\b"])
def test_names_of_no_run_are_refused(run, tmp_path, name):
    """The message lists the runs there are."""
    with pytest.raises(UsageError, match=run.run_id):
        open_run(tmp_path, name)


def test_a_damaged_part_says_how_to_lose_only_that_part(run):
    """The way out that is named works: its customers are pending again."""
    write(run, outcomes([0, 1]), outcomes([2, 3]))
    damaged = run.path / "parts" / "000001-outcomes.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-7])
    with pytest.raises(CollectionError, match=r"part 1 of run .* Remove the two files 000001-\*"):
        run.standing()
    for path in (run.path / "parts").glob("000001-*"):
        path.unlink()
    assert pending(run) == [0, 1, 4, 5, 6, 7, 8, 9]


def test_a_list_of_customers_that_was_changed_is_refused(run, tmp_path):
    """A list that is damaged, or not the one that was written, is not collected."""
    other = create_run(tmp_path / "other", FACTS, pa.array(IDS[:9]))
    (run.path / "customers.parquet").write_bytes((other.path / "customers.parquet").read_bytes())
    with pytest.raises(CollectionError, match="holds 9 customers"):
        run.customers()
    (run.path / "customers.parquet").write_bytes(b"PAR1")
    with pytest.raises(CollectionError, match="cannot be gone on with"):
        run.customers()


def test_a_noted_snapshot_counts_only_when_it_came_to_be(run, tmp_path):
    """A crash between noting and publishing leaves a note of nothing."""
    with run.locked():
        run.note_publishing(Publication("20261122T000000Z-aaaaaa", 1, complete=False))
    assert run.publications == []
    assert not run.is_complete
    folder = tmp_path / "snapshots" / "20261122T000000Z-bbbbbb"
    folder.mkdir(parents=True)
    (folder / "manifest.json").touch()
    with run.locked():
        run.note_publishing(Publication(folder.name, 2, complete=True))
    assert [noted.snapshot_id for noted in run.publications] == [folder.name]
    assert run.is_complete
    assert not run.is_finished
    with run.locked():
        run.finish()
    assert open_run(tmp_path, run.run_id).is_finished
    assert run.publications == [Publication(folder.name, 2, complete=True)]


def test_a_damaged_note_of_snapshots_is_named(run):
    """It is an error that says what to do, not a guess."""
    (run.path / "published.json").write_text("[")
    with pytest.raises(CollectionError, match=r"published\.json"):
        _ = run.is_complete


def test_a_store_that_cannot_be_written_to_is_an_error_before_any_request(tmp_path):
    """The message says that nothing was sent, and what to do."""
    (tmp_path / "store").write_text("a file where a folder belongs")
    with pytest.raises(CollectionError, match="nothing was sent"):
        create_run(tmp_path / "store", FACTS, pa.array(IDS))
