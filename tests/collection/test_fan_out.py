"""Every customer that is attempted ends in exactly one result, and nothing stalls the others."""

import asyncio
import threading
import time

import pytest
from collection_bench import asked_for, connect, ids_of, running

from tokenvault_data.client.probe import CUSTOMER as NOBODY
from tokenvault_data.collection import outage
from tokenvault_data.collection.fan_out import CONTROLS, Customer, Failed, FanOut, Fetched
from tokenvault_data.collection.outage import SUSPECTS
from tokenvault_data.collection.refused_credentials import MOST_IN_ROW, MOST_IN_ROW_AT_BEST
from tokenvault_data.errors import (
    AccessDenied,
    AnswerLost,
    CallAbandoned,
    CollectionError,
    NotSent,
    RateLimited,
    RequestRejected,
    UnusableAnswer,
    UsageError,
    VaultUnavailable,
)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(outage, "FIRST_WAIT_SECONDS", 0.1)


@pytest.fixture(scope="module")
def shared():
    with running(customers=400) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared):
    shared.wire_log.clear()
    yield shared
    shared.set_faults("")
    shared.set_credentials(None, None)


def numbered(ids):
    return [Customer(position, customer_id) for position, customer_id in enumerate(ids)]


def fan_out(emulator, ids, *, during=None, after=None, vault_settings=None, **settings):
    """Results by customer id, the error that ended it, and the seconds it took."""
    results = []

    async def take(result):
        results.append(result)
        if after is not None:
            after(result, len(results), fan)

    async def go(vault):
        nonlocal fan
        fan = FanOut(vault, take, **settings)
        if during is not None:
            asyncio.get_running_loop().create_task(during(fan))
        await fan.run(iter(numbered(ids)))

    fan = None
    began, error = time.monotonic(), None
    with connect(emulator, **(vault_settings or {})) as vault:
        try:
            vault.run(go)
        except Exception as raised:  # noqa: BLE001  handed to the test
            error = raised
    by_id = {result.customer.customer_id: result for result in results}
    assert len(by_id) == len(results), "a customer has two results"
    return by_id, error, time.monotonic() - began


@pytest.mark.parametrize("concurrency", [1, 7, 64, 512])
def test_every_customer_has_one_result(emulator, concurrency):
    """Whatever the concurrency, each customer is asked for once and comes back once."""
    ids = ids_of(300)
    results, error, _ = fan_out(emulator, ids, concurrency=concurrency)
    assert error is None
    assert set(results) == set(ids)
    assert asked_for(emulator) == dict.fromkeys(ids, 1)
    for customer_id, result in results.items():
        cards = emulator.population.instruments(customer_id, "2023-08-01")
        assert isinstance(result, Fetched)
        assert (result.instruments, result.requests) == (len(cards), 1)


def test_a_customer_that_is_always_refused_is_its_own_failure(emulator):
    """Refused five times while others are answered, it fails; the others are fetched."""
    emulator.set_faults("429#customer=cust_0000004")
    ids = ids_of(400)
    results, error, _ = fan_out(emulator, ids, concurrency=4, vault_settings={"share": 0.5})
    assert error is None
    assert set(results) == set(ids)
    failed = [result for result in results.values() if isinstance(result, Failed)]
    assert [result.customer.customer_id for result in failed] == ["cust_0000004"]
    assert isinstance(failed[0].error, RateLimited)
    assert failed[0].requests == 5


def test_refusals_without_end_count_against_the_patience(emulator):
    """From the last answer that was none, for as long as the patience; what came in is kept."""

    def strike(_, count, __):
        if count == 20:
            emulator.set_faults("429")

    ids = ids_of(300)
    results, error, took = fan_out(emulator, ids, after=strike, concurrency=4, patience_seconds=2.0)
    assert isinstance(error, CollectionError)
    assert "429" in str(error)
    assert "Run the same command again" in str(error)
    assert 20 <= len(results) < 300
    assert took < 60


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_customer_that_always_fails_is_blamed_alone(emulator, concurrency):
    """One customer's 500s are its own; asked for again, it holds up nobody."""
    emulator.set_faults("500#customer=cust_0000004")
    ids = ids_of(100)
    results, error, _ = fan_out(emulator, ids, concurrency=concurrency)
    assert error is None
    assert set(results) == set(ids)
    failed = [r for r in results.values() if isinstance(r, Failed)]
    assert [r.customer.customer_id for r in failed] == ["cust_0000004"]
    assert isinstance(failed[0].error, VaultUnavailable)
    assert failed[0].requests == asked_for(emulator)["cust_0000004"] == 4
    # One more where all others were answered first: it takes a probe to tell who is to blame.
    assert asked_for(emulator).total() in (103, 104)


