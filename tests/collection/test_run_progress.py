"""Looking at runs from outside: counts as on the disk, whoever works on them, nothing changed."""

import os
import threading
from datetime import UTC, datetime, timedelta

import pytest
from collection_bench import asked_for, connect, ids_of, only_run, running, saved_in

import tokenvault_data as tv
from tokenvault_data.collection.run import list_runs, open_run
from tokenvault_data.collection.run_progress import RunMonitor, unfinished_runs
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.errors import CollectionInterrupted


@pytest.fixture(scope="module")
def shared():
    with running(customers=1200) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared):
    shared.wire_log.clear()
    yield shared
    shared.set_faults("")


def collect_some(vault, ids, store, until):
    """Collect until so many customers are done, and stop."""
    stop = threading.Event()

    def tell(progress):
        if progress.done >= until:
            stop.set()

    with pytest.raises(CollectionInterrupted):
        tv.collect(vault, ids, store=store, stop=stop, progress=tell)


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_a_stopped_run_is_seen_as_it_is_on_the_disk(emulator, tmp_path):
    """Done, failed by cause, and cards, the same as its parts hold; and nothing is touched."""
    ids = ids_of(1200)
    emulator.set_faults(f"404#customer={ids[3]};404#customer={ids[7]}")
    with connect(emulator, rate_per_minute=30_000) as vault:
        collect_some(vault, ids, tmp_path, 200)
    run = only_run(tmp_path)
    before = files_of(run.path)
    seen = RunMonitor(run).look()
    assert files_of(run.path) == before
    assert seen.done == len(saved_in(run)) == 1200 - seen.left
    assert (seen.failed, seen.causes) == (2, {"not_found": 2})
    rows = [row for n in run.part_numbers() for row in run.read_outcomes(n).to_pylist()]
    assert seen.cards == sum(row["instruments"] for row in rows) > 0
    assert (seen.is_worked_on, seen.is_finished, seen.snapshot_id) == (False, False, None)
    assert datetime.now(UTC) - seen.last_active_at < timedelta(minutes=1)


def test_a_run_that_goes_on_is_followed(emulator, tmp_path):
    """Worked on while it is, failures that were retried count once, the snapshot at the end."""
    ids = ids_of(1200)
    emulator.set_faults(f"404#customer={ids[3]}")
    with connect(emulator, rate_per_minute=30_000) as vault:
        collect_some(vault, ids, tmp_path, 200)
        onlooker = RunMonitor(open_run(tmp_path, only_run(tmp_path).run_id))
        first = onlooker.look()
        emulator.set_faults("")
        seen = []
        snapshot = tv.collect(
            vault,
            store=tmp_path,
            resume=first.run_id,
            progress=lambda _: seen.append(onlooker.look()),
        )
    assert first.failed == 1
    assert all(one.is_worked_on for one in seen)
    assert all(first.done <= one.done <= 1200 for one in seen)
    last = onlooker.look()
    assert (last.is_worked_on, last.is_finished) == (False, True)
    assert (last.done, last.snapshot_id) == (1200, snapshot.id)
    assert asked_for(emulator).total() == 1201


def test_unfinished_runs_are_those_of_the_account_and_version(emulator, tmp_path):
    """Newest first; no finished one, none of another account, version, or too long ago."""
    ids = ids_of(1000)
    with connect(emulator, rate_per_minute=30_000) as vault:
        collect_some(vault, ids, tmp_path, 1)
        collect_some(vault, ids[:900], tmp_path, 1)
        tv.collect(vault, ids[:5], store=tmp_path)
        mine = vault.profile
    newest, oldest = unfinished_runs(tmp_path, mine)
    assert [newest.facts.requested, oldest.facts.requested] == [900, 1000]
    other = emulator_profile(client_id="someone-else")
    assert list(unfinished_runs(tmp_path, other)) == []
    assert list(unfinished_runs(tmp_path, emulator_profile(api_version="2025-01-01"))) == []
    assert list(unfinished_runs(tmp_path / "nowhere", mine)) == []
    for path in (newest.path, newest.path / "parts"):
        os.utime(path, (0, 0))
    (left,) = unfinished_runs(tmp_path, mine)
    assert left.run_id == oldest.run_id
    (oldest.path / "published.json").write_text("{")
    assert list(unfinished_runs(tmp_path, mine)) == []
    assert len(list_runs(tmp_path)) == 3
