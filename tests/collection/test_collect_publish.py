"""A run becomes a snapshot whole or not at all, once, whatever happens meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from collection_bench import ROOT, assert_is_truth, connect, ids_of, only_run, running, saved_in

import tokenvault_data as tv
from tokenvault_data.collection.collect import publish
from tokenvault_data.collection.run import list_runs
from tokenvault_data.dataset.snapshots import list_snapshots
from tokenvault_data.errors import CollectionError, SnapshotError

CUSTOMERS = 1200  # two parts at a concurrency of 64


@pytest.fixture(scope="module")
def emulator():
    with running(customers=CUSTOMERS) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def fetched_store(emulator, tmp_path_factory):
    """A store whose one run has fetched all its customers and published nothing."""
    store = tmp_path_factory.mktemp("fetched")

    class StopHere(Exception):  # noqa: N818  a signal of this test
        pass

    def stop_before_publishing(progress):
        if progress.phase == "publishing":
            raise StopHere

    with connect(emulator) as vault, pytest.raises(StopHere):
        tv.collect(vault, ids_of(CUSTOMERS), store=store, progress=stop_before_publishing)
    assert len(saved_in(only_run(store))) == CUSTOMERS
    return store


@pytest.fixture
def store(fetched_store, tmp_path):
    return shutil.copytree(fetched_store, tmp_path / "store")


def collect_again(emulator, store):
    """The same command again; nothing may be requested."""
    emulator.wire_log.clear()
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids_of(CUSTOMERS), store=store)
    assert emulator.wire_log.entries() == []
    return snapshot


def published(store):
    return [listing.id for listing in list_snapshots(store) if listing.manifest]


def test_a_complete_run_is_published_and_its_parts_go(emulator, store):
    """The snapshot is the truth; what it was made of is not kept twice."""
    snapshot = collect_again(emulator, store)
    assert_is_truth(snapshot, emulator.population, ids_of(CUSTOMERS))
    (run,) = list_runs(store)
    assert run.is_complete
    assert run.is_finished
    assert run.part_numbers() == []
    assert tv.open_snapshot(store).id == snapshot.id


def test_what_was_published_by_a_killed_process_is_not_published_again(emulator, store):
    """After publishing and before dropping the parts, the same command gives that snapshot."""
    run = only_run(store)
    parts = shutil.copytree(run.path / "parts", store / "parts")
    with run.locked():
        first = publish(store, run)
    shutil.copytree(parts, run.path / "parts")
    with run.locked():
        run._write_published(run.publications, finished=False)
    again = collect_again(emulator, store)
    assert again.id == first.id
    assert published(store) == [first.id]
    assert only_run(store).part_numbers() == []


def test_half_dropped_parts_are_not_fetched_again(emulator, store):
    """A kill while the parts are being removed costs nothing: all they held is published."""
    run = only_run(store)
    half = store / "000002-outcomes.parquet"
    shutil.copy(run.path / "parts" / half.name, half)
    with run.locked():
        first = publish(store, run)
    (run.path / "parts").mkdir()
    shutil.move(half, run.path / "parts" / half.name)
    with run.locked():
        run._write_published(run.publications, finished=False)
    assert collect_again(emulator, store).id == first.id


def test_nothing_is_published_when_nobody_could_be_fetched(emulator, tmp_path):
    """No snapshot of failures only; the message counts the causes and says how to try again."""
    ids = ids_of(20)
    emulator.set_faults(";".join(f"404#customer={name}" for name in ids))
    try:
        with connect(emulator) as vault:
            with pytest.raises(CollectionError, match="20 not_found") as raised:
                tv.collect(vault, ids, store=tmp_path)
            assert f"--resume {only_run(tmp_path).run_id}" in str(raised.value)
            assert published(tmp_path) == []
            emulator.set_faults("")
            run_id = only_run(tmp_path).run_id
            snapshot = tv.collect(vault, ids, store=tmp_path, resume=run_id)
    finally:
        emulator.set_faults("")
    assert_is_truth(snapshot, emulator.population, ids)


def test_failures_are_grouped_by_cause_and_tried_again_alone(emulator, tmp_path):
    """A partial snapshot counts causes; --resume asks for the failed only and publishes anew."""
    ids = ids_of(200)
    bad = {"cust_0000003": "404", "cust_0000050": "500", "cust_0000120": "garbage"}
    emulator.set_faults(";".join(f"{fault}#customer={name}" for name, fault in bad.items()))
    try:
        with connect(emulator) as vault:
            partial = tv.collect(vault, ids, store=tmp_path)
            assert partial.manifest.failures == {
                "not_found": 1,
                "vault_unavailable": 1,
                "unusable_answer": 1,
            }
            assert_is_truth(partial, emulator.population, ids, failed=list(bad))
            run = only_run(tmp_path)
            assert run.is_finished
            assert len(saved_in(run)) == 200
            emulator.set_faults("404#customer=cust_0000003")
            emulator.wire_log.clear()
            less_partial = tv.collect(vault, store=tmp_path, resume=run.run_id)
            assert {e.customer_id for e in emulator.wire_log.entries()} == set(bad)
            assert less_partial.manifest.failures == {"not_found": 1}
            emulator.set_faults("")
            complete = tv.collect(vault, ids, store=tmp_path, resume=run.run_id)
    finally:
        emulator.set_faults("")
    assert_is_truth(complete, emulator.population, ids)
    assert sorted(published(tmp_path)) == sorted([partial.id, less_partial.id, complete.id])
    assert only_run(tmp_path).part_numbers() == []
    assert_is_truth(
        tv.open_snapshot(tmp_path, partial.id), emulator.population, ids, failed=list(bad)
    )


def test_a_partial_snapshot_never_takes_the_place_of_a_complete_one(emulator, tmp_path):
    """`latest` stays the complete one, though a partial one is newer."""
    ids = ids_of(50)
    with connect(emulator) as vault:
        complete = tv.collect(vault, ids, store=tmp_path)
        emulator.set_faults("404#customer=cust_0000003")
        try:
            partial = tv.collect(vault, ids, store=tmp_path)
        finally:
            emulator.set_faults("")
    assert not partial.complete
    assert tv.open_snapshot(tmp_path).id == complete.id


def publish_interrupted(store, run, delay_seconds):
    """Publish with Ctrl-C after so many seconds; whether that was in the middle of it."""
    is_done = False
    timer = threading.Timer(delay_seconds, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with run.locked():
            timer.start()
            publish(store, run)
        is_done = True
        time.sleep(10)
    except KeyboardInterrupt:
        timer.join()
    return not is_done


# Ctrl-C may come between the opening of a file and the block that closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_while_publishing_publishes_once_or_not_at_all(emulator, store):
    """Ctrl-C at any moment of it; the same command then publishes, asking for nothing."""
    run = only_run(store)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = 0
    try:
        for delay_seconds in (0.0, 0.004, 0.02, 0.05, 0.1, 0.2):
            interrupted += publish_interrupted(store, run, delay_seconds)
            if published(store):
                break
    finally:
        signal.signal(signal.SIGINT, handler)
    assert interrupted
    before = published(store)
    if not run.is_finished:
        snapshot = collect_again(emulator, store)
        assert before in ([], [snapshot.id])
    assert len(published(store)) == 1
    assert_is_truth(tv.open_snapshot(store, verify="full"), emulator.population, ids_of(CUSTOMERS))


def test_an_interrupt_behind_the_publishing_comes_too_late(emulator, tmp_path):
    """Ctrl-C when all is published gives the snapshot: "interrupted" would mean "do it again"."""

    def interrupt(progress):
        if progress.phase == "ended":
            raise KeyboardInterrupt

    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids_of(20), store=tmp_path, progress=interrupt)
    assert published(tmp_path) == [snapshot.id]
    assert only_run(tmp_path).is_finished


def test_a_run_that_does_not_add_up_is_not_published(store):
    """Customers without an outcome are an error, never a snapshot."""
    run = only_run(store)
    for path in (run.path / "parts").glob("000001-*"):
        path.unlink()
    with run.locked(), pytest.raises(SnapshotError, match="have an outcome"):
        publish(store, run)
    assert published(store) == []


# A process that dies, as by kill -9, at the Nth thing it does to the file system in publishing.
KILLED = """
    import os, signal, sys
    from pathlib import Path

    store, count = Path(sys.argv[1]), int(sys.argv[2])
    from tokenvault_data.collection.collect import publish
    from tokenvault_data.collection.run import list_runs

    EVENTS = {"open", "os.rename", "os.mkdir", "os.chmod", "os.remove", "os.rmdir", "shutil.rmtree"}
    done = 0

    def die_at(event, arguments):
        global done
        if event in EVENTS and str(store) in str(arguments[0]):
            done += 1
            if done == count:
                os.kill(os.getpid(), signal.SIGKILL)

    (run,) = list_runs(store)
    with run.locked():
        sys.addaudithook(die_at)
        publish(store, run)
    print(done)
