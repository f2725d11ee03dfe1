"""kill -9 at any instant, and the same command again: nothing lost, nothing fetched twice."""

import random
import signal
import time

import pytest
from collection_bench import (
    asked_for,
    assert_is_truth,
    ids_of,
    only_run,
    running,
    saved_in,
    start,
    start_cli,
)

import tokenvault_data as tv
from tokenvault_data.collection.run import list_runs

UNSAVED_CUSTOMERS = 2000

# Prints a line when it begins to collect, so that kills do not land in the imports.
COLLECT = """
import sys
import tokenvault_data as tv

store, list_of_ids, concurrency = sys.argv[1:]
begun = []

def report(progress):
    if not begun:
        begun.append(print("begun", flush=True))

with tv.connect(rate_per_minute=120_000) as vault:
    snapshot = tv.collect(
        vault, list_of_ids, store=store, concurrency=int(concurrency), progress=report
    )
print(snapshot.id)
"""


class Story:
    """One collection, killed again and again, with the server's log as witness."""

    def __init__(self, emulator, tmp_path, customers):
        self.emulator = emulator
        self.ids = ids_of(customers)
        self.store = tmp_path / "store"
        self.list = tmp_path / "ids.txt"
        self.list.write_text("\n".join(self.ids))
        self.wasted = 0

    def live(self, concurrency, seconds=None):
        """Run until killed after so many seconds, or to the end; what the log must then show."""
        saved_before = self.saved()
        self.emulator.wire_log.clear()
        command = ("-c", COLLECT, self.store, self.list, concurrency)
        with start(*command, base_url=self.emulator.base_url) as child:
            assert child.stdout.readline() == "begun\n", child.stderr.read()
            if seconds is not None:
                time.sleep(seconds)
                child.send_signal(signal.SIGKILL)
            said, trouble = child.communicate(timeout=120)
        asked = self.all_asked_for()
        assert max(asked.values(), default=1) == 1
        assert not saved_before & set(asked), "a customer with an outcome was asked for again"
        if child.returncode == 0:
            return said.strip()
        assert child.returncode == -signal.SIGKILL, trouble
        newest = next(iter(list_runs(self.store)), None)
        if newest is not None and newest.is_finished:  # killed after its last act, before its word
            return newest.publications[-1].snapshot_id
        lost = set(asked) - self.saved()
        assert len(lost) <= UNSAVED_CUSTOMERS
        self.wasted += len(lost)
        return None

    def all_asked_for(self):
        """Wait for what a killed child has sent to be worked off: it would count as the next's."""
        known = -1
        while known != len(self.emulator.wire_log):
            known = len(self.emulator.wire_log)
            time.sleep(0.15)
        return asked_for(self.emulator)

    def saved(self):
        unfinished = [run for run in list_runs(self.store) if not run.is_finished]
        return saved_in(unfinished[0]) if unfinished else set()

    def assert_complete(self, snapshot_id):
        run = only_run(self.store)
        assert run.is_finished
        snapshot = tv.open_snapshot(self.store, verify="full")
        assert snapshot.id == snapshot_id
        assert_is_truth(snapshot, self.emulator.population, self.ids)


def test_killed_and_run_again(tmp_path):
    """A kill at a random instant, then to the end: complete, and waste within the bound."""
    chance = random.Random()
    with running(customers=3000, latency_ms=10) as emulator:
        story = Story(emulator, tmp_path, 3000)
        snapshot_id = story.live(512, chance.uniform(0.1, 1.0))
        story.assert_complete(snapshot_id or story.live(512))
    assert story.wasted <= UNSAVED_CUSTOMERS


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("concurrency", [1, 16, 64, 512])
def test_killed_again_and_again(tmp_path, concurrency):
    """A dozen kills at random instants, whatever the concurrency."""
    chance = random.Random()
    with running(customers=12_000, latency_ms=2, wire_log_entries=50_000) as emulator:
        story = Story(emulator, tmp_path, 12_000)
        for _ in range(12):
            if snapshot_id := story.live(concurrency, chance.uniform(0.0, 2.0)):
                break
        story.assert_complete(snapshot_id or story.live(concurrency))


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_killed_amid_faults(tmp_path):
    """Kills, storms of 503, resets, garbage and pages together: complete all the same."""
    chance = random.Random()
    faults = "503:0.01*30;reset-before:0.01;reset-inside:0.01;garbage:0.01;truncated:0.01"
    ids = ids_of(4000)
    with running(customers=4000, page_size=2, faults=faults) as emulator:
        (tmp_path / "ids.txt").write_text("\n".join(ids))
        command = ("-c", COLLECT, tmp_path / "store", tmp_path / "ids.txt", 64)
        for _ in range(8):
            with start(*command, base_url=emulator.base_url) as child:
                child.stdout.readline()
                time.sleep(chance.uniform(0.0, 3.0))
                child.kill()
        with start(*command, base_url=emulator.base_url) as child:
            _, trouble = child.communicate(timeout=300)
            assert child.returncode == 0, trouble
        newest = max(path.name for path in (tmp_path / "store" / "snapshots").iterdir())
        snapshot = tv.open_snapshot(tmp_path / "store", newest, verify="full")
        failed = {
            row["customer_id"]
            for row in snapshot.outcomes().to_table().to_pylist()
            if row["outcome"] == "failed"
        }
        assert_is_truth(snapshot, emulator.population, ids, failed=failed)
        # A storm may outlast all tries of a customer; the truth is that it failed, and few do.
        assert len(failed) <= len(ids) // 100


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_interrupted_at_random_and_run_again(tmp_path):
    """The command line, interrupted in order: then not one request is made twice."""
    chance = random.Random()
    ids = ids_of(8000)
    with running(customers=8000, latency_ms=2, wire_log_entries=50_000) as emulator:
        (tmp_path / "ids.txt").write_text("\n".join(ids))
        command = ("collect", tmp_path / "ids.txt", "--store", tmp_path / "store")
        for _ in range(8):
            before = len(emulator.wire_log)
            child = start_cli(*command, "--rate", "120000", base_url=emulator.base_url)
            while len(emulator.wire_log) == before and child.poll() is None:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 1.5))
            child.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM]))
            _, trouble = child.communicate(timeout=60)
            assert child.returncode in (0, 130), trouble
            if child.returncode == 0:
                break
        else:
            child = start_cli(*command, "--rate", "120000", base_url=emulator.base_url)
            _, trouble = child.communicate(timeout=120)
            assert child.returncode == 0, trouble
        assert asked_for(emulator) == dict.fromkeys(ids, 1)
        assert_is_truth(tv.open_snapshot(tmp_path / "store"), emulator.population, ids)
