"""Results become durable parts: soon enough, few enough at risk, none lost or doubled."""

import asyncio
import threading
import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tokenvault_data.collection import recorder as recorder_module
from tokenvault_data.collection.fan_out import LARGEST_CONCURRENCY, Customer, Failed, Fetched
from tokenvault_data.collection.recorder import UNSAVED_CUSTOMERS, Recorder, part_customers
from tokenvault_data.collection.run import RunFacts, create_run
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import AnswerLost, CollectionError, NotFound

VERSION = "2023-08-01"
POPULATION = Population(EmulatorSettings(customers=5000))
NOW_US = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1_000_000)


@pytest.fixture
def run(tmp_path):
    ids = list(POPULATION.customer_ids())
    facts = RunFacts("emulator", "abcdef123456", VERSION, "0" * 64, len(ids))
    run = create_run(tmp_path, facts, pa.array(ids))
    with run.locked():
        run.standing()
        yield run


def fetched(position, body=None):
    customer_id = f"cust_{position:07d}"
    cards = len(POPULATION.instruments(customer_id, VERSION))
    body = POPULATION.list_body(position, VERSION) if body is None else body
    return Fetched(Customer(position, customer_id), [body], cards, 1, NOW_US)


def failed(position, error):
    return Failed(Customer(position, f"cust_{position:07d}"), error, error.attempts, NOW_US)


def recorder_of(run, concurrency=64):
    return Recorder(run, api_version=VERSION, concurrency=concurrency)


def outcomes(run):
    rows = [row for n in run.part_numbers() for row in run.read_outcomes(n).to_pylist()]
    return {row["position"]: row for row in rows}


@pytest.mark.parametrize("concurrency", [1, 2, 64, 511, LARGEST_CONCURRENCY])
def test_what_a_kill_can_cost_is_bounded(concurrency):
    """A part written, a part filled and the calls in flight are at most 2,000 customers."""
    part = part_customers(concurrency)
    assert part > 0
    assert 2 * part + 2 * concurrency <= UNSAVED_CUSTOMERS == 2000


@pytest.mark.parametrize("concurrency", [1, 64, 512])
def test_never_more_than_the_bound_is_unsaved(run, monkeypatch, concurrency):
    """However slow the disk, what was taken and not yet saved stays within the bound."""
    slow = threading.Event()
    write_part = run.write_part

    def write_slowly(*tables):
        slow.wait(0.15)
        write_part(*tables)

    monkeypatch.setattr(run, "write_part", write_slowly)
    worst = 0

    async def go():
        nonlocal worst
        recorder = recorder_of(run, concurrency)
        positions = iter(range(4500))

        async def work():
            nonlocal worst
            for position in positions:
                await asyncio.sleep(0)
                taking = asyncio.ensure_future(recorder.record(fetched(position)))
                await asyncio.sleep(0)
                worst = max(worst, recorder.tally.customers - recorder.saved + concurrency)
                await taking

        await asyncio.gather(*(work() for _ in range(concurrency)))
        await recorder.write_rest()
        assert recorder.saved == recorder.tally.customers == 4500

    asyncio.run(go())
    assert worst <= UNSAVED_CUSTOMERS
    assert sorted(outcomes(run)) == list(range(4500))


def test_a_part_is_written_when_its_oldest_result_has_waited(run, monkeypatch):
    """At a slow pace a part is written by the clock, and not before."""
    monkeypatch.setattr(recorder_module, "UNSAVED_SECONDS", 1.0)

    async def go():
        recorder = recorder_of(run)
        await recorder.record(fetched(0))
        await asyncio.sleep(0.6)
        await recorder.record(fetched(1))
        await recorder.write_if_old()
        assert run.part_numbers() == []
        await asyncio.sleep(0.6)  # the first is now too old, the second is not
        await recorder.write_if_old()
        assert sorted(outcomes(run)) == [0, 1]
        await recorder.record(fetched(2))
        await recorder.write_if_old()
        assert sorted(outcomes(run)) == [0, 1]

    asyncio.run(go())


def test_results_are_safe_within_thirty_seconds():
    """The clock of a part leaves five of the promised thirty seconds for the writing."""
    assert recorder_module.UNSAVED_SECONDS <= 25