@pytest.mark.parametrize(
    ("bad", "concurrency"),
    [
        (range(40, 70), 1),  # more in a row than an outage takes, one after the other
        (range(40, 70), 16),
        (range(70, 100), 16),  # nobody is asked after them
        (range(99, 100), 1),
        (range(8), 4),  # nobody was answered before them
    ],
)
def test_many_bad_customers_in_a_row_are_no_outage(emulator, bad, concurrency):
    """A run of customers that always fail does not stall the collection, wherever it stands."""
    ids = ids_of(100)
    emulator.set_faults(";".join(f"500#customer={ids[number]}" for number in bad))
    results, error, seconds = fan_out(emulator, ids, concurrency=concurrency)
    assert error is None
    assert set(results) == set(ids)
    failed = {name for name, result in results.items() if isinstance(result, Failed)}
    assert failed == {ids[number] for number in bad}
    assert seconds < 10


def test_requests_of_a_result_are_the_requests_that_were_made(emulator):
    """Failed attempts and second tries all count."""
    emulator.set_faults("503:0.3#1-200;reset-before:0.1#1-200")
    ids = ids_of(200)
    results, error, _ = fan_out(emulator, ids, concurrency=16)
    assert error is None
    assert {name: result.requests for name, result in results.items()} == asked_for(emulator)


@pytest.mark.parametrize("fault", ["503", "down", "garbage", "429", "redirect-302", "truncated"])
def test_nobody_is_blamed_for_an_outage(emulator, fault):
    """A storm of whatever kind, for everybody, is waited out; afterwards all are fetched."""
    ids = ids_of(300)
    outage = threading.Event()

    def strike(_, count, __):
        if count == 100 and not outage.is_set():
            outage.set()
            emulator.set_faults(f"{fault}#t0-0.5")

    results, error, _ = fan_out(
        emulator, ids, after=strike, concurrency=16, vault_settings={"rate_per_minute": 60_000}
    )
    assert error is None
    assert outage.is_set()
    assert set(results) == set(ids)
    assert [r.error for r in results.values() if isinstance(r, Failed)] == []


def test_an_outage_at_the_very_end_is_waited_out(emulator):
    """The last few customers, too few for a pile, are not blamed when the vault goes just then."""
    ids = ids_of(100)

    def strike(_, count, __):
        if count == 97:
            emulator.set_faults("503#t0-0.5")

    results, error, _ = fan_out(emulator, ids, after=strike, concurrency=1)
    assert error is None
    assert set(results) == set(ids)
    assert all(isinstance(result, Fetched) for result in results.values())


def test_an_outage_beyond_the_patience_stops_everything(emulator):
    """With the patience at an end the fan-out says so, blames nobody, and stops asking."""
    ids = ids_of(300)

    def strike(_, count, __):
        if count == 100:
            emulator.set_faults("503")

    results, error, seconds = fan_out(
        emulator, ids, after=strike, concurrency=16, patience_seconds=0
    )
    assert isinstance(error, CollectionError)
    assert "out of reach for" in str(error)
    assert "Run the same command again" in str(error)
    assert all(isinstance(result, Fetched) for result in results.values())
    assert 100 <= len(results) < 200
    assert seconds < 5


