"""The official client, `cashfree_pg`, talks to the emulator: it speaks the real protocol."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    # Version 6.0.1 is generated code on pydantic's old names, which warn when it is imported.
    warnings.simplefilter("ignore")
    from cashfree_pg.api_client import ApiClient, Cashfree
    from cashfree_pg.exceptions import NotFoundException, UnauthorizedException

pytestmark = [
    # It parses answers with pydantic's old methods; that is its affair, and says nothing of ours.
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211"),
]


class LoopbackApiClient(ApiClient):
    """The SDK's own transport, led to another host: it knows two hosts and takes no third."""

    base_url = ""

    @property
    def configuration(self):
        return self._configuration

    @configuration.setter
    def configuration(self, configuration):
        if self.base_url and configuration is not None:
            configuration.host = self.base_url
        self._configuration = configuration


@pytest.fixture
def sdk(shared):
    """An SDK instance with credentials, bound to the shared emulator."""
    client = LoopbackApiClient()
    client.base_url = shared.emulator.base_url
    ApiClient.set_default(client)
    yield Cashfree(Cashfree.SANDBOX, XClientId="sdk_app", XClientSecret="sdk_secret")
    client.rest_client.pool_manager.clear()
    ApiClient.set_default(None)


def test_it_lists_the_cards_of_a_customer(shared, sdk):
    """Every field the SDK knows arrives as the population has it, in the newest version."""
    customer_id = shared.a_customer_with(3)
    answer = sdk.PGCustomerFetchInstruments(customer_id=customer_id, instrument_type="card")
    truth = shared.emulator.population.instruments(customer_id, "2026-01-01")
    assert answer.status_code == 200
    assert [row.instrument_id for row in answer.data] == [row["instrument_id"] for row in truth]
    for row, expected in zip(answer.data, truth, strict=True):
        assert row.created_at == expected.get("created_at")
        assert row.instrument_uid == expected.get("instrument_uid")
        if expected["instrument_meta"]:
            assert row.instrument_meta.card_network == expected["instrument_meta"]["card_network"]
    entry = shared.emulator.wire_log.entries()[-1]
    assert entry.api_version == "2026-01-01"
    # It puts a query after a path that has one; the real vault takes that, so the emulator has to.
    assert entry.query == "instrument_type=card?instrument_type=card"


def test_it_fetches_one_card(shared, sdk):
    """By both ids, with the nested token details."""
    customer_id, instrument_id = shared.a_card(nth=2)
    answer = sdk.PGCustomerFetchInstrument(customer_id=customer_id, instrument_id=instrument_id)
    truth = shared.fetch(customer_id, instrument_id, headers={"x-api-version": "2026-01-01"}).json()
    details = answer.data.instrument_meta.card_token_details
    assert answer.data.instrument_id == instrument_id
    assert details.par == truth["instrument_meta"]["card_token_details"]["par"]


def test_it_fetches_a_cryptogram(shared, sdk):
    """The one-time secret parses as the SDK's own entity."""
    customer_id, instrument_id = shared.a_card(nth=3)
    answer = sdk.PGCustomerInstrumentsFetchCryptogram(
        customer_id=customer_id, instrument_id=instrument_id
    )
    assert answer.data.instrument_id == instrument_id
    assert answer.data.cryptogram
    assert answer.data.card_number.startswith("999999")


def test_it_deletes_a_card(shared, sdk):
    """The answer shows INACTIVE, which the SDK insists on; then it meets a 404 it understands."""
    customer_id, instrument_id = shared.a_card(nth=4)
    answer = sdk.PGCustomerDeleteInstrument(
        customer_id=customer_id, instrument_id=instrument_id, x_request_id="trace-7"
    )
    assert answer.data.instrument_status == "INACTIVE"
    assert answer.headers["x-request-id"] == "trace-7"
    entry = shared.emulator.wire_log.entries("delete")[-1]
    assert (entry.instrument_id, entry.applied) == (instrument_id, "deleted")
    with pytest.raises(NotFoundException):
        sdk.PGCustomerFetchInstrument(customer_id=customer_id, instrument_id=instrument_id)


def test_it_understands_a_refusal(run):
    """Wrong credentials raise the SDK's own exception with our error body in it."""
    with run(demand_client_secret="another") as bench:
        client = LoopbackApiClient()
        client.base_url = bench.emulator.base_url
        ApiClient.set_default(client)
        sdk = Cashfree(Cashfree.SANDBOX, XClientId="sdk_app", XClientSecret="sdk_secret")
        with pytest.raises(UnauthorizedException) as caught:
            sdk.PGCustomerFetchInstruments(customer_id="cust_0000001", instrument_type="card")
        client.rest_client.pool_manager.clear()
        ApiClient.set_default(None)
    assert "authentication_error" in caught.value.body
