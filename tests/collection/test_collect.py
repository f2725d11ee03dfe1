"""From a list of customers to a published snapshot, resumable at any point."""

import asyncio
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest
from collection_bench import (
    asked_for,
    assert_is_truth,
    connect,
    ids_of,
    only_run,
    outcomes_of,
    running,
    saved_in,
    start,
    start_cli,
)

import tokenvault_data as tv
from tokenvault_data.collection import recorder
from tokenvault_data.collection.fan_out import CONTROLS
from tokenvault_data.collection.run import list_runs
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.dataset.snapshots import list_snapshots
from tokenvault_data.emulator.dialects import API_VERSIONS
from tokenvault_data.errors import (
    AccessDenied,
    CollectionError,
    CollectionInterrupted,
    CustomerListError,
    Locked,
    NotSent,
    UsageError,
)


@pytest.fixture(scope="module")
def shared():
    with running(customers=1200) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared):
    shared.wire_log.clear()
    yield shared
    shared.set_faults("")
    shared.set_credentials(None, None)


def halting_at(customers):
    """A report that ends the collection, like a crash of the caller, at so many customers."""

    def report(progress):
        if progress.done >= customers:
            raise Crash

    return report


class Crash(Exception):  # noqa: N818  a signal of these tests
    """Stands for whatever ends a caller."""


# -- what comes out -------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 64, 512])
def test_a_snapshot_is_the_truth(emulator, tmp_path, concurrency):
    """Every requested customer has one outcome and every card one row, in the order received."""
    ids = ids_of(400)
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path, concurrency=concurrency)
    assert_is_truth(snapshot, emulator.population, ids)
    assert asked_for(emulator) == dict.fromkeys(ids, 1)
    facts = snapshot.manifest
    assert (facts.environment, facts.api_version) == ("emulator", "2023-08-01")
    assert facts.started_at <= facts.finished_at <= facts.created_at


@pytest.mark.parametrize("api_version", API_VERSIONS)
def test_every_api_version_is_collected(emulator, tmp_path, api_version):
    """Each version's answers become the same table, and the snapshot says which it was."""
    ids = ids_of(150)
    with connect(emulator, api_version=api_version) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path)
    assert snapshot.manifest.api_version == api_version
    assert_is_truth(snapshot, emulator.population, ids)


@pytest.mark.parametrize("paging", ["cursor", "link"])
def test_pages_are_joined(tmp_path, paging):
    """Whatever the shape of pages, nothing is lost or doubled, and positions run through."""
    ids = ids_of(200)
    with running(customers=200, page_size=1, paging=paging) as emulator:
        with connect(emulator) as vault:
            snapshot = tv.collect(vault, ids, store=tmp_path)
        assert_is_truth(snapshot, emulator.population, ids)
        asked = asked_for(emulator)
        assert {row["customer_id"]: row["requests"] for row in outcomes_of(snapshot)} == asked


def test_a_list_in_disorder_is_collected_once_each(emulator, tmp_path):
    """Duplicates, blanks and ids that cannot be requested cost no request."""
    given = ["cust_0000002", " cust_0000001 ", "cust_0000002", "", "..", "a/b", None]
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, given, store=tmp_path)
    wanted = ["cust_0000002", "cust_0000001"]
    assert {"cust_0000001", "cust_0000002"} <= set(asked_for(emulator))
    assert [row["customer_id"] for row in outcomes_of(snapshot)][:2] == wanted
    assert max(asked_for(emulator).values()) == 1


def test_garbage_amid_answers_costs_only_its_customers(emulator, tmp_path):
    """Bodies that are no lists, in every kind there is, are failures with a cause."""
    ids = ids_of(300)
    bad = {
        ids[5]: "garbage",
        ids[50]: "empty",
        ids[77]: "cut",
        ids[120]: "deep=200",
        ids[200]: "truncated",
    }
    emulator.set_faults(";".join(f"{fault}#customer={name}" for name, fault in bad.items()))
    really_bad = [name for name, fault in bad.items() if fault != "deep=200"]
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path)
    rows = {row["customer_id"]: row for row in outcomes_of(snapshot)}
    failed = {name for name, row in rows.items() if row["outcome"] == "failed"}
    assert set(really_bad) <= failed <= set(bad)
    assert all(rows[name]["cause"] and rows[name]["detail"] for name in failed)
    assert sum(snapshot.manifest.failures.values()) == len(failed)


