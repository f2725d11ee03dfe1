"""What only the first engine can: be the transport of somebody else's httpx client."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from raw_server import RawServer, answer, reset_after

from tokenvault_data.client.pyreqwest_engine import PyreqwestTransport


def test_it_serves_an_httpx_client():
    """The engine works as a transport of `httpx.AsyncClient`, headers and errors included."""

    async def scenario():
        async with httpx.AsyncClient(transport=PyreqwestTransport()) as client:
            first = await client.get(f"{server.url}/a", headers={"x-a": "1"}, params={"q": "1"})
            with pytest.raises(httpx.UnsupportedProtocol, match="no bodies"):
                await client.post(f"{server.url}/a", content=b"lost")
            with pytest.raises(httpx.ReadError) as raised:
                await client.get(f"{server.url}/a")
            assert raised.value.request.url.path == "/a"
            return first

    with RawServer(answer(b'{"a": 1}'), reset_after()) as server:
        response = asyncio.run(scenario())
    assert (response.status_code, response.json()) == (200, {"a": 1})
    assert server.seen[0].target == "/a?q=1"
    assert server.seen[0].headers["x-a"] == "1"
    assert server.count("POST") == 0