"""


def publish_and_die(store, count):
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), store, str(count)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == (0 if child.stdout else -9), child.stderr
    return int(child.stdout or 0)


def kill_at(steps, emulator, fetched_store, tmp_path):
    for step in steps:
        store = shutil.copytree(fetched_store, tmp_path / str(step))
        publish_and_die(store, step)
        before = published(store)
        assert len(before) <= 1
        for name in before:  # what is visible is whole
            assert_is_truth(
                tv.open_snapshot(store, name, verify="full"), emulator.population, ids_of(CUSTOMERS)
            )
        if only_run(store).is_finished:  # killed when all was done: the next is a new collection
            assert len(before) == 1
            continue
        snapshot = collect_again(emulator, store)
        assert_is_truth(snapshot, emulator.population, ids_of(CUSTOMERS))
        assert published(store) == [snapshot.id]
        assert before in ([], [snapshot.id])
        assert only_run(store).part_numbers() == []


def test_killed_while_publishing(emulator, fetched_store, tmp_path):
    """Killed at one of its steps, the same command publishes exactly once, fetching nothing."""
    kill_at([20], emulator, fetched_store, tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_killed_at_every_step_of_publishing(emulator, fetched_store, tmp_path):
    """The same at every single step."""
    steps = publish_and_die(shutil.copytree(fetched_store, tmp_path / "all"), 0)
    assert steps > 25
    kill_at(range(1, steps + 1), emulator, fetched_store, tmp_path)