def test_no_content_is_no_card_and_is_named(emulator, tmp_path):
    """A 204 is taken for a list of none when collecting, and the snapshot says that it was one."""
    emulator.set_faults("204#customer=cust_0000007")
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids_of(20), store=tmp_path)
        assert vault.list_instruments("cust_0000007") == []
    row = outcomes_of(snapshot)[7]
    assert (row["outcome"], row["cause"], row["http_status"]) == ("empty", None, 204)
    assert "in place of a list" in row["detail"]
    assert snapshot.complete
    assert snapshot.manifest.anomalies["list"] == {"null": 1}
    assert asked_for(emulator)["cust_0000007"] == 2


def test_a_refused_customer_fails_alone_and_is_asked_again(emulator, tmp_path):
    """Its 403 is its own outcome; a resumed run asks for it, and for nobody else but a control."""
    ids = ids_of(60)
    emulator.set_faults("403#customer=cust_0000007;401#customer=cust_0000050")
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path)
        assert_is_truth(snapshot, emulator.population, ids, failed=[ids[7], ids[50]])
        rows = outcomes_of(snapshot)
        assert snapshot.manifest.failures == {"access_denied": 2}
        assert [(rows[n]["http_status"], rows[n]["requests"]) for n in (7, 50)] == [
            (403, 2),
            (401, 2),
        ]
        assert all("refuses access to this customer" in rows[n]["detail"] for n in (7, 50))
        run_id = only_run(tmp_path).run_id
        emulator.wire_log.clear()
        still = tv.collect(vault, store=tmp_path, resume=run_id)
        assert {row["customer_id"] for row in outcomes_of(still) if row["cause"]} == {
            ids[7],
            ids[50],
        }
        asked = asked_for(emulator)
        assert asked.pop(ids[0]) <= 3  # the control
        assert asked == {ids[7]: 2, ids[50]: 2}
        emulator.set_faults("")
        whole = tv.collect(vault, store=tmp_path, resume=run_id)
    assert_is_truth(whole, emulator.population, ids)


# -- going on -------------------------------------------------------------------------------------


def test_the_same_call_goes_on_where_it_stopped(emulator, tmp_path):
    """After a crash of the caller, what is saved is not asked for again."""
    ids = ids_of(1200)
    with connect(emulator) as vault:
        with pytest.raises(Crash):
            tv.collect(vault, ids, store=tmp_path, progress=halting_at(300))
        saved = saved_in(only_run(tmp_path))
        assert saved == set(asked_for(emulator))  # even a crash of the report ends in order
        assert 300 <= len(saved) < 1200
        emulator.wire_log.clear()
        snapshot = tv.collect(vault, ids, store=tmp_path)
    assert asked_for(emulator) == dict.fromkeys(set(ids) - saved, 1)
    assert_is_truth(snapshot, emulator.population, ids)
    assert only_run(tmp_path).is_finished


def test_a_finished_run_is_not_gone_on_with(emulator, tmp_path):
    """The next collection of the same list is a new one, and so is one asked for with `fresh`."""
    ids = ids_of(20)
    with connect(emulator) as vault:
        first = tv.collect(vault, ids, store=tmp_path)
        second = tv.collect(vault, ids, store=tmp_path)
        with pytest.raises(Crash):
            tv.collect(vault, ids, store=tmp_path, progress=halting_at(0))
        third = tv.collect(vault, ids, store=tmp_path, fresh=True)
    assert len({first.id, second.id, third.id}) == 3
    assert len(list_runs(tmp_path)) == 4
    assert sum(not run.is_finished for run in list_runs(tmp_path)) == 1


