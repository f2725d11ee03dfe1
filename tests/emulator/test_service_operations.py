"""The four operations over real HTTP, in each version, and what they refuse."""

from __future__ import annotations

import pytest

from tokenvault_data.emulator.dialects import API_VERSIONS

ERROR_FIELDS = {"message", "code", "type", "help"}


@pytest.mark.parametrize("version", API_VERSIONS)
def test_a_list_is_the_population_in_the_dialect_of_the_version(shared, version):
    """What comes over the wire equals the truth, customer by customer."""
    for customer_id in list(shared.emulator.population.customer_ids())[:40]:
        answer = shared.list(customer_id, headers={"x-api-version": version})
        assert answer.status_code == 200
        assert answer.json() == shared.emulator.population.instruments(customer_id, version)


def test_a_customer_without_cards_and_one_never_seen_have_an_empty_list(shared):
    """The vault does not tell an unknown customer from one without cards."""
    for customer_id in (shared.a_customer_with(0), "cust_9999999", "nobody@example.com"):
        answer = shared.list(customer_id)
        assert (answer.status_code, answer.json()) == (200, [])


def test_an_encoded_slash_belongs_to_the_id(shared):
    """A customer id is decoded whole, as one path segment."""
    assert shared.list("a%2Fb%20%2Bc%40d.e%3F").json() == []
    assert shared.emulator.wire_log.entries()[-1].customer_id == "a/b +c@d.e?"


@pytest.mark.parametrize("version", API_VERSIONS)
def test_fetching_gives_the_listed_instrument(shared, version):
    """Every listed instrument can be fetched alone and is the same (the first row of its id)."""
    customer_id = shared.a_customer_with(3)
    headers = {"x-api-version": version}
    for instrument in shared.list(customer_id, headers=headers).json():
        answer = shared.fetch(customer_id, instrument["instrument_id"], headers=headers)
        assert (answer.status_code, answer.json()) == (200, instrument)


def test_a_wrong_id_and_a_wrong_customer_are_not_found(shared):
    """404 `instrument_not_found`, whichever of the two is wrong."""
    customer_id, instrument_id = shared.a_card()
    other, _ = shared.a_card(nth=5)
    for answer in (
        shared.fetch(customer_id, "54deabb4-ba45-4a60-9e6a-9c016fe7ab10"),
        shared.fetch(other, instrument_id),
        shared.delete(other, instrument_id),
        shared.cryptogram("nobody", instrument_id),
    ):
        assert answer.status_code == 404
        assert answer.json()["code"] == "instrument_not_found"
        assert set(answer.json()) == ERROR_FIELDS


def test_a_malformed_instrument_id_is_a_bad_request(shared):
    """400 `instrument_id_invalid`."""
    answer = shared.fetch("cust_0000001", "no%20such%2Fid")
    assert answer.status_code == 400
    assert answer.json()["code"] == "instrument_id_invalid"
    assert answer.json()["type"] == "invalid_request_error"


@pytest.mark.parametrize("version", API_VERSIONS)
def test_a_deleted_instrument_is_gone(run, version):
    """Delete answers 200 with the instrument; afterwards it is neither listed nor found."""
    with run(customers=60) as bench:
        bench.client.headers["x-api-version"] = version
        customer_id, instrument_id = bench.a_card()
        before = bench.list(customer_id).json()
        shown = {"2022-09-01": "ACTIVE"}.get(version, "INACTIVE")
        answer = bench.delete(customer_id, instrument_id)
        assert answer.status_code == 200
        row = next(row for row in before if row["instrument_id"] == instrument_id)
        assert answer.json() == {**row, "instrument_status": shown}
        assert bench.list(customer_id).json() == [row_ for row_ in before if row_ != row]
        assert bench.fetch(customer_id, instrument_id).status_code == 404
        assert bench.cryptogram(customer_id, instrument_id).status_code == 404
        assert bench.delete(customer_id, instrument_id).status_code == 404


def test_a_deleted_instrument_can_stay_as_inactive(run):
    """The other reported behaviour: listed and fetched as INACTIVE; a second delete is a 409."""
    with run(customers=60, after_delete="inactive") as bench:
        customer_id, instrument_id = bench.a_card()
        before = bench.list(customer_id).json()
        assert bench.delete(customer_id, instrument_id).status_code == 200
        expected = [
            {**row, "instrument_status": "INACTIVE"}
            if row["instrument_id"] == instrument_id
            else row
            for row in before
        ]
        assert bench.list(customer_id).json() == expected
        assert bench.fetch(customer_id, instrument_id).json()["instrument_status"] == "INACTIVE"
        again = bench.delete(customer_id, instrument_id)
        assert (again.status_code, again.json()["code"]) == (409, "instrument_already_deleted")
        assert bench.cryptogram(customer_id, instrument_id).status_code == 400


