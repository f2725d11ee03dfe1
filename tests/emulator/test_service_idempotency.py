"""Idempotency keys on a delete: the first answer is the answer."""

from __future__ import annotations

from uuid import uuid4

import pytest


def key():
    return {"x-idempotency-key": str(uuid4())}


@pytest.fixture
def bench(run):
    with run(customers=100) as bench:
        yield bench


def test_the_first_answer_is_replayed(bench):
    """Status and body of the first delete come again; without the key it would be a 404."""
    customer_id, instrument_id = bench.a_card()
    headers = key()
    first = bench.delete(customer_id, instrument_id, headers=headers)
    again = bench.delete(customer_id, instrument_id, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert bench.delete(customer_id, instrument_id).status_code == 404
    applied = [entry.applied for entry in bench.emulator.wire_log.entries("delete")]
    assert applied == ["deleted", "replayed", ""]


@pytest.mark.parametrize(("fault", "left"), [("500", 200), ("applied-then-500", 404)])
def test_a_stored_500_is_replayed_for_ever(bench, fault, left):
    """Also when the delete was carried out, and also when it was not."""
    customer_id, instrument_id = bench.a_card()
    headers = key()
    bench.emulator.set_faults(f"{fault}@delete#1")
    statuses = [
        bench.delete(customer_id, instrument_id, headers=headers).status_code for _ in range(3)
    ]
    assert statuses == [500, 500, 500]
    assert bench.fetch(customer_id, instrument_id).status_code == left


def test_an_answer_made_in_front_of_the_service_is_not_stored(bench):
    """A 503 of the gateway leaves the key unused."""
    customer_id, instrument_id = bench.a_card()
    headers = key()
    bench.emulator.set_faults("503@delete#1")
    statuses = [
        bench.delete(customer_id, instrument_id, headers=headers).status_code for _ in range(2)
    ]
    assert statuses == [503, 200]


def test_a_key_reused_for_another_instrument_is_refused(bench):
    """422 `idempotency_error`, and nothing is deleted."""
    first, second = bench.a_card(), bench.a_card(nth=1)
    headers = key()
    assert bench.delete(*first, headers=headers).status_code == 200
    answer = bench.delete(*second, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (422, "idempotency_error")
    assert bench.fetch(*second).status_code == 200


def test_keys_belong_to_an_account(bench):
    """Another account may use the same key."""
    first, second = bench.a_card(), bench.a_card(nth=1)
    headers = key()
    assert bench.delete(*first, headers=headers).status_code == 200
    other = {**headers, "x-client-id": "another_app"}
    assert bench.delete(*second, headers=other).status_code == 200


def test_reads_ignore_the_key(bench):
    """A key on a fetch changes nothing; each is answered afresh."""
    customer_id, instrument_id = bench.a_card()
    headers = key()
    assert bench.fetch(customer_id, instrument_id, headers=headers).status_code == 200
    assert bench.delete(customer_id, instrument_id).status_code == 200
    assert bench.fetch(customer_id, instrument_id, headers=headers).status_code == 404
