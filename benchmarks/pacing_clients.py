"""The two who spend from one account in `pacing_real`: ours, and one that heeds no limit."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from contextlib import suppress
from itertools import count

import uvloop

from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.errors import CallAbandoned, VaultError

OTHERS_REQUEST_ID = "other"
WORKERS = 48


async def ours(url: str, start_at: float, seconds: float, share: float) -> None:
    """Fetch one customer after the other, as fast as the client lets requests leave."""
    from tokenvault_data import AsyncVault

    numbers = count()
    async with AsyncVault(emulator_profile(url), share=share) as vault:

        async def worker() -> None:
            while True:
                with suppress(VaultError):
                    await vault.fetch_cards(f"cust_{next(numbers):07d}")

        await _sleep_until(start_at)
        workers = [asyncio.create_task(worker()) for _ in range(WORKERS)]
        await _sleep_until(start_at + seconds)
        vault.hold()
        for task in workers:
            task.cancel()
        for ended in await asyncio.gather(*workers, return_exceptions=True):
            if isinstance(ended, asyncio.CancelledError | CallAbandoned):
                continue
            raise RuntimeError("a worker ended before its time") from ended


async def other(url: str, start_at: float, seconds: float, per_minute: float, seed: int) -> None:
    """Send at random moments, and never again what was refused."""
    import httpx

    headers = {"x-api-version": "2025-01-01", "x-request-id": OTHERS_REQUEST_ID}
    for name, secret in emulator_profile(url).credentials.headers().items():
        headers[name] = secret.reveal()
    moments = random.Random(seed)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:

        async def send(number: int) -> None:
            await client.get(f"/customers/cust_{number:07d}/instruments?instrument_type=card")

        await _sleep_until(start_at)
        sent: list[asyncio.Task[None]] = []
        due = start_at + moments.expovariate(per_minute / 60)
        while due < start_at + seconds:
            await _sleep_until(due)
            sent.append(asyncio.create_task(send(len(sent))))
            due += moments.expovariate(per_minute / 60)
        await asyncio.gather(*sent)


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("client", choices=("ours", "other"))
    options.add_argument("--url", required=True)
    options.add_argument("--start-at", type=float, required=True, help="seconds since 1970")
    options.add_argument("--seconds", type=float, required=True)
    options.add_argument("--share", type=float, default=1.0, help="of ours")
    options.add_argument("--per-minute", type=float, default=0.0, help="of the other")
    options.add_argument("--seed", type=int, default=1, help="of the other")
    given = options.parse_args()
    if given.client == "ours":
        uvloop.run(ours(given.url, given.start_at, given.seconds, given.share))
    else:
        per_minute, seed = given.per_minute, given.seed
        uvloop.run(other(given.url, given.start_at, given.seconds, per_minute, seed))