def test_a_run_is_gone_on_with_by_name(emulator, tmp_path):
    """Without the list; with another list, account, version or name it is refused unsent."""
    ids = ids_of(1000)
    with connect(emulator) as vault:
        with pytest.raises(Crash):
            tv.collect(vault, ids, store=tmp_path, progress=halting_at(100))
        run_id = only_run(tmp_path).run_id
        emulator.wire_log.clear()
        with pytest.raises(UsageError, match="another list"):
            tv.collect(vault, ids[:-1], store=tmp_path, resume=run_id)
        with pytest.raises(UsageError, match="there is no run"):
            tv.collect(vault, store=tmp_path, resume="20200101T000000Z-aaaaaa")
        with pytest.raises(UsageError, match="both resumed and begun afresh"):
            tv.collect(vault, store=tmp_path, resume=run_id, fresh=True)
        with pytest.raises(UsageError, match="no customers were given"):
            tv.collect(vault, store=tmp_path)
    other = emulator_profile(emulator.base_url, client_id="someone-else")
    with tv.connect(other) as vault, pytest.raises(UsageError, match="another account"):
        tv.collect(vault, store=tmp_path, resume=run_id)
    with (
        connect(emulator, api_version="2025-01-01") as vault,
        pytest.raises(UsageError, match="API version 2023-08-01"),
    ):
        tv.collect(vault, store=tmp_path, resume=run_id)
    assert emulator.wire_log.entries() == []
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, store=tmp_path, resume=run_id)
        assert_is_truth(snapshot, emulator.population, ids)
        with pytest.raises(UsageError, match=f"complete, as snapshot {snapshot.id}"):
            tv.collect(vault, store=tmp_path, resume=run_id)


def test_another_account_or_list_begins_a_run_of_its_own(emulator, tmp_path):
    """An unfinished run is gone on with only by whom it was begun for."""
    ids = ids_of(30)
    with connect(emulator) as vault:
        with pytest.raises(Crash):
            tv.collect(vault, ids, store=tmp_path, progress=halting_at(0))
        tv.collect(vault, ids[::-1], store=tmp_path)
    other = emulator_profile(emulator.base_url, client_id="someone-else")
    with tv.connect(other) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path)
    assert len(list_runs(tmp_path)) == 3
    assert snapshot.manifest.merchant == other.merchant_digest


def test_two_at_the_same_run(emulator, tmp_path):
    """The second is told that it is locked, and sends nothing."""
    ids = ids_of(100)
    refused = []

    def try_as_well(progress):
        if not refused and progress.phase == "collecting":
            with connect(emulator) as second, pytest.raises(Locked) as raised:
                tv.collect(second, ids, store=tmp_path)
            refused.append(raised.value)

    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path, progress=try_as_well)
    assert "another process" in str(refused[0])
    assert asked_for(emulator) == dict.fromkeys(ids, 1)
    assert_is_truth(snapshot, emulator.population, ids)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"customers": ids_of(3), "concurrency": 0}, UsageError),
        ({"customers": ids_of(3), "concurrency": 1000}, UsageError),
        ({"customers": ids_of(3), "patience_seconds": -5}, UsageError),
        ({"customers": [1.5, 2.5]}, CustomerListError),
        ({"customers": []}, CustomerListError),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_made(emulator, tmp_path, settings, kind):
    """No request, no run, no folder."""
    with connect(emulator) as vault, pytest.raises(kind):
        tv.collect(vault, settings.pop("customers"), store=tmp_path / "store", **settings)
    assert emulator.wire_log.entries() == []
    assert not (tmp_path / "store").exists()


# -- trouble --------------------------------------------------------------------------------------


def test_revoked_credentials_stop_it_and_good_ones_go_on(emulator, tmp_path):
    """What was done is kept, the rest is not attempted, and the message says how much that is."""
    ids = ids_of(1200)

    def revoke(progress):
        if progress.done >= 200:
            emulator.set_credentials("emulator-client", "another-secret")

    with connect(emulator) as vault, pytest.raises(AccessDenied) as raised:
        tv.collect(vault, ids, store=tmp_path, progress=revoke)
    statuses = [entry.status for entry in emulator.wire_log.entries()]
    assert 1 <= statuses.count(401) <= 64 + CONTROLS + 1
    saved = saved_in(only_run(tmp_path))
    assert len(saved) == statuses.count(200)
    assert f"{len(saved):,} of 1,200 customers are kept" in raised.value.__notes__[0]
    assert list_snapshots(tmp_path) == []
    emulator.wire_log.clear()
    profile = emulator_profile(emulator.base_url, client_secret="another-secret")
    with tv.connect(profile) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path)
    assert asked_for(emulator) == dict.fromkeys(set(ids) - saved, 1)
    assert_is_truth(snapshot, emulator.population, ids)


