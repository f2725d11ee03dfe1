"""The seam: any httpx transport is held to the bounds of ours."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace

import httpx
import pytest

from tokenvault_data.client.transport import (
    Answer,
    OversizedBody,
    TransportAdapter,
    TransportSettings,
)
from tokenvault_data.redaction import Secret

WIRE = TransportSettings(body_bytes=100_000)


def test_the_repr_of_an_answer_hides_body_and_headers():
    """A body may be a cryptogram."""
    assert repr(Answer(200, {"a": "secret"}, b"secret")) == "<Answer 200, 6 bytes>"


def foreign(handler, **settings):
    return TransportAdapter(httpx.MockTransport(handler), replace(WIRE, **settings))


def test_a_foreign_transport_gets_the_request_as_it_is():
    """Method, URL and revealed headers; and its answer comes back whole."""

    def handler(request):
        assert request.headers["x-client-secret"] == "sesame"
        assert request.extensions["timeout"]["read"] == WIRE.silence_seconds
        return httpx.Response(201, json=[str(request.url), request.method], headers={"X-A": "b"})

    wire = foreign(handler)
    got = asyncio.run(
        wire.exchange("DELETE", "http://x/%2B", {"x-client-secret": Secret("sesame")})
    )
    assert (got.status, got.headers["x-a"]) == (201, "b")
    assert got.body == b'["http://x/%2B","DELETE"]'


def test_a_foreign_transport_is_bounded_too():
    """Size and deadline hold, and compressed bodies stay as they are, whoever carries them."""

    async def endless():
        while True:
            yield b" " * 1000

    async def trickle():
        while True:
            await asyncio.sleep(0.05)
            yield b" "

    got = asyncio.run(
        foreign(lambda _: httpx.Response(500, content=endless())).exchange("GET", "http://x", {})
    )
    assert (got.status, got.body) == (500, b"")
    with pytest.raises(OversizedBody):
        asyncio.run(
            foreign(lambda _: httpx.Response(200, content=endless())).exchange(
                "GET", "http://x", {}
            )
        )
    slow = foreign(lambda _: httpx.Response(200, content=trickle()), total_seconds=0.3)
    with pytest.raises(httpx.ReadTimeout, match=r"0\.3 s"):
        asyncio.run(slow.exchange("GET", "http://x", {}))
    bomb = gzip.compress(b"0" * 9_000_000)
    packed = foreign(
        lambda _: httpx.Response(
            200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(bomb)
        )
    )
    assert asyncio.run(packed.exchange("GET", "http://x", {})).body == bomb


def test_a_blocking_stream_is_refused_by_name():
    """A transport made for blocking code says so, instead of failing oddly."""
    wire = foreign(lambda _: httpx.Response(200, content=iter([b"[]"])))
    with pytest.raises(httpx.ReadError, match="blocking code"):
        asyncio.run(wire.exchange("GET", "http://x", {}))