def test_in_an_outage_only_one_customer_is_tried_now_and_then(emulator):
    """While the vault is out of reach it is probed, not stormed."""
    ids = ids_of(300)

    def strike(_, count, __):
        if count == 100:
            emulator.wire_log.clear()
            emulator.set_faults("503")

    _, error, _ = fan_out(emulator, ids, after=strike, concurrency=32, patience_seconds=1)
    assert isinstance(error, CollectionError)
    attempts, probes = 2, 5  # after 0, 0.1, 0.3, 0.7 and 1.5 seconds
    refused = sum(entry.status == 503 for entry in emulator.wire_log.entries())
    assert refused <= attempts * (32 + SUSPECTS + probes)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("503", VaultUnavailable), ("garbage", UnusableAnswer), ("down", AnswerLost)],
)
def test_a_vault_that_answers_nobody_at_all_ends_it_at_once(emulator, fault, kind):
    """With no answer ever, waiting has no point: the error itself is raised, in seconds."""
    emulator.set_faults(fault)
    results, error, seconds = fan_out(emulator, ids_of(300), concurrency=16)
    assert isinstance(error, kind)
    assert results == {}
    assert seconds < 5


def test_a_closed_port_ends_it_at_once():
    """Three customers and nobody listening: an error in seconds, nothing sent."""
    with running(customers=1) as emulator:
        base_url = emulator.base_url
    results, error, seconds = fan_out(base_url, ids_of(3))
    assert isinstance(error, NotSent)
    assert results == {}
    assert seconds < 5


def test_a_vault_that_stops_and_starts_again_is_waited_for():
    """The server really goes and comes back on the same port; nobody is blamed."""
    ids = ids_of(400)
    with running(customers=400, latency_ms=5) as first:
        port = int(first.base_url.rsplit(":", 1)[1].split("/")[0])
        gone = threading.Event()

        def stop(_, count, __):
            if count == 100:
                gone.set()

        def restart():
            gone.wait()
            first.stop()
            time.sleep(1.0)
            second.__enter__()

        second = running(customers=400, port=port)
        thread = threading.Thread(target=restart)
        thread.start()
        results, error, _ = fan_out(first, ids, after=stop, concurrency=16)
        thread.join()
        second.__exit__(None, None, None)
    assert error is None
    assert set(results) == set(ids)
    assert all(isinstance(result, Fetched) for result in results.values())


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_refused_credentials_stop_everything(emulator, status, concurrency):
    """Revoked in the middle: what was in flight, the controls, and little more leaves."""
    ids = ids_of(400)

    def revoke(_, count, __):
        if count == 100:
            emulator.set_faults(f"{status}")

    results, error, _ = fan_out(emulator, ids, after=revoke, concurrency=concurrency)
    assert isinstance(error, AccessDenied)
    assert error.status == status
    answers = [entry.status for entry in emulator.wire_log.entries()]
    assert MOST_IN_ROW <= answers.count(status) <= max(MOST_IN_ROW, concurrency + CONTROLS) + 1
    assert len(results) == answers.count(200)
    assert all(isinstance(result, Fetched) for result in results.values())


@pytest.mark.parametrize("settings", [{}, {"vault_settings": {"rate_per_minute": 600}}])
def test_wrong_credentials_are_found_out_with_few_requests(emulator, settings):
    """From the first request on, also where most of what was asked still waits for its slot."""
    emulator.set_faults("401")
    results, error, _ = fan_out(emulator, ids_of(300), concurrency=16, **settings)
    assert isinstance(error, AccessDenied)
    assert "credentials are wrong" in str(error)
    assert results == {}
    assert asked_for(emulator).total() <= 16 + 1
    assert asked_for(emulator)[NOBODY] == 1