def test_an_outage_beyond_the_patience_is_gone_on_with_later(emulator, tmp_path):
    """It stops with a message, nobody is failed, and the same call finishes the job."""
    ids = ids_of(1000)

    def strike(progress):
        if progress.done >= 100:
            emulator.set_faults("down")

    with connect(emulator) as vault:
        with pytest.raises(CollectionError, match="out of reach") as raised:
            tv.collect(
                vault, ids, store=tmp_path, progress=strike, patience_seconds=0, concurrency=2
            )
        saved = saved_in(only_run(tmp_path))
        assert f"{len(saved):,} of 1,000" in raised.value.__notes__[0]
        emulator.set_faults("")
        emulator.wire_log.clear()
        snapshot = tv.collect(vault, ids, store=tmp_path)
    assert asked_for(emulator) == dict.fromkeys(set(ids) - saved, 1)
    assert_is_truth(snapshot, emulator.population, ids)


def test_only_failing_customers_left_are_told_from_an_outage(emulator, tmp_path):
    """--resume of failures that still fail ends with them failed: others were answered before."""
    ids = ids_of(60)
    bad = ids[10:40]
    emulator.set_faults(";".join(f"500#customer={name}" for name in bad))
    with connect(emulator) as vault:
        first = tv.collect(vault, ids, store=tmp_path)
        assert_is_truth(first, emulator.population, ids, failed=bad)
        second = tv.collect(vault, store=tmp_path, resume=only_run(tmp_path).run_id)
    assert_is_truth(second, emulator.population, ids, failed=bad)


def test_a_vault_that_is_not_there_fails_fast(tmp_path):
    """Three customers and nobody listening: seconds, and a hint how the emulator is started."""
    with running(customers=3) as emulator:
        base_url = emulator.base_url
    began = time.monotonic()
    with connect(base_url) as vault, pytest.raises(NotSent) as raised:
        tv.collect(vault, ids_of(3), store=tmp_path)
    assert time.monotonic() - began < 5
    assert any("tokenvault emulator" in note for note in raised.value.__notes__)
    with running(customers=3) as emulator, connect(emulator) as vault:
        assert tv.collect(vault, ids_of(3), store=tmp_path).complete
    assert len(list_runs(tmp_path)) == 1


def test_at_a_slow_pace_parts_are_written_by_the_clock(emulator, tmp_path, monkeypatch):
    """What is fetched is on the disk soon, also when a part takes minutes to fill."""
    monkeypatch.setattr(recorder, "UNSAVED_SECONDS", 0.3)
    ids = ids_of(30)
    ages = []

    def watch(progress):
        if progress.phase == "collecting" and list_runs(tmp_path):
            ages.append(progress.done - len(saved_in(only_run(tmp_path))))

    with connect(emulator, rate_per_minute=900) as vault:
        snapshot = tv.collect(vault, ids, store=tmp_path, progress=watch)
    assert len(ages) > 4
    assert max(ages) <= 15  # of 15 a second, never more than those of the last second
    assert_is_truth(snapshot, emulator.population, ids)


# -- the places it is called from -----------------------------------------------------------------


def test_it_works_where_an_event_loop_runs_already(emulator, tmp_path):
    """As in a notebook: called plainly from a coroutine of the main thread's loop."""
    ids = ids_of(100)

    async def cell():
        with connect(emulator) as vault:
            return tv.collect(vault, ids, store=tmp_path)

    assert_is_truth(asyncio.run(cell()), emulator.population, ids)


def test_it_works_in_a_thread(emulator, tmp_path):
    """As behind a widget, whose callbacks have no fixed thread."""
    snapshots = []
    with connect(emulator) as vault:
        thread = threading.Thread(
            target=lambda: snapshots.append(tv.collect(vault, ids_of(50), store=tmp_path))
        )
        thread.start()
        thread.join()
    assert_is_truth(snapshots[0], emulator.population, ids_of(50))


# -- signals --------------------------------------------------------------------------------------


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.01)


