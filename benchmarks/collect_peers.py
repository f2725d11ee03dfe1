"""Ways to get the cards of many customers into a Parquet file, each as one usually writes it.

Every peer is one function that loads what it needs and returns the work: to fetch `cust_0000000`
and so on from an emulator and write what was found. The clock runs for the work only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.children import Stopwatch, peak_memory_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # Fetches so many customers of an emulator, writes into a folder, returns the number of cards.
    Work = Callable[[str, int, Path], int]

API_VERSION = "2025-01-01"
HEADERS = {
    "accept": "application/json",
    "x-client-id": "bench",
    "x-client-secret": "bench-made-up",
    "x-api-version": API_VERSION,
}
AT_ONCE = 32


def customer_ids(customers: int) -> Iterator[str]:
    return (f"cust_{number:07d}" for number in range(customers))


def path_of(customer_id: str) -> str:
    return f"/customers/{customer_id}/instruments?instrument_type=card"


def plain_httpx() -> Work:
    """httpx as it comes, a semaphore, `json_normalize`."""
    import httpx
    import pandas as pd

    async def fetch_all(url: str, customers: int) -> list[dict[str, Any]]:
        limits = httpx.Limits(max_connections=AT_ONCE)
        one_of_few = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(
            base_url=url, headers=HEADERS, limits=limits, timeout=60
        ) as client:

            async def fetch(customer_id: str) -> list[dict[str, Any]]:
                async with one_of_few:
                    response = await client.get(path_of(customer_id))
                    response.raise_for_status()
                    cards: list[dict[str, Any]] = response.json()
                    return cards

            lists = await asyncio.gather(*map(fetch, customer_ids(customers)))
            return [card for cards in lists for card in cards]

    def work(url: str, customers: int, folder: Path) -> int:
        frame = pd.json_normalize(asyncio.run(fetch_all(url, customers)))
        frame.to_parquet(folder / "cards.parquet")
        return len(frame)

    return work


def official_sdk() -> Work:
    """The official SDK in threads, `json_normalize`."""
    import pandas as pd

    from benchmarks.sdk import loopback_sdk

    def work(url: str, customers: int, folder: Path) -> int:
        sdk = loopback_sdk(url)

        def fetch(customer_id: str) -> list[dict[str, Any]]:
            answer = sdk.PGCustomerFetchInstruments(customer_id=customer_id, instrument_type="card")
            return [card.to_dict() for card in answer.data]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            lists = pool.map(fetch, customer_ids(customers))
            frame = pd.json_normalize([card for cards in lists for card in cards])
        frame.to_parquet(folder / "cards.parquet")
        return len(frame)

    return work


def dlt_rest_client() -> Work:
    """dlt: its RESTClient in a deferred resource, loaded to Parquet files."""
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "EXTRACT__WORKERS": str(AT_ONCE),
        "EXTRACT__MAX_PARALLEL_ITEMS": str(2 * AT_ONCE),
    }
    import dlt
    import pyarrow.parquet as pq
    from dlt.sources.helpers.rest_client.client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator

    def work(url: str, customers: int, folder: Path) -> int:
        client = RESTClient(base_url=url, headers=HEADERS, paginator=SinglePagePaginator())

        @dlt.defer
        def fetch(customer_id: str) -> list[dict[str, Any]]:
            cards: list[dict[str, Any]] = client.get(path_of(customer_id)).json()
            return cards

        @dlt.resource(name="instruments")
        def instruments() -> Iterator[Any]:
            for customer_id in customer_ids(customers):
                yield fetch(customer_id)

        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=str(folder / "pipelines"),
            destination=dlt.destinations.filesystem((folder / "out").as_uri()),
            dataset_name="cards",
        )
        pipeline.run(instruments(), loader_file_format="parquet")
        written = (folder / "out").rglob("instruments/*.parquet")
        return sum(pq.read_metadata(path).num_rows for path in written)

    return work


def by_hand() -> Work:
    """aiohttp, orjson and pyarrow, everything in memory, untyped, no retries."""
    import aiohttp
    import orjson
    import pyarrow as pa
    import pyarrow.parquet as pq
    import uvloop

    top = [
        *("customer_id", "afa_reference", "instrument_id", "instrument_type", "instrument_uid"),
        *("instrument_display", "instrument_status", "created_at"),
    ]
    of_meta = ["card_network", "card_bank_name", "card_country", "card_type", "card_sub_type"]
    of_token = ["par", "expiry_month", "expiry_year"]

    async def fetch_all(url: str, customers: int) -> list[bytes]:
        pending = customer_ids(customers)
        bodies: list[bytes] = []
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

            async def worker() -> None:
                for customer_id in pending:
                    async with session.get(url + path_of(customer_id)) as response:
                        response.raise_for_status()
                        bodies.append(await response.read())

            await asyncio.gather(*[worker() for _ in range(AT_ONCE)])
        return bodies

    def flatten(bodies: list[bytes]) -> pa.Table:
        columns: dict[str, list[Any]] = {name: [] for name in (*top, *of_meta, *of_token)}
        nothing: dict[str, Any] = {}
        for body in bodies:
            for card in orjson.loads(body):
                meta = card.get("instrument_meta") or nothing
                token = meta.get("card_token_details") or nothing
                for holder, names in ((card, top), (meta, of_meta), (token, of_token)):
                    for name in names:
                        columns[name].append(holder.get(name))
        return pa.table(columns)

    def work(url: str, customers: int, folder: Path) -> int:
        table = flatten(uvloop.run(fetch_all(url, customers)))
        pq.write_table(table, folder / "cards.parquet", compression="zstd")
        return int(table.num_rows)

    return work


def ours() -> Work:
    """The toolkit's own `collect`, from a file of ids to a published snapshot."""
    import tokenvault_data as tv
    from tokenvault_data.config.loading import emulator_profile

    collect, connect = tv.collect, tv.connect  # loads what they need, before the clock starts

    def work(url: str, customers: int, folder: Path) -> int:
        listed = folder / "ids.txt"
        with listed.open("w") as file:
            file.writelines(f"{customer_id}\n" for customer_id in customer_ids(customers))
        with connect(emulator_profile(url, api_version=API_VERSION), share=1.0) as vault:
            snapshot = collect(vault, listed, store=folder / "store", progress=False)
        assert snapshot.complete
        return snapshot.manifest.instruments

    return work


PEERS = {
    peer.__name__: peer for peer in (plain_httpx, official_sdk, dlt_rest_client, by_hand, ours)
}


def measure(peer: str, url: str, customers: int) -> dict[str, float]:
    work = PEERS[peer]()
    with tempfile.TemporaryDirectory(prefix="tokenvault-bench-") as folder:
        watch = Stopwatch()
        cards = work(url, customers, Path(folder))
        wall, cpu = watch.read()
    return {
        "customers": customers,
        "cards": cards,
        "seconds": wall,
        "customers_per_second": customers / wall,
        "cpu_us_per_customer": cpu / customers * 1e6,
        "peak_mb": peak_memory_mb(),
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("peer", choices=PEERS)
    options.add_argument("--url", required=True)
    options.add_argument("--customers", type=int, required=True)
    given = options.parse_args()
    print(json.dumps(measure(given.peer, given.url, given.customers)))