@pytest.mark.parametrize(("status", "concurrency"), [(401, 1), (403, 16)])
@pytest.mark.parametrize(
    "bad",
    [
        [40],
        [0],
        [99],
        [0, 99],
        range(5),
        range(20),  # more than are a coincidence, and nobody was answered before them
        range(80, 100),
        range(0, 100, 3),
        range(30, 60),
    ],
)
def test_refused_customers_among_good_ones_are_refused_alone(emulator, status, concurrency, bad):
    """Each is asked for twice and ends in a failure; few others are asked for again to tell."""
    ids = ids_of(100)
    emulator.set_faults(";".join(f"{status}#customer={ids[number]}" for number in bad))
    results, error, seconds = fan_out(emulator, ids, concurrency=concurrency)
    assert error is None
    assert set(results) == set(ids)
    failed = {name: one for name, one in results.items() if isinstance(one, Failed)}
    assert set(failed) == {ids[number] for number in bad}
    for one in failed.values():
        assert isinstance(one.error, AccessDenied)
        assert (one.error.status, one.requests) == (status, 2)
        assert "this customer" in str(one.error)
        assert one.customer.customer_id not in str(one.error)
    asked = asked_for(emulator)
    assert all(asked[ids[number]] == 2 for number in bad)
    assert asked.total() <= 100 + 5 + len(bad) + len(bad) // 3
    assert seconds < 5


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_control_that_is_refused_itself_proves_nothing(emulator, concurrency):
    """The customers asked as controls turn bad as well; others still answer, and all goes on."""
    ids = ids_of(200)
    turned = set()

    def turn(result, count, fan):
        if count == 100:
            turned.update(known.customer_id for known in fan._known)
            emulator.set_faults(
                ";".join(f"403#customer={name}" for name in (*turned, *ids[150:155]))
            )

    results, error, _ = fan_out(emulator, ids, after=turn, concurrency=concurrency)
    assert error is None
    assert len(turned) == CONTROLS
    failed = {name for name, result in results.items() if isinstance(result, Failed)}
    assert failed == set(ids[150:155])
    assert asked_for(emulator).total() <= 200 + 16


def test_a_refusal_in_an_outage_waits_for_it_to_end(emulator):
    """Controls that fail for another reason prove nothing; afterwards the refusal is judged."""
    ids = ids_of(100)

    def strike(_, count, __):
        if count == 50:
            emulator.set_faults(f"403#customer={ids[60]};503:1@list#t0-0.5")

    results, error, _ = fan_out(emulator, ids, after=strike, concurrency=4)
    assert error is None
    failed = {name for name, result in results.items() if isinstance(result, Failed)}
    assert failed == {ids[60]}


def test_a_list_of_refused_customers_only_is_taken_for_refused_credentials(emulator):
    """With nobody answered, ever, nothing speaks for the account."""
    emulator.set_faults("403")
    results, error, _ = fan_out(emulator, ids_of(3), concurrency=1)
    assert isinstance(error, AccessDenied)
    assert results == {}
    assert asked_for(emulator).total() == 3


def test_a_vault_that_answers_for_nobody_alone_is_not_asked_for_ever(emulator):
    """Refused for every customer, and not for an id that is nobody's: the wrong account, too."""
    ids = ids_of(300)
    emulator.set_faults(";".join(f"403#customer={name}" for name in ids))
    results, error, _ = fan_out(emulator, ids, concurrency=4)
    assert isinstance(error, AccessDenied)
    assert "although it accepts the credentials" in str(error)
    assert "put others first in the list" in str(error)
    assert results == {}
    assert asked_for(emulator).total() <= MOST_IN_ROW_AT_BEST + 4 + 1


def test_a_known_customer_vouches_for_the_account(emulator):
    """A resumed run that has only refused customers left blames them, vouched for each time."""
    emulator.set_faults("403#customer=cust_0000005")
    results, error, _ = fan_out(
        emulator, ["cust_0000005"], known=Customer(7, "cust_0000007"), concurrency=8
    )
    assert error is None
    assert isinstance(results["cust_0000005"].error, AccessDenied)
    assert asked_for(emulator) == {"cust_0000005": 2, "cust_0000007": 2}


def test_a_rejected_request_is_its_customers_own(emulator):
    """400 and 404 are answers: one request, one failure, and proof that the vault is there."""
    emulator.set_faults("404#customer=cust_0000003;400#customer=cust_0000005")
    ids = ids_of(10)
    results, error, _ = fan_out(emulator, ids, concurrency=1)
    assert error is None
    assert isinstance(results["cust_0000003"].error, RequestRejected)
    assert isinstance(results["cust_0000005"].error, RequestRejected)
    assert asked_for(emulator) == dict.fromkeys(ids, 1)