def begin_collecting(tmp_path, emulator, *options, until=60):
    """The command line in a process of its own, well under way."""
    emulator.wire_log.clear()
    path = tmp_path / "ids.txt"
    path.write_text("\n".join(ids_of(500)))
    child = start_cli(
        "collect", path, "--store", tmp_path / "store", *options, base_url=emulator.base_url
    )
    wait_for(lambda: len(emulator.wire_log) >= until)
    return child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(emulator, tmp_path, number):
    """Calls in flight end, nothing new leaves, all is written; 130, and how to go on."""
    child = begin_collecting(tmp_path, emulator, "--rate", "5000")
    emulator.set_faults("drip=0.3")
    time.sleep(0.05)
    child.send_signal(number)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130, said
    run = only_run(tmp_path / "store")
    asked = asked_for(emulator)
    assert saved_in(run) == set(asked)  # what left was answered and kept
    assert f"{len(asked):,} of 500 customers are kept" in said
    assert f"--resume {run.run_id}" in said
    assert "Traceback" not in said


def test_a_second_signal_ends_it_at_once(emulator, tmp_path):
    """Who presses Ctrl-C twice does not wait for calls in flight; at most these are lost."""
    child = begin_collecting(tmp_path, emulator, "--rate", "12000")
    emulator.set_faults("hang")
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert child.poll() is None
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert child.returncode == 130, said
    assert "Traceback" not in said
    emulator.set_faults("")
    saved = saved_in(only_run(tmp_path / "store"))
    assert len(asked_for(emulator)) - len(saved) <= 2000
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids_of(500), store=tmp_path / "store")
    assert_is_truth(snapshot, emulator.population, ids_of(500))


def test_an_interrupted_caller_can_go_on_with_the_same_vault(emulator, tmp_path):
    """In a notebook Ctrl-C raises an error of ours, and the next call finishes the job."""
    ids = ids_of(1000)

    def interrupt(progress):
        if progress.done >= 100:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with connect(emulator, rate_per_minute=30_000) as vault:
            with pytest.raises(CollectionInterrupted, match="of 1,000 customers are kept"):
                tv.collect(vault, ids, store=tmp_path, progress=interrupt)
            saved = saved_in(only_run(tmp_path))
            assert saved == set(asked_for(emulator))
            snapshot = tv.collect(vault, ids, store=tmp_path)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert asked_for(emulator) == dict.fromkeys(ids, 1)
    assert_is_truth(snapshot, emulator.population, ids)


# -- told to stop ---------------------------------------------------------------------------------


def test_told_to_stop_it_ends_in_order_and_goes_on(emulator, tmp_path):
    """Within a second nothing leaves any more, all that left is kept, and the rest comes later."""
    ids = ids_of(1200)
    stop, told_at, run_ids = threading.Event(), [], set()

    def tell(progress):
        run_ids.add(progress.run_id)
        if progress.done >= 150 and not told_at:
            told_at.append(time.time())
            stop.set()

    with connect(emulator, rate_per_minute=24_000) as vault:
        with pytest.raises(CollectionInterrupted, match="of 1,200 customers are kept"):
            tv.collect(vault, ids, store=tmp_path, stop=stop, progress=tell)
        run = only_run(tmp_path)
        assert run_ids == {run.run_id}
        assert saved_in(run) == set(asked_for(emulator))
        assert len(saved_in(run)) < 1200
        assert time.time() - told_at[0] < 2
        with pytest.raises(CollectionInterrupted, match="are kept"):
            tv.collect(vault, ids, store=tmp_path, stop=stop, progress=False)
        assert saved_in(run) == set(asked_for(emulator))  # told before it began: nothing left
        stop.clear()
        snapshot = tv.collect(vault, ids, store=tmp_path, stop=stop)
    assert asked_for(emulator) == dict.fromkeys(ids, 1)
    assert_is_truth(snapshot, emulator.population, ids)


# -- a full disk ----------------------------------------------------------------------------------

