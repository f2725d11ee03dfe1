"""Cards as DataFrames, batch by batch, with nothing kept."""

import pytest
from collection_bench import asked_for, connect, ids_of, running

import tokenvault_data as tv
from tokenvault_data.collection import outage
from tokenvault_data.errors import AccessDenied, CustomerListError, NotSent, UsageError


@pytest.fixture(scope="module")
def shared():
    with running(customers=300) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared):
    shared.wire_log.clear()
    yield shared
    shared.set_faults("")
    shared.set_credentials(None, None)


def truth(emulator, ids):
    return [
        (customer_id, position, card.get("instrument_id"))
        for customer_id in ids
        for position, card in enumerate(emulator.population.instruments(customer_id, "2023-08-01"))
    ]


def rows(frame):
    columns = ["customer_id", "list_position", "instrument_id"]
    return list(frame[columns].itertuples(index=False, name=None))


@pytest.mark.parametrize("batch_customers", [1, 7, 100, 500])
def test_frames_hold_all_cards_in_order(emulator, batch_customers):
    """Customers in the order of the list, a customer's cards in one frame."""
    ids = ids_of(100)[::-1] if batch_customers > 1 else ids_of(5)
    with connect(emulator) as vault:
        frames = list(tv.iter_frames(vault, ids, batch_customers=batch_customers))
    assert len(frames) == -(-len(ids) // batch_customers)
    assert [row for frame in frames for row in rows(frame)] == truth(emulator, ids)
    assert asked_for(emulator) == dict.fromkeys(ids, 1)


def test_nothing_is_asked_before_it_is_wanted(emulator):
    """Who stops after the first frame has paid for one batch."""
    with connect(emulator) as vault:
        frames = tv.iter_frames(vault, ids_of(100), batch_customers=10)
        assert asked_for(emulator) == {}
        next(frames)
    assert set(asked_for(emulator)) == set(ids_of(10))


def test_who_could_not_be_fetched_is_named_with_the_frame(emulator):
    """A failure costs its customer the rows, and says why."""
    ids = ids_of(20)
    emulator.set_faults("404#customer=cust_0000003;500#customer=cust_0000015")
    with connect(emulator) as vault:
        first, second = tv.iter_frames(vault, ids, batch_customers=10)
    assert set(first.attrs["failed"]) == {"cust_0000003"}
    assert "404" in first.attrs["failed"]["cust_0000003"]
    assert set(second.attrs["failed"]) == {"cust_0000015"}
    good = [name for name in ids if name not in ("cust_0000003", "cust_0000015")]
    assert rows(first) + rows(second) == truth(emulator, good)


def test_an_outage_between_two_frames_is_waited_out(emulator, monkeypatch):
    """What is known of the vault holds from one batch to the next: it was there a moment ago."""
    monkeypatch.setattr(outage, "FIRST_WAIT_SECONDS", 0.1)
    ids = ids_of(60)
    with connect(emulator) as vault:
        frames = tv.iter_frames(vault, ids, batch_customers=30)
        first = next(frames)
        emulator.set_faults("503#t0-0.5")
        second = next(frames)
    assert second.attrs["failed"] == {}
    assert rows(first) + rows(second) == truth(emulator, ids)


def test_refused_credentials_end_it(emulator):
    """Every further call would fail alike."""
    emulator.set_credentials("a", "b")
    with connect(emulator) as vault, pytest.raises(AccessDenied):
        list(tv.iter_frames(vault, ids_of(20)))


def test_a_vault_that_is_not_there_is_an_error():
    """Not an empty frame."""
    with running(customers=1) as emulator:
        base_url = emulator.base_url
    with connect(base_url) as vault, pytest.raises(NotSent):
        list(tv.iter_frames(vault, ids_of(3)))


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"batch_customers": 0}, UsageError),
        ({"batch_customers": 2001}, UsageError),
        ({"concurrency": 0}, UsageError),
        ({"customers": [1.5]}, CustomerListError),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_call(emulator, settings, kind):
    """Not at the first frame, which may be far from it."""
    with connect(emulator) as vault, pytest.raises(kind):
        tv.iter_frames(vault, settings.pop("customers", ids_of(3)), **settings)