def test_a_halt_lets_what_is_in_flight_end(emulator):
    """After a halt no request leaves; every one that had left is answered and taken."""
    ids = ids_of(400)

    def halt(_, count, fan):
        if count == 50:
            emulator.set_faults("drip=0.3")
            fan.halt()

    results, error, _ = fan_out(emulator, ids, after=halt, concurrency=16)
    assert error is None
    assert 50 <= len(results) <= 50 + 16
    assert asked_for(emulator) == dict.fromkeys(results, 1)


def test_a_halt_ends_waiting_for_the_budget_at_once(emulator):
    """At one request in ten seconds a halt does not wait for the next slot."""

    async def halt_soon(fan):
        await asyncio.sleep(0.3)
        fan.halt()

    results, error, seconds = fan_out(
        emulator, ids_of(20), during=halt_soon, vault_settings={"rate_per_minute": 6}
    )
    assert error is None
    assert seconds < 5
    assert set(asked_for(emulator)) == set(results)


def test_a_halt_ends_waiting_for_the_vault_at_once(emulator):
    """In an outage a halt does not wait for the next probe."""
    ids = ids_of(200)

    def strike(_, count, __):
        if count == 50:
            emulator.set_faults("503")

    async def halt_soon(fan):
        while fan.out_for_seconds < 0.6:  # noqa: ASYNC110  a clock is watched, not an event
            await asyncio.sleep(0.05)
        fan.halt()

    _, error, seconds = fan_out(emulator, ids, after=strike, during=halt_soon, concurrency=8)
    assert error is None
    assert seconds < 3


def test_the_vault_is_usable_after_a_halt(emulator):
    """A halted fan-out leaves the client as it found it."""

    async def take(_):
        fan.halt()

    async def go(vault):
        nonlocal fan
        fan = FanOut(vault, take)
        await fan.run(numbered(ids_of(50)))

    fan = None
    with connect(emulator) as vault:
        vault.run(go)
        assert vault.list_instruments("cust_0000001") == emulator.population.instruments(
            "cust_0000001", "2023-08-01"
        )


def test_a_client_that_somebody_else_stops_is_an_error(emulator):
    """Customers are not skipped in silence when the client they share is told to stop."""
    ids = ids_of(400)

    async def hold(vault):
        vault.hold()

    with connect(emulator) as vault:
        results = []

        async def take(result):
            results.append(result)
            if len(results) == 50:
                await hold(async_vault)

        async def go(vault):
            nonlocal async_vault
            async_vault = vault
            await FanOut(vault, take, concurrency=8).run(numbered(ids))

        async_vault = None
        with pytest.raises(CallAbandoned):
            vault.run(go)
    assert len(results) < 100


def test_what_take_refuses_stops_the_others_in_order(emulator):
    """When results cannot be kept any more, what is in flight still ends and is given."""
    given = []

    async def take(result):
        given.append(result)
        if len(given) == 20:
            raise CollectionError("no more room")

    async def go(vault):
        await FanOut(vault, take, concurrency=16).run(numbered(ids_of(400)))

    with connect(emulator) as vault, pytest.raises(CollectionError, match="no more room"):
        vault.run(go)
    assert asked_for(emulator) == {r.customer.customer_id: 1 for r in given}
    assert len(given) <= 20 + 16


def test_what_take_refuses_of_a_suspect_stops_in_order(emulator):
    """The same when the result is one that was held back as a suspect."""
    emulator.set_faults("500#customer=cust_0000004")

    async def take(result):
        if isinstance(result, Failed):
            raise CollectionError("no more room")

    async def go(vault):
        await FanOut(vault, take, concurrency=4).run(numbered(ids_of(5)))

    with connect(emulator) as vault, pytest.raises(CollectionError, match="no more room"):
        vault.run(go)


@pytest.mark.parametrize(
    "settings",
    [
        {"concurrency": 0},
        {"concurrency": 513},
        {"patience_seconds": -1},
        {"patience_seconds": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(emulator, settings):
    """Nothing is sent with a concurrency or patience that makes no sense."""
    _, error, _ = fan_out(emulator, ids_of(3), **settings)
    assert isinstance(error, UsageError)
    assert asked_for(emulator) == {}
