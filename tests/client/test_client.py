"""The asynchronous client over real HTTP: what it asks, how often, and what it gives away."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import logging
import subprocess
import sys
import time
import traceback
import types
from decimal import Decimal

import httpx
import pytest
import trustme
from pyreqwest import logging as engine_logging
from raw_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    OK_HEAD,
    RawServer,
    answer,
    drip,
    hang_after,
    profile_of,
    raw,
    reset_after,
)

from tokenvault_data import errors, redaction
from tokenvault_data.client import engines
from tokenvault_data.client.blocking import connect
from tokenvault_data.client.client import AsyncVault
from tokenvault_data.client.pyreqwest_engine import PyreqwestTransport
from tokenvault_data.client.retries import RetryPolicy
from tokenvault_data.client.transport import TransportSettings
from tokenvault_data.config.credentials import PartnerCredentials
from tokenvault_data.config.loading import Profile, emulator_profile
from tokenvault_data.config.network import Network
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import Secret, customer_hash

CUSTOMER, INSTRUMENT = "cust_private_4711", "inst-private-0815"
CARD = {"instrument_id": INSTRUMENT, "customer_id": CUSTOMER}
CRYPTOGRAM = CARD | {
    "cryptogram": "AgAAAAAABk4DWZ4C28yUQAAAAAA=",
    "card_number": "4895370012003478",
}
PATIENT = RetryPolicy(attempts=3, first_wait_seconds=0.01, longest_wait_seconds=0.02)
WIRE = TransportSettings(body_bytes=50_000)
# For servers that fall silent; a loaded machine may miss these deadlines with any other.
QUICK = TransportSettings(silence_seconds=0.3, total_seconds=0.6, body_bytes=50_000)

CALLS = {
    "list": (AsyncVault.list_instruments, CUSTOMER),
    "fetch": (AsyncVault.fetch_instrument, CUSTOMER, INSTRUMENT),
    "delete": (AsyncVault.delete_instrument, CUSTOMER, INSTRUMENT),
    "cryptogram": (AsyncVault.fetch_cryptogram, CUSTOMER, INSTRUMENT),
}
BROKEN = {
    "reset before": (reset_after(), errors.AnswerLost),
    "closed before": (raw(), errors.AnswerLost),
    "reset inside": (reset_after(OK_HEAD + b"content-length: 9\r\n\r\n{"), errors.AnswerLost),
    "half": (raw(OK_HEAD + b"content-length: 9\r\n\r\n{"), errors.AnswerLost),
    "hang": (hang_after(), errors.AnswerLost),
    "drip": (drip(OK_HEAD + b"content-length: 99\r\n\r\n", b" ", 0.1), errors.AnswerLost),
    "not HTTP": (raw(b"hello\r\n\r\n"), errors.AnswerLost),
    "500": (answer(b"", 500), errors.VaultUnavailable),
    "502": (answer({"code": "bank_processing_failure"}, 502), errors.VaultUnavailable),
    "HTML": (answer(b"<html>"), errors.UnusableAnswer),
    "empty": (answer(b""), errors.UnusableAnswer),
    "cut": (answer(b'{"instrument_id'), errors.UnusableAnswer),
    "gzip": (answer(b"\x1f\x8b", headers=("content-encoding: gzip",)), errors.UnusableAnswer),
}
FINAL = {
    "400": (answer({"code": "instrument_id_invalid"}, 400), errors.RequestRejected),
    "401": (answer(b"", 401), errors.AccessDenied),
    "403": (answer(b"", 403), errors.AccessDenied),
    "404": (answer({"code": "instrument_not_found"}, 404), errors.NotFound),
    "409": (answer({"code": "instrument_already_deleted"}, 409), errors.RequestRejected),
    "422": (answer(b"", 422), errors.RequestRejected),
    "202": (answer(b"", 202), errors.UnusableAnswer),
    "206": (answer(b"[", 206), errors.UnusableAnswer),
    "302": (answer(b"", 302, ("location: /elsewhere",)), errors.UnusableAnswer),
    "huge": (answer(b" " * 60_000), errors.UnusableAnswer),
}


def wire_for(broken):
    """Settings that let a server that falls silent be met soon."""
    return QUICK if broken in {"hang", "drip"} else WIRE


def use(server, scenario, **settings):
    """Run `scenario(vault)` with a client of the server, and give its result."""
    # These servers tell no limit, and the search for one would take its time.
    settings = {"retries": PATIENT, "wire": WIRE, "rate_per_minute": 60_000.0, **settings}
    profile = server if isinstance(server, Profile) else profile_of(server)

    async def main():
        async with AsyncVault(profile, **settings) as vault:
            return await scenario(vault)

    return asyncio.run(main())


def failure(server, operation, **settings):
    """The error that one call ends in."""
    function, *ids = CALLS[operation]

    async def scenario(vault):
        with pytest.raises(errors.VaultError) as raised:
            await function(vault, *ids)
        return raised.value

    return use(server, scenario, **settings)


@pytest.fixture(scope="module")
def emulator():
    with Emulator(EmulatorSettings(customers=200)) as running:
        yield running


def a_card(emulator):
    """The ids of some active card that is listed once."""
    population = emulator.population
    for customer_id in population.customer_ids():
        cards = population.saved_cards(population.index_of(customer_id))
        ids = [card.instrument_id for card in cards]
        if ids and len(set(ids)) == len(ids) and not cards[0].flaw and not cards[0].kept_in:
            return customer_id, ids
    raise AssertionError("no such card")


def test_the_four_operations_on_an_emulated_vault():
    """List, fetch, cryptogram, delete, and then it is gone."""

    async def scenario(vault):
        listed = await vault.list_instruments(customer_id)
        assert [card["instrument_id"] for card in listed] == ids
        assert (await vault.fetch_instrument(customer_id, ids[0]))["instrument_id"] == ids[0]
        assert (await vault.fetch_cryptogram(customer_id, ids[0])).reveal()["cryptogram"]
        await vault.delete_instrument(customer_id, ids[0])
        with pytest.raises(errors.NotFound) as raised:
            await vault.fetch_instrument(customer_id, ids[0])
        assert (raised.value.status, raised.value.attempts) == (404, 1)
        cards = await vault.fetch_cards(customer_id)
        assert (cards.instruments, cards.requests) == (len(ids) - 1, 1)
        assert [card["instrument_id"] for card in json.loads(cards.bodies[0])] == ids[1:]

    with Emulator(EmulatorSettings(customers=200)) as own:
        customer_id, ids = a_card(own)
        use(emulator_profile(own.base_url), scenario)


@pytest.mark.parametrize("paging", ["cursor", "link"])
def test_pages_lose_and_double_nothing(emulator, paging):
    """Both paged shapes give what the documented bare array gives."""

    async def scenario(vault):
        return [await vault.list_instruments(f"cust_{number:07d}") for number in range(60)]

    whole = use(emulator_profile(emulator.base_url), scenario)
    with Emulator(EmulatorSettings(customers=200, page_size=1, paging=paging)) as paged:
        pages = use(emulator_profile(paged.base_url), scenario)
        assert len(paged.wire_log.entries()) > 60
    assert pages == whole
    assert max(map(len, whole)) > 2


def test_a_list_that_is_begun_is_read_before_new_ones():
    """At a slow rate, the pages of one customer follow each other; what waits has not begun."""

    async def scenario(vault):
        ids = (f"cust_{number:07d}" for number in range(40))
        await asyncio.gather(*map(vault.list_instruments, ids))

    settings = EmulatorSettings(customers=200, page_size=1, latency_ms=5)
    with Emulator(settings) as paged:
        use(emulator_profile(paged.base_url), scenario, rate_per_minute=3000)
        asked = [entry.customer_id for entry in paged.wire_log.entries()]
    spans = {}
    for place, customer_id in enumerate(asked):
        spans.setdefault(customer_id, []).append(place)
    paged_customers = [places for places in spans.values() if len(places) > 1]
    assert len(paged_customers) > 5
    # Out of turn, the pages of a customer would lie forty requests apart.
    assert max(places[1] - places[0] for places in paged_customers) < 20


@pytest.mark.parametrize("fault", ["repeating-cursor", "endless-chain"])
@pytest.mark.parametrize("paging", ["cursor", "link"])
def test_chains_without_an_end_are_given_up(fault, paging):
    """A repeating or endless chain is an error soon, not a loop."""

    async def scenario(vault):
        with pytest.raises(errors.PagingFault) as raised:
            await vault.list_instruments(customer_id)
        return raised.value

    settings = EmulatorSettings(customers=200, page_size=1, paging=paging, faults=fault)
    with Emulator(settings) as server:
        customer_id, _ = a_card(server)
        began = time.monotonic()
        error = use(emulator_profile(server.base_url), scenario, max_pages=20)
        assert time.monotonic() - began < 5
        assert error.attempts == len(server.wire_log.entries()) <= 20


def test_foreign_links_are_not_followed():
    """The other host sees neither a request nor a header nor a connection."""
    with RawServer() as other:
        link = f'link: <{other.url}/pg/next>; rel="next"'
        with RawServer(answer([CARD], headers=(link,))) as server:
            error = failure(server, "list")
            time.sleep(0.05)
        assert type(error) is errors.PagingFault
        assert (len(server.seen), other.connections) == (1, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("operation", CALLS)
def test_redirects_are_not_followed(operation, status):
    """No operation follows a redirect, and no header reaches the other host."""
    with (
        RawServer() as other,
        RawServer(answer(b"", status, (f"location: {other.url}/pg",))) as server,
    ):
        error = failure(server, operation)
        time.sleep(0.05)
        assert type(error) is errors.UnusableAnswer
        assert (len(server.seen), other.connections) == (1, 0)


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("operation", CALLS)
def test_reads_are_tried_again_and_deletes_and_cryptograms_never(operation, broken):
    """Reads are sent as often as the policy says; what may not be repeated leaves once."""
    behaviour, error = BROKEN[broken]
    sent = PATIENT.attempts if operation in {"list", "fetch"} else 1
    with RawServer(behaviour) as server:
        raised = failure(server, operation, wire=wire_for(broken))
        time.sleep(0.02)
        assert type(raised) is error
        assert len(server.seen) == raised.attempts == sent
        assert len({seen.headers["x-request-id"] for seen in server.seen}) == sent


@pytest.mark.parametrize("broken", ["reset before", "closed before", "reset inside", "hang", "500"])
def test_a_delete_on_a_reused_connection_leaves_once(broken):
    """A connection that breaks under a delete after earlier calls does not send it again."""

    async def scenario(vault):
        await vault.list_instruments(CUSTOMER)
        with pytest.raises(errors.VaultError) as raised:
            await vault.delete_instrument(CUSTOMER, INSTRUMENT)
        assert await vault.list_instruments(CUSTOMER) == []
        return raised.value

    behaviour, error = BROKEN[broken]
    with RawServer(answer(), behaviour, answer()) as server:
        assert type(use(server, scenario, wire=wire_for(broken))) is error
        assert server.count("DELETE") == 1
        assert server.seen[0].connection == server.seen[1].connection


def test_deletes_on_connections_closed_while_idle_leave_once():
    """A server that hangs up after every answer meets every delete once, in one form or another."""
    rounds = 60

    async def scenario(vault):
        lost = 0
        for number in range(rounds):
            try:
                await vault.delete_instrument(CUSTOMER, f"{INSTRUMENT}-{number}")
            except errors.AnswerLost:
                lost += 1
            await asyncio.sleep(0.0005 * (number % 5))
        return lost

    with RawServer(answer({}, keep=False)) as server:
        lost = use(server, scenario)
        time.sleep(0.05)
    targets = [seen.target for seen in server.seen]
    assert len(set(targets)) == len(targets) >= rounds - lost


@pytest.mark.parametrize(("behaviour", "error"), FINAL.values(), ids=FINAL)
@pytest.mark.parametrize("operation", CALLS)
def test_final_answers_are_not_argued_with(operation, behaviour, error):
    """What would be refused again is not sent again."""
    with RawServer(behaviour) as server:
        raised = failure(server, operation)
        assert type(raised) is error
        assert len(server.seen) == raised.attempts == 1


@pytest.mark.parametrize("operation", CALLS)
def test_a_refusal_for_the_rate_is_sent_again(operation):
    """After a 429 every operation goes on; each attempt of a delete has a key of its own."""
    content = [] if operation == "list" else CRYPTOGRAM
    with RawServer(answer(b"", 429), answer(content)) as server:
        function, *ids = CALLS[operation]
        use(server, lambda vault: function(vault, *ids))
        assert len(server.seen) == 2
        keys = [seen.headers.get("x-idempotency-key") for seen in server.seen]
        assert len(set(keys) - {None}) == (2 if operation == "delete" else 0)


def test_refusals_without_end_end_in_an_error():
    """An account that never has room ends the call when its deadline has passed."""
    with RawServer(answer(b"", 429)) as server:
        policy = RetryPolicy(deadline_seconds=2.0)
        error = failure(server, "delete", retries=policy)
        assert type(error) is errors.RateLimited
        assert not error.others_answered
        assert len(server.seen) == error.attempts
        assert 2 <= error.attempts <= 6  # each after twice the wait of the one before


def test_a_wait_beyond_the_deadline_is_not_waited_out():
    """An account that asks for ten minutes ends a call of five at once."""
    with RawServer(answer(b"", 429, ("retry-after: 600",))) as server:
        assert "a wait of 10 minutes" in str(failure(server, "list"))
        assert len(server.seen) == 1


@pytest.mark.parametrize("operation", CALLS)
def test_what_cannot_connect_is_tried_again_and_was_not_sent(operation):
    """Without a connection all operations are tried again, and the error says nothing left."""
    profile = emulator_profile("http://127.0.0.1:1/pg")
    error = failure(profile, operation)
    assert type(error) is errors.NotSent
    assert error.attempts == 0
    assert "tried 3 times" in str(error)


def test_a_call_recovers_when_the_vault_does():
    """Trouble that passes costs the caller nothing but time."""
    behaviours = [BROKEN[name][0] for name in ("reset before", "HTML")]
    with RawServer(*behaviours, answer([CARD])) as server:
        cards = use(server, lambda vault: vault.fetch_cards(CUSTOMER))
    assert (cards.instruments, cards.requests) == (1, 3)


def test_trouble_on_a_later_page_does_not_start_anew():
    """Only the page that failed is asked for again, and no card is doubled."""
    pages = [
        answer({"data": [1], "cursor": "a"}),
        answer(b"", 503),
        answer({"data": [2], "cursor": "b"}),
        reset_after(),
        answer({"data": [3], "cursor": None}),
    ]
    with RawServer(*pages) as server:
        cards = use(server, lambda vault: vault.fetch_cards(CUSTOMER))
    assert (cards.instruments, cards.requests) == (3, 5)
    assert [seen.target.rpartition("&")[2] for seen in server.seen[1:]] == [
        "cursor=a",
        "cursor=a",
        "cursor=b",
        "cursor=b",
    ]


def test_errors_on_a_later_page_count_all_requests():
    """`attempts` covers the pages before, too."""
    with RawServer(answer({"data": [], "cursor": "a"}), answer(b"", 503)) as server:
        assert failure(server, "list").attempts == len(server.seen) == 4


def test_ids_reach_the_server_encoded_whole():
    """The raw path on the wire holds the ids as single segments."""

    async def scenario(vault):
        with pytest.raises(errors.UnusableAnswer):
            await vault.delete_instrument(" a+b@x.example ", "i&=:*'1")

    with RawServer(answer([])) as server:
        use(server, scenario)
    expected = "/pg/customers/a%2Bb%40x.example/instruments/i%26%3D%3A%2A%271"
    assert server.seen[0].target == expected


@pytest.mark.parametrize("bad", ["..", "a/b", "", "a\r\nx: y", "a%2fb", "123.0", None, 4711])
def test_bad_ids_make_no_request(bad):
    """A bad id in any place of any operation leaves nothing on the wire."""

    async def scenario(vault):
        with pytest.raises(errors.IdentifierError):
            await vault.list_instruments(bad)
        for call in (vault.fetch_instrument, vault.delete_instrument, vault.fetch_cryptogram):
            for ids in ((bad, INSTRUMENT), (CUSTOMER, bad)):
                with pytest.raises(errors.IdentifierError):
                    await call(*ids)

    with RawServer() as server:
        use(server, scenario)
        assert server.connections == 0


def test_headers_are_the_documented_ones():
    """Credentials, version, tracing and a key for deletes only; nothing compressed is asked for."""

    async def scenario(vault):
        await vault.list_instruments(CUSTOMER)
        await vault.delete_instrument(CUSTOMER, INSTRUMENT)

    with RawServer(answer(), answer({})) as server:
        use(profile_of(server, api_version="2022-09-01"), scenario)
    listing, deletion = (seen.headers for seen in server.seen)
    assert listing["x-client-id"] == CLIENT_ID
    assert listing["x-client-secret"] == CLIENT_SECRET
    assert listing["x-api-version"] == "2022-09-01"
    assert listing["accept-encoding"] == "identity"
    assert "x-idempotency-key" not in listing
    assert len(deletion["x-idempotency-key"]) == 36
    assert listing["x-request-id"] != deletion["x-request-id"]


def test_an_error_names_the_request_that_support_asks_for():
    """An error carries the request id of the last request, as the server saw it."""
    with RawServer(answer(b"", 403)) as server:
        error = failure(server, "fetch")
    seen = server.seen[-1].headers["x-request-id"]
    assert error.request_id == seen
    assert str(error).endswith(f"[request id {seen}]")


def test_a_partner_signs_with_its_own_headers():
    """Partner credentials and the client signature travel, and no merchant headers do."""
    partner = PartnerCredentials(Secret("partner-key"), Secret("m-77"), Secret("c2lnbmVk"))
    with RawServer() as server:
        profile = Profile("p", "emulator", f"{server.url}/pg", partner)
        use(profile, lambda vault: vault.list_instruments(CUSTOMER))
    headers = server.seen[0].headers
    assert headers["x-partner-apikey"] == "partner-key"
    assert headers["x-partner-merchantid"] == "m-77"
    assert headers["x-client-signature"] == "c2lnbmVk"
    assert not {"x-client-id", "x-client-secret"} & headers.keys()


@pytest.mark.parametrize("operation", CALLS)
def test_a_stranger_with_a_certificate_gets_nothing(operation, tmp_path):
    """An unproven server is refused without a byte, and believed once its authority is known."""
    import ssl

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with RawServer(answer([CRYPTOGRAM]), tls=context) as server:
        error = failure(server, operation)
        assert type(error) is errors.CertificateRejected
        assert (server.received_bytes, error.attempts) == (0, 0)
        function, *ids = CALLS[operation]
        network = Network(ca_file=tmp_path / "ca.pem")
        profile = dataclasses.replace(profile_of(server), network=network)
        use(profile, lambda vault: function(vault, *ids))
        assert len(server.seen) == 1


def test_cryptograms_are_given_out_one_at_a_time():
    """However many are asked for at once, one request is under way."""
    under_way, most = 0, 0

    async def handler(_):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return httpx.Response(200, json=CRYPTOGRAM)

    async def scenario(vault):
        calls = [vault.fetch_cryptogram(CUSTOMER, INSTRUMENT) for _ in range(8)]
        return await asyncio.gather(*calls)

    profile = emulator_profile()
    given = use(profile, scenario, transport=httpx.MockTransport(handler), wire=None)
    assert (most, len(set(map(id, given)))) == (1, 8)


def test_any_httpx_transport_can_take_the_engines_place():
    """A mock serves all of the client, its errors included; an engine given is used as it is."""
    answers = [httpx.ConnectError("no"), httpx.Response(503), httpx.Response(200, json=[CARD])]

    def handler(request):
        assert request.headers["x-client-secret"]
        following = answers.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    profile = emulator_profile()
    listed = use(
        profile,
        lambda vault: vault.list_instruments(CUSTOMER),
        transport=httpx.MockTransport(handler),
    )
    assert listed == [CARD]
    with RawServer() as server:
        use(server, lambda vault: vault.list_instruments(CUSTOMER), transport=PyreqwestTransport())
        assert len(server.seen) == 1


def test_hold_abandons_what_waits_and_lets_what_flies_land():
    """Waiting calls end at once, the one in flight is answered, and release lets calls go again."""

    async def scenario(vault):
        flying = asyncio.ensure_future(vault.list_instruments(CUSTOMER))
        await server.first_request()
        waiting = [asyncio.ensure_future(vault.list_instruments(CUSTOMER)) for _ in range(20)]
        await asyncio.sleep(0.02)
        began = time.monotonic()
        vault.hold()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert time.monotonic() - began < 1
        assert {type(end) for end in ended} == {errors.CallAbandoned}
        assert {end.attempts for end in ended} == {0}
        assert await flying == [CARD]
        assert len(server.seen) == 1
        with pytest.raises(errors.CallAbandoned):
            await vault.delete_instrument(CUSTOMER, INSTRUMENT)
        vault.release()
        assert await vault.list_instruments(CUSTOMER) == []

    def slowly(wire):
        wire.stopping.wait(1.5)
        return answer([CARD])(wire)

    with RawServer(slowly, answer()) as server:
        # A slow ceiling: the first call takes the only slot.
        use(server, scenario, rate_per_minute=120)


def test_hold_ends_the_wait_between_attempts():
    """A call between two attempts is abandoned, and says that it had sent one."""

    async def scenario(vault):
        call = asyncio.ensure_future(vault.list_instruments(CUSTOMER))
        await server.first_request()
        await asyncio.sleep(0.05)
        vault.hold()
        with pytest.raises(errors.CallAbandoned) as raised:
            await asyncio.wait_for(call, 1)
        return raised.value

    with RawServer(answer(b"", 503)) as server:
        error = use(
            server, scenario, retries=RetryPolicy(first_wait_seconds=60, longest_wait_seconds=60)
        )
        assert len(server.seen) == error.attempts == 1


@pytest.mark.parametrize("moment", ["at once", "in the air", "in the body", "waiting"])
def test_a_cancelled_call_leaves_the_client_usable(moment):
    """A task cancelled anywhere in a call neither breaks nor blocks the next one."""
    behaviour = {
        "in the body": hang_after(OK_HEAD + b"content-length: 9\r\n\r\n["),
        "waiting": answer(b"", 503),
    }.get(moment, hang_after())

    async def scenario(vault):
        for operation in ("delete", "cryptogram", "list"):
            function, *ids = CALLS[operation]
            task = asyncio.ensure_future(function(vault, *ids))
            await asyncio.sleep(0 if moment == "at once" else 0.05)
            if task.cancel():
                await asyncio.wait([task])
                assert task.cancelled()
        began = time.monotonic()
        assert (await vault.fetch_cryptogram(CUSTOMER, INSTRUMENT)).reveal()["cryptogram"]
        return time.monotonic() - began

    met = [] if moment == "at once" else [behaviour] * 3
    with RawServer(*met, answer(CRYPTOGRAM)) as server:
        retries = RetryPolicy(first_wait_seconds=60, longest_wait_seconds=60)
        took = use(server, scenario, retries=retries)
        assert took < 1
        assert server.count("DELETE") <= 1


def test_a_closed_client_says_so():
    """After closing, calls are a usage error without a request, and closing again does no harm."""

    async def scenario(vault):
        await vault.aclose()
        await vault.aclose()
        vault.release()
        for function, *ids in CALLS.values():
            with pytest.raises(errors.UsageError, match="closed"):
                await function(vault, *ids)

    with RawServer() as server:
        use(server, scenario)
        assert server.connections == 0


@pytest.mark.parametrize(
    "setting",
    [{"share": 0}, {"share": 1.1}, {"rate_per_minute": 0}, {"rate_per_minute": float("nan")}],
)
def test_settings_out_of_range_are_refused_at_once(setting):
    """A wrong setting is an error where it is given."""
    with pytest.raises(errors.UsageError):
        AsyncVault(emulator_profile(), **setting)


def secrets_below(thing):
    """Walk everything reachable from an object or error; the texts found, with the way there."""
    found, seen, heap = [], set(), [(thing, "it")]
    while heap:
        here, way = heap.pop()
        if id(here) in seen or isinstance(here, types.FunctionType | types.ModuleType | type):
            continue
        seen.add(id(here))
        if isinstance(here, str | bytes | bytearray):
            text = here if isinstance(here, str) else bytes(here).decode("latin-1")
            found += [f"{way}: {hidden}" for hidden in HIDDEN if hidden in text]
        elif isinstance(here, dict):
            heap += [(value, f"{way}[{key!r}]") for key, value in here.items()]
        elif isinstance(here, list | tuple | set | frozenset):
            heap += [(value, f"{way}[]") for value in here]
        elif isinstance(here, types.TracebackType):
            if here.tb_frame.f_code.co_filename != __file__:
                heap.append((dict(here.tb_frame.f_locals), f"{way} {here.tb_frame.f_code.co_name}"))
            heap.append((here.tb_next, way))
        else:
            names = [name for kind in type(here).__mro__ for name in getattr(kind, "__slots__", ())]
            heap += [(getattr(here, name, None), f"{way}.{name}") for name in names]
            heap += [
                (value, f"{way}.{name}") for name, value in getattr(here, "__dict__", {}).items()
            ]
            if isinstance(here, BaseException):
                parts = (here.__traceback__, here.__cause__, here.__context__, here.args)
                heap += [(part, f"{way} of {type(here).__name__}") for part in parts]
    return found


HIDDEN = (CLIENT_SECRET, CLIENT_ID, CRYPTOGRAM["cryptogram"], CRYPTOGRAM["card_number"])


def test_the_walk_finds_what_is_there():
    """The walker that the next tests rely on does find a secret in a frame of another file."""
    with pytest.raises(ValueError, match="Expecting value") as raised:
        json.loads(CLIENT_SECRET)
    assert secrets_below(raised.value)
    assert secrets_below({"a": [httpx.Request("GET", "http://x", headers={"a": CLIENT_SECRET})]})


TROUBLE = (
    BROKEN
    | FINAL
    | {
        "echo": (answer({"message": f"{CLIENT_SECRET} {CUSTOMER}", "code": CLIENT_ID}, 400), None),
        "wrong card": (answer(CRYPTOGRAM | {"instrument_id": "other"}), None),
        "half a cryptogram": (
            raw(OK_HEAD + b"content-length: 999\r\n\r\n" + json.dumps(CRYPTOGRAM).encode()),
            None,
        ),
    }
)


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("operation", CALLS)
def test_errors_show_no_secret_no_url_and_no_id(operation, trouble):
    """Not in words, not in a traceback with local variables, not anywhere below the error."""
    with RawServer(TROUBLE[trouble][0]) as server:
        if operation == "list" and trouble == "wrong card":
            server._behaviours[:] = [answer({"message": CRYPTOGRAM})]
        error = failure(server, operation, wire=wire_for(trouble))
    if trouble != "echo":  # what the server said stays in a frame, masked by its repr
        assert secrets_below(error) == []
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    lines = [line for line in shown.format() if __file__ not in line]
    assert not any(hidden in line for line in lines for hidden in HIDDEN)
    words = f"{error} {error!r} {error.args} {error.code} {getattr(error, '__notes__', '')}"
    for private in (CUSTOMER, INSTRUMENT, "http://", "127.0.0.1", "/customers", str(server.port)):
        assert private not in words


@pytest.mark.parametrize("why_not", [None, "No module named 'pyreqwest'"], ids=["usual", "httpx"])
def test_a_cancelled_calls_traceback_shows_no_secret(why_not, monkeypatch):
    """Nor does the traceback of a call that was cancelled in the air, whatever carried it."""
    monkeypatch.setattr(engines, "why_not_pyreqwest", lambda: why_not)

    async def scenario(vault):
        task = asyncio.ensure_future(vault.fetch_cryptogram(CUSTOMER, INSTRUMENT))
        await server.first_request()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as error:
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            return secrets_below(error), "".join(shown.format())
        raise AssertionError("not cancelled")

    with RawServer(hang_after()) as server:
        found, shown = use(server, scenario)
    assert found == []
    assert "exchange" in shown
    assert not any(hidden in shown for hidden in HIDDEN)


def test_the_client_itself_shows_no_secret():
    """Neither repr nor any attribute of a client, however deep, is a secret."""

    async def scenario(vault):
        await vault.fetch_cryptogram(CUSTOMER, INSTRUMENT)
        assert "sesame" not in repr(vault)
        return secrets_below(vault)

    with RawServer(answer(CRYPTOGRAM)) as server:
        assert use(server, scenario) == []


@pytest.fixture
def everything_logged(monkeypatch, tmp_path, caplog):
    """All loggers there are, at DEBUG, into one text."""
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path))
    redaction._kept_key.cache_clear()
    for name in [*logging.root.manager.loggerDict, "pyreqwest", "reqwest", "hyper_util", "rustls"]:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
        logging.getLogger(name).manager._clear_cache()
    with caplog.at_level(logging.DEBUG):
        yield caplog
    redaction._kept_key.cache_clear()


def test_logs_hold_hashes_and_nothing_private(everything_logged):
    """At DEBUG of every logger, the engine's too: what happened to which hash, and no more."""
    for trouble in ("500", "reset before", "400", "echo"):
        for operation in CALLS:
            with RawServer(TROUBLE[trouble][0]) as server:
                failure(server, operation)
    with RawServer(answer(CRYPTOGRAM)) as server:
        use(server, lambda vault: vault.fetch_cryptogram(CUSTOMER, INSTRUMENT))
    failure(emulator_profile("http://127.0.0.1:1/pg"), "list")
    engine_logging.flush_logs()
    text = "\n".join(
        f"{record.getMessage()} {record.__dict__}" for record in everything_logged.records
    )
    assert f"delete of {customer_hash(CUSTOMER)}: 500; tried 1 time" in text
    for private in (*HIDDEN, CUSTOMER, INSTRUMENT):
        assert private not in text