COLLECT = """
import resource, sys
import tokenvault_data as tv
from tokenvault_data.errors import CollectionError
store, list_of_ids, largest_file = sys.argv[1:]
with tv.connect(rate_per_minute=60_000) as vault:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest_file), resource.RLIM_INFINITY))
    try:
        print(tv.collect(vault, list_of_ids, store=store, concurrency=512).id)
    except CollectionError as error:
        print(error, *getattr(error, '__notes__', ()))
        sys.exit(1)
"""


def collect_with_small_files(emulator, tmp_path, largest_file):
    path = tmp_path / "ids.txt"
    path.write_text("\n".join(ids_of(1200)))
    child = start("-c", COLLECT, tmp_path / "store", path, largest_file, base_url=emulator.base_url)
    said, trouble = child.communicate(timeout=60)
    assert child.returncode == 1, trouble
    return said


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on files to set")
def test_a_part_that_does_not_fit_stops_it(emulator, tmp_path):
    """The system refuses to write on: one message, nothing published, later it completes."""
    said = collect_with_small_files(emulator, tmp_path, 40_000)  # too little for a part
    assert "could not be written (File too large)" in said
    assert "0 of 1,200 customers are kept" in said
    run = only_run(tmp_path / "store")
    assert run.part_numbers() == []
    assert list((run.path / "parts").glob(".*")) == []
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids_of(1200), store=tmp_path / "store")
    assert snapshot.id
    assert_is_truth(snapshot, emulator.population, ids_of(1200))


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on files to set")
def test_a_snapshot_that_does_not_fit_is_not_published(emulator, tmp_path):
    """All parts are kept; what was published before is unharmed; later nothing is asked again."""
    with connect(emulator) as vault:
        before = tv.collect(vault, ids_of(5), store=tmp_path / "store")
    said = collect_with_small_files(emulator, tmp_path, 200_000)  # enough for a part, not for all
    assert "the snapshot could not be written (File too large)" in said
    assert "all 1,200 customers are kept" in said
    assert tv.open_snapshot(tmp_path / "store", verify="full").id == before.id
    assert list((tmp_path / "store" / "snapshots").glob(".*")) == []
    emulator.wire_log.clear()
    with connect(emulator) as vault:
        snapshot = tv.collect(vault, ids_of(1200), store=tmp_path / "store")
    assert emulator.wire_log.entries() == []
    assert_is_truth(snapshot, emulator.population, ids_of(1200))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, three megabytes large; only root can make one."""
    path = tmp_path / "disk"
    path.mkdir()
    size = ["-o", "size=3m"]
    made = subprocess.run(
        ["mount", "-t", "tmpfs", *size, "tmpfs", path], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux")
def test_a_full_disk_stops_it_and_room_lets_it_go_on(emulator, tmp_path, small_disk):
    """Really full: in the middle of the parts, then while publishing, then with room again."""
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(ids_of(1200)))
    store = small_disk / "store"
    ballast = small_disk / "ballast"

    def collect(room_bytes):
        statistics = os.statvfs(small_disk)
        free = statistics.f_bavail * statistics.f_frsize
        ballast.write_bytes(bytes(max(0, free - room_bytes)))
        command = ("collect", ids, "--store", store, "--concurrency", "512", "--rate", "60000")
        child = start_cli(*command, base_url=emulator.base_url)
        said, trouble = child.communicate(timeout=60)
        ballast.unlink()
        return child.returncode, said, trouble

    code, _, trouble = collect(250_000)
    assert code == 1
    assert re.search(r"a part .* could not be written \(No space left on device\)", trouble)
    assert trouble.count("error:") == 1
    assert "Traceback" not in trouble
    run = only_run(store)
    saved = saved_in(run)
    assert 0 < len(saved) < 1200
    assert f"{len(saved):,} of 1,200 customers are kept" in trouble

    emulator.wire_log.clear()
    code, _, trouble = collect(150_000)
    assert code == 1
    assert "the snapshot could not be written (No space left on device)" in trouble
    assert "Traceback" not in trouble
    assert asked_for(emulator) == dict.fromkeys(set(ids_of(1200)) - saved, 1)
    assert list_snapshots(store) == []

    emulator.wire_log.clear()
    code, _, trouble = collect(10_000_000)
    assert code == 0, trouble
    assert emulator.wire_log.entries() == []
    assert_is_truth(tv.open_snapshot(store), emulator.population, ids_of(1200))
