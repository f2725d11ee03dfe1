"""Progress figures are consistent at every moment, and end where the snapshot does."""

import dataclasses
from itertools import pairwise

import pytest
from collection_bench import AT_START, connect, ids_of, running

import tokenvault_data as tv
from tokenvault_data.collection.progress import in_words


def test_done_counts_every_outcome_of_every_session():
    """What earlier sessions found counts as much as what this one did."""
    progress = dataclasses.replace(AT_START, fetched=5, empty=3, failed=2)
    assert progress.done == 30


def test_time_left_follows_the_pace():
    """It is the rest at the present pace, and unknown without one."""
    assert AT_START.seconds_left is None
    assert dataclasses.replace(AT_START, customers_per_minute=40).seconds_left == 120


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (60_000, "16 h 40 min"),
    ],
)
def test_lengths_of_time_read_naturally(seconds, words):
    """Seconds, minutes or hours, as the length asks for."""
    assert in_words(seconds) == words


def test_figures_end_where_the_snapshot_does(tmp_path):
    """They never go back, add up at the end, and count an unreadable body as failed."""
    seen = []
    faults = "404#customer=cust_0000003;503:0.05#1-300"
    with (
        running(customers=600, faults=faults, page_size=2, latency_ms=20) as emulator,
        connect(emulator, rate_per_minute=24_000) as vault,
    ):
        snapshot = tv.collect(vault, ids_of(600), store=tmp_path, progress=seen.append)
    assert [p.phase for p in seen][-2:] == ["publishing", "ended"]
    assert len(seen) > 4
    for earlier, later in pairwise(seen):
        assert earlier.done <= later.done
        assert earlier.requests <= later.requests
        assert earlier.elapsed_seconds <= later.elapsed_seconds
    last = seen[-1]
    outcomes = snapshot.manifest.outcomes
    assert last.done == last.requested == 600
    assert (last.fetched, last.empty, last.failed) == (
        outcomes["fetched"],
        outcomes["empty"],
        outcomes["failed"],
    )
    assert last.cards == snapshot.manifest.instruments
    requests = snapshot.outcomes().to_table(columns=["requests"]).column("requests").to_pylist()
    assert last.requests == sum(requests)
    assert last.budget is not None
    assert any(p.customers_per_minute > 0 for p in seen)
    assert any(p.requests_per_minute > p.customers_per_minute for p in seen)


def test_a_resumed_collection_begins_with_what_there_is(tmp_path):
    """The bar of a second session starts where the first one ended."""
    seen = []
    with running(customers=300) as emulator:

        def stop(progress):
            if progress.done >= 100:
                raise InterruptedError

        with connect(emulator) as vault:
            with pytest.raises(InterruptedError):
                tv.collect(vault, ids_of(300), store=tmp_path, progress=stop)
            tv.collect(vault, ids_of(300), store=tmp_path, progress=seen.append)
    assert seen[0].done == seen[0].resumed >= 100
    assert seen[-1].done == 300
    assert seen[-1].requests == 300 - seen[0].resumed