def test_nothing_is_left_behind():
    """Neither sockets nor tasks nor warnings outlive a client."""
    import socket
    import warnings

    async def scenario():
        async with AsyncVault(
            profile_of(server), wire=WIRE, retries=PATIENT, rate_per_minute=60_000.0
        ) as vault:
            await asyncio.gather(*(vault.list_instruments(f"c{number}") for number in range(20)))
        return asyncio.all_tasks() - {asyncio.current_task()}

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with RawServer() as server:
            assert asyncio.run(scenario()) == set()
            deadline = time.monotonic() + 5
            while any(isinstance(s, socket.socket) and s.fileno() >= 0 for s in server._open):
                assert time.monotonic() < deadline, "connections stayed open"
                time.sleep(0.01)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_a_process_may_end_right_after_an_answer(emulator):
    """Many processes at once, each ending as soon as it has its answer: none is aborted."""
    program = (
        "import asyncio, sys\n"
        "from tokenvault_data.config.loading import emulator_profile\n"
        "from tokenvault_data.client.client import AsyncVault\n"
        "async def main():\n"
        "    async with AsyncVault(emulator_profile(sys.argv[1])) as vault:\n"
        "        await vault.list_instruments('cust_0000001')\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, emulator.base_url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert ends == [(b"", 0)] * 4


@pytest.mark.parametrize(
    "settings",
    [
        {"share": "0.5"},
        {"share": [0.5]},
        {"share": True},
        {"rate_per_minute": "100"},
        {"rate_per_minute": 10**400},
        {"rate_per_minute": Decimal(100)},
        {"share_at_most": "half"},
    ],
)
def test_a_setting_that_is_no_number_is_one_sentence(settings):
    """Whatever is given in place of a number."""
    with pytest.raises(UsageError, match="Give a number"):
        connect("emulator", **settings)
