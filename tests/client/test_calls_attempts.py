"""One send, whatever comes of it, over real HTTP."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme
from raw_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    OK_HEAD,
    RawServer,
    answer,
    hang_after,
    profile_of,
    raw,
    reset_after,
)

from tokenvault_data.client.calls import delete_call, fetch_call
from tokenvault_data.client.client import AsyncVault
from tokenvault_data.client.transport import TransportSettings
from tokenvault_data.errors import CallAbandoned, UsageError

CUSTOMER, INSTRUMENT = "cust_private_4711", "inst-private-0815"
WIRE = TransportSettings(body_bytes=50_000)
# For servers that fall silent; a loaded machine may miss these deadlines with any other.
QUICK = TransportSettings(silence_seconds=0.3, total_seconds=0.6, body_bytes=50_000)
DELETE, FETCH = delete_call(CUSTOMER, INSTRUMENT), fetch_call(CUSTOMER, INSTRUMENT)
ERROR = {"code": "some_code", "message": f"no {INSTRUMENT} of {CUSTOMER} for {CLIENT_SECRET}"}


def attempt(server, call=DELETE, *, profile=None, wire=WIRE, **options):
    async def once():
        async with AsyncVault(profile or profile_of(server), wire=wire) as vault:
            return await vault.attempt(call, **options)

    return asyncio.run(once())


@pytest.mark.parametrize("status", [200, 202, 204, 302, 400, 401, 404, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("call", [DELETE, FETCH], ids=["delete", "fetch"])
def test_every_answer_is_a_value_after_one_send(status, call):
    """No status is tried again or raised, and headers, body and code come along."""
    with RawServer(answer(ERROR, status, ("x-ratelimit-limit: 7",))) as server:
        made = attempt(server, call)
        assert len(server.seen) == 1
        assert (made.kind, made.status) == ("answered", status)
        assert made.headers["x-ratelimit-limit"] == "7"
        assert (b"some_code" in made.body) == (status != 204)
        assert made.request_id == server.seen[0].headers["x-request-id"]
    assert made.code == (None if status in (200, 204) else "some_code")


@pytest.mark.parametrize(
    ("behaviour", "wire"),
    [
        (reset_after(), WIRE),
        (raw(), WIRE),
        (reset_after(OK_HEAD + b"content-length: 9\r\n\r\n{"), WIRE),
        (hang_after(), QUICK),
        (raw(OK_HEAD, b"content-length: 99999\r\n\r\n", b"x" * 99_999), WIRE),
    ],
    ids=["reset", "closed", "cut", "silent", "oversized"],
)
def test_a_lost_answer_is_a_value_after_one_send(behaviour, wire):
    """What may have been carried out is told as such, and not sent again."""
    with RawServer(behaviour) as server:
        made = attempt(server, wire=wire)
        assert len(server.seen) == 1
    assert (made.kind, made.status, made.body) == ("lost", None, b"")
    assert made.message


def test_no_connection_is_not_sent():
    """A port where nobody listens has seen nothing."""
    with RawServer() as server:
        profile = profile_of(server)
    made = attempt(server, profile=profile)
    assert (made.kind, made.status) == ("not_sent", None)


def test_a_foreign_certificate_is_not_sent():
    """To one who cannot prove who it is nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with RawServer(tls=context) as server:
        made = attempt(server)
        assert not server.seen
    assert made.kind == "certificate"


def test_the_idempotency_key_is_the_callers():
    """The key that was journaled is the one that is sent; a fetch has none by itself."""
    with RawServer() as server:
        attempt(server, idempotency_key="key-1")
        attempt(server)
        attempt(server, FETCH)
        keys = [seen.headers.get("x-idempotency-key") for seen in server.seen]
    assert keys[0] == "key-1"
    assert keys[1] not in (None, "key-1")
    assert keys[2] is None


def test_before_send_can_withhold():
    """What it raises is raised, nothing leaves, and the next call finds the pacer sound."""

    class RefusalError(Exception):
        pass

    def refuse():
        raise RefusalError

    async def twice(server):
        async with AsyncVault(profile_of(server)) as vault:
            with pytest.raises(RefusalError):
                await vault.attempt(DELETE, before_send=refuse)
            assert not server.seen
            return await asyncio.wait_for(vault.attempt(DELETE), 10)

    with RawServer() as server:
        assert asyncio.run(twice(server)).status == 200


def test_hold_ends_the_wait_for_a_slot():
    """A call in line when the client is told to stop was not sent, and says so."""

    async def held(server):
        async with AsyncVault(profile_of(server), rate_per_minute=2.0) as vault:
            await vault.attempt(FETCH)
            waiting = asyncio.create_task(vault.attempt(DELETE))
            await asyncio.sleep(0.05)
            vault.hold()
            with pytest.raises(CallAbandoned):
                await waiting
            assert server.count("DELETE") == 0
            vault.release()

    with RawServer() as server:
        asyncio.run(held(server))


def test_a_closed_client_sends_nothing():
    """After closing, an attempt is a mistake of the caller."""

    async def closed(server):
        vault = AsyncVault(profile_of(server))
        await vault.aclose()
        with pytest.raises(UsageError):
            await vault.attempt(FETCH)

    with RawServer() as server:
        asyncio.run(closed(server))
        assert not server.seen


def test_nothing_secret_is_shown():
    """Neither message nor repr holds an id, a credential or the body."""
    with RawServer(answer(ERROR, 400)) as server:
        made = attempt(server)
    for text in (made.message, repr(made)):
        for secret in (CUSTOMER, INSTRUMENT, CLIENT_ID, CLIENT_SECRET):
            assert secret not in text
    assert "some_code" not in repr(made)
