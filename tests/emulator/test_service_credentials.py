"""Who may come in."""

from __future__ import annotations

import pytest

NOBODY = {"x-client-id": "", "x-client-secret": ""}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-client-signature": "c2ln", "x-client-secret": ""},
        {"x-client-signature": "c2ln"},
        {**NOBODY, "x-partner-apikey": "key", "x-partner-merchantid": "merchant"},
    ],
)
def test_every_documented_pair_is_accepted(shared, headers):
    """Id with secret, id with signature, and a partner's key with the merchant's id."""
    assert shared.list("cust_0000001", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        NOBODY,
        {"x-client-id": ""},
        {"x-client-secret": ""},
        {**NOBODY, "x-partner-apikey": "key"},
        {**NOBODY, "x-partner-merchantid": "merchant"},
    ],
)
def test_half_a_pair_is_refused(shared, headers):
    """401 with an error body of type `authentication_error`."""
    answer = shared.list("cust_0000001", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"] == "authentication_error"


def test_demanded_credentials_are_insisted_on_and_can_be_revoked(run):
    """Only the demanded pair comes in, and no longer once others are demanded in mid-run."""
    with run(demand_client_id="test_app", demand_client_secret="test_secret") as bench:
        assert bench.list("cust_0000001").status_code == 200
        for wrong in (
            {"x-client-secret": "guess"},
            {"x-client-id": "other"},
            {**NOBODY, "x-partner-apikey": "test_secret", "x-partner-merchantid": "other"},
            {**NOBODY, "x-partner-apikey": "guess", "x-partner-merchantid": "test_app"},
        ):
            assert bench.list("cust_0000001", headers=wrong).status_code == 401
        bench.emulator.set_credentials("test_app", "renewed")
        assert bench.list("cust_0000001").status_code == 401
        renewed = {"x-client-secret": "renewed"}
        assert bench.list("cust_0000001", headers=renewed).status_code == 200
        bench.emulator.set_credentials(None, None)
        assert bench.list("cust_0000001").status_code == 200


def test_a_refused_delete_deletes_nothing(run):
    """A call that may not come in changes nothing."""
    with run(demand_client_secret="right") as bench:
        customer_id, instrument_id = bench.a_card()
        assert bench.delete(customer_id, instrument_id).status_code == 401
        right = {"x-client-secret": "right"}
        assert bench.fetch(customer_id, instrument_id, headers=right).status_code == 200