def test_both_rows_of_a_doubled_id_go_with_one_delete(run):
    """Where one id is listed twice, deleting it removes both rows."""
    with run(customers=3000) as bench:
        population = bench.emulator.population
        doubled = next(
            rows for rows in map(population.saved_cards, range(population.size))
            if len({row.instrument_id for row in rows}) < len(rows)
        )  # fmt: skip
        customer_id, instrument_id = doubled[0].customer_id, doubled[0].instrument_id
        assert len(bench.list(customer_id).json()) == len(doubled)
        assert bench.delete(customer_id, instrument_id).status_code == 200
        assert len(bench.list(customer_id).json()) == len(doubled) - 2


def test_every_cryptogram_is_fresh(shared):
    """Two calls give the same token and two secrets; the number is one no issuer holds."""
    customer_id, instrument_id = shared.a_card()
    first, second = (shared.cryptogram(customer_id, instrument_id).json() for _ in range(2))
    assert set(first) == {
        "instrument_id", "token_requestor_id", "card_number", "card_expiry_mm", "card_expiry_yy",
        "cryptogram", "card_display",
    }  # fmt: skip
    assert first.pop("cryptogram") != second.pop("cryptogram")
    assert first == second
    assert first["instrument_id"] == instrument_id
    number = first["card_number"]
    assert len(number) == 16
    assert number.startswith("999999")
    doubled = [int(d) * (2 - place % 2) for place, d in enumerate(number)]
    assert sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0
    meta = shared.fetch(customer_id, instrument_id).json()["instrument_meta"]
    assert first["card_expiry_yy"] == meta["card_token_details"]["expiry_year"]


def test_an_inactive_instrument_has_no_cryptogram(shared):
    """Only an active instrument can pay."""
    answer = shared.cryptogram(*shared.a_card(status="INACTIVE"))
    assert answer.status_code == 400


@pytest.mark.parametrize("params", [{"instrument_type": "upi"}, {"instrument_type": ""}])
def test_a_list_needs_the_instrument_type(shared, params):
    """`instrument_type=card` is required."""
    assert shared.list("cust_0000001", params=params).status_code == 400
    assert shared.client.get("/customers/cust_0000001/instruments").status_code == 400


@pytest.mark.parametrize("version", ["", "2021-05-21", "latest"])
def test_the_api_version_is_required_and_known(shared, version):
    """A missing or unknown `x-api-version` is a 400 that says so."""
    answer = shared.list("cust_0000001", headers={"x-api-version": version})
    assert answer.status_code == 400
    assert "x-api-version" in answer.json()["message"]


def test_other_methods_and_paths_are_refused(shared):
    """405 with `Allow` for a known path, 404 for any other; HEAD is not supported."""
    path = "/customers/cust_0000001/instruments"
    assert shared.client.post(path, json={}).status_code == 405
    assert shared.client.head(path).status_code == 405
    put = shared.client.put(f"{path}/abc")
    assert (put.status_code, put.headers["allow"]) == (405, "GET, DELETE")
    root = shared.emulator.base_url.removesuffix("/pg")
    for url in (
        f"{shared.emulator.base_url}/customers",
        f"{shared.emulator.base_url}/customers//instruments",
        f"{shared.emulator.base_url}/customers/a/instruments/b/other",
        f"{shared.emulator.base_url}/emulator/faults",
        f"{root}/customers/a/instruments",
        root,
    ):
        assert shared.client.get(url).status_code == 404


def test_the_request_id_comes_back(shared):
    """`x-request-id` is echoed, on errors too, and absent when it was not sent."""
    headers = {"x-request-id": "trace 42"}
    assert shared.list("cust_0000001", headers=headers).headers["x-request-id"] == "trace 42"
    assert shared.fetch("nobody", "abc", headers=headers).headers["x-request-id"] == "trace 42"
    assert "x-request-id" not in shared.list("cust_0000001").headers


def test_health_needs_no_credentials_and_leaves_no_trace(shared):
    """`GET /health` on the root is for whoever waits for the server; it is not logged."""
    before = len(shared.emulator.wire_log)
    url = shared.emulator.base_url.removesuffix("/pg") + "/health"
    answer = shared.client.get(url, headers={"x-client-id": "", "x-client-secret": ""})
    assert answer.json() == {"status": "ok", "customers": 500}
    assert len(shared.emulator.wire_log) == before
