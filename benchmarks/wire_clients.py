"""The clients that `wire` compares. Each is one function: connect, send until the time is up.

All run on uvloop, as ours does, read the body of every answer, and send the same headers. Only
ours makes sure that the body is JSON; only the SDK makes objects of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import uvloop

from benchmarks.children import Stopwatch
from benchmarks.without_package import make_absent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HEADERS = {
    "accept": "application/json",
    "x-client-id": "bench",
    "x-client-secret": "bench-made-up",
    "x-api-version": "2025-01-01",
}
_REQUESTS_TO_WARM_UP = 2


def path(number: int) -> str:
    return f"/pg/customers/cust_{number:07d}/instruments?instrument_type=card"


async def plain_httpx(url: str, connections: int, seconds: float) -> dict[str, float]:
    import httpx

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(
        base_url=url, headers=HEADERS, limits=limits, timeout=60
    ) as client:

        async def one(number: int) -> None:
            response = await client.get(path(number))
            assert len(response.content) > 1000

        return await drive(one, connections, seconds)


async def httpx_on_our_wire(url: str, connections: int, seconds: float) -> dict[str, float]:
    import httpx

    from tokenvault_data.client.pyreqwest_engine import PyreqwestTransport

    transport = PyreqwestTransport()
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, transport=transport) as client:

        async def one(number: int) -> None:
            response = await client.get(path(number))
            assert len(response.content) > 1000

        return await drive(one, connections, seconds)


async def aiohttp_by_hand(url: str, connections: int, seconds: float) -> dict[str, float]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, headers=HEADERS) as session:

        async def one(number: int) -> None:
            async with session.get(path(number)) as response:
                assert len(await response.read()) > 1000

        return await drive(one, connections, seconds)


async def our_exchange(url: str, connections: int, seconds: float) -> dict[str, float]:
    from tokenvault_data.client.pyreqwest_engine import PyreqwestTransport

    transport = PyreqwestTransport()

    async def one(number: int) -> None:
        answer = await transport.exchange("GET", url + path(number), HEADERS)
        assert len(answer.body) > 1000

    try:
        return await drive(one, connections, seconds)
    finally:
        await transport.aclose()


async def our_fetch_cards(url: str, connections: int, seconds: float) -> dict[str, float]:
    from tokenvault_data import AsyncVault
    from tokenvault_data.config.loading import emulator_profile

    async with AsyncVault(emulator_profile(f"{url}/pg"), share=1.0) as vault:

        async def one(number: int) -> None:
            cards = await vault.fetch_cards(f"cust_{number:07d}")
            assert cards.instruments == 2

        return await drive(one, connections, seconds)


async def our_list_instruments(url: str, connections: int, seconds: float) -> dict[str, float]:
    from tokenvault_data import AsyncVault
    from tokenvault_data.config.loading import emulator_profile

    async with AsyncVault(emulator_profile(f"{url}/pg"), share=1.0) as vault:

        async def one(number: int) -> None:
            assert len(await vault.list_instruments(f"cust_{number:07d}")) == 2

        return await drive(one, connections, seconds)


async def official_sdk(url: str, connections: int, seconds: float) -> dict[str, float]:
    return await asyncio.to_thread(_sdk_in_threads, url, connections, seconds)


def _sdk_in_threads(url: str, threads: int, seconds: float) -> dict[str, float]:
    from benchmarks.sdk import loopback_sdk

    sdk = loopback_sdk(f"{url}/pg")
    numbers = count()
    all_warm = threading.Barrier(threads + 1)
    all_go = threading.Barrier(threads + 1)

    def work() -> int:
        def one() -> None:
            customer_id = f"cust_{next(numbers):07d}"
            answer = sdk.PGCustomerFetchInstruments(customer_id=customer_id, instrument_type="card")
            assert len(answer.data) == 2

        for _ in range(_REQUESTS_TO_WARM_UP):
            one()
        all_warm.wait()
        all_go.wait()
        end = time.perf_counter() + seconds
        sent = 0
        while time.perf_counter() < end:
            one()
            sent += 1
        return sent

    with ThreadPoolExecutor(threads) as pool:
        workers = [pool.submit(work) for _ in range(threads)]
        all_warm.wait()
        watch = Stopwatch()
        all_go.wait()
        sent = sum(worker.result() for worker in workers)
        wall, cpu = watch.read()
    return {"requests_per_second": sent / wall, "cpu_us_per_request": cpu / sent * 1e6}


async def drive(
    one: Callable[[int], Awaitable[None]], connections: int, seconds: float
) -> dict[str, float]:
    """Let as many workers as connections send one request after the other."""
    numbers = count()

    async def warm_up() -> None:
        for _ in range(_REQUESTS_TO_WARM_UP):
            await one(next(numbers))

    async def work(end: float) -> int:
        sent = 0
        while time.perf_counter() < end:
            await one(next(numbers))
            sent += 1
        return sent

    await asyncio.gather(*[warm_up() for _ in range(connections)])
    watch = Stopwatch()
    end = time.perf_counter() + seconds
    sent = sum(await asyncio.gather(*[work(end) for _ in range(connections)]))
    wall, cpu = watch.read()
    return {"requests_per_second": sent / wall, "cpu_us_per_request": cpu / sent * 1e6}


CLIENTS = {
    client.__name__: client
    for client in (
        plain_httpx,
        official_sdk,
        aiohttp_by_hand,
        httpx_on_our_wire,
        our_exchange,
        our_fetch_cards,
        our_list_instruments,
    )
}


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("client", choices=CLIENTS)
    options.add_argument("--url", required=True)
    options.add_argument("--connections", type=int, required=True)
    options.add_argument("--seconds", type=float, required=True)
    options.add_argument("--without", metavar="PACKAGE", help="a package not to be found")
    given = options.parse_args()
    if given.without:
        make_absent(given.without)
    measure = CLIENTS[given.client]
    print(json.dumps(uvloop.run(measure(given.url, given.connections, given.seconds))))