def test_outcomes_say_what_became_of_each(run):
    """Fetched, empty and failed, each with what there is to know, in one row each."""
    empty = next(p for p in range(100) if not POPULATION.saved_cards(p))
    full = next(p for p in range(100) if len(POPULATION.saved_cards(p)) == 2)
    lost, unknown = 200, 201
    results = [
        fetched(full),
        fetched(empty),
        failed(lost, AnswerLost("the connection broke", attempts=5)),
        failed(unknown, NotFound("no such instrument", status=404, attempts=1)),
    ]

    async def go():
        recorder = recorder_of(run)
        for result in results:
            await recorder.record(result)
        await recorder.write_rest()
        return recorder.tally

    tally = asyncio.run(go())
    assert (tally.fetched, tally.empty, tally.failed) == (1, 1, 2)
    assert (tally.cards, tally.requests) == (2, 8)
    rows = outcomes(run)
    assert rows[full]["outcome"] == "fetched"
    assert rows[full]["instruments"] == 2
    assert rows[empty]["outcome"] == "empty"
    assert rows[empty]["http_status"] == 200
    assert rows[empty]["cause"] is None
    assert rows[lost]["outcome"] == "failed"
    assert rows[lost]["cause"] == "answer_lost"
    assert rows[lost]["http_status"] is None
    assert rows[lost]["requests"] == 5
    assert rows[unknown]["cause"] == "not_found"
    assert rows[unknown]["http_status"] == 404
    assert rows[unknown]["detail"] == "no such instrument"
    assert rows[full]["finished_at"] == datetime(2026, 11, 22, tzinfo=UTC)


def test_an_unreadable_body_costs_only_its_customer(run):
    """A body that no reader can use makes its customer failed, with a cause, and nobody else."""

    async def go():
        recorder = recorder_of(run)
        for position in range(50):
            await recorder.record(fetched(position))
        await recorder.record(fetched(50, b'{"message": "not a list"}'))
        await recorder.record(fetched(51, b"<html>"))
        await recorder.write_rest()
        return recorder.tally

    tally = asyncio.run(go())
    rows = outcomes(run)
    assert {p for p, row in rows.items() if row["outcome"] == "failed"} == {50, 51}
    assert rows[50]["cause"] == rows[51]["cause"] == "unusable_answer"
    assert rows[50]["detail"]
    cards = [len(POPULATION.instruments(f"cust_{p:07d}", VERSION)) for p in range(50)]
    assert run.read_instruments(1).num_rows == sum(cards) == tally.cards
    assert (tally.failed, tally.customers) == (2, 52)


def test_odd_records_are_counted_as_rows_as_they_are_in_instruments(run):
    """Outcomes and instruments agree on the number of cards, whatever the elements of a list."""
    bodies = [
        b'[{"instrument_id":"a"},null,7]',
        b"[{}]",
        b"[[]]",
        b"[ ]",
        b'{"data":[{}],"cursor":null}',
    ]

    async def go():
        recorder = recorder_of(run)
        for position, body in enumerate(bodies):
            await recorder.record(fetched(position, body))
        await recorder.write_rest()

    asyncio.run(go())
    rows = outcomes(run)
    listed = run.read_instruments(1).column("customer_id").to_pylist()
    for position in range(len(bodies)):
        assert rows[position]["instruments"] == listed.count(f"cust_{position:07d}")
    assert [rows[p]["outcome"] for p in (0, 3)] == ["fetched", "empty"]


def test_a_part_that_cannot_be_written_is_tried_once_more(run):
    """A full disk raises once, with what to do, and what was gathered is not thrown away."""
    parts = run.path / "parts"

    async def go():
        recorder = recorder_of(run, concurrency=512)
        parts.rename(run.path / "elsewhere")
        for position in range(part_customers(512) - 1):
            await recorder.record(fetched(position))
        with pytest.raises(CollectionError, match="Make room or check the disk"):
            await recorder.record(fetched(3999))
        assert recorder.saved == 0
        await recorder.record(fetched(4000))  # still in flight when the disk was full
        (run.path / "elsewhere").rename(parts)
        await recorder.write_rest()
        return recorder.saved

    assert asyncio.run(go()) == part_customers(512) + 1
    assert len(outcomes(run)) == part_customers(512) + 1


def test_writing_does_not_hold_up_the_event_loop(run, monkeypatch):
    """Parts are flattened and written in a thread; the loop goes on meanwhile, however slow."""
    write_part = run.write_part

    def write_slowly(*tables):
        time.sleep(2)
        write_part(*tables)

    monkeypatch.setattr(run, "write_part", write_slowly)

    async def go():
        recorder = recorder_of(run, concurrency=1)
        for position in range(part_customers(1) - 1):
            await recorder.record(fetched(position))
        writing = asyncio.ensure_future(recorder.record(fetched(4999)))
        longest, last = 0.0, time.monotonic()
        while not writing.done():
            await asyncio.sleep(0)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        await writing
        return longest

    assert asyncio.run(go()) < 1
    assert len(outcomes(run)) == part_customers(1)
