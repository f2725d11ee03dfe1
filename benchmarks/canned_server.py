"""A server that answers everything with the same two cards, so fast that it is no bottleneck."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import uvloop

from benchmarks.children import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_END_OF_HEAD = b"\r\n\r\n"
_CARD = {
    "customer_id": "cust_1",
    "afa_reference": "740324562",
    "instrument_id": "54deabb4-ba45-4a60-9e6a-9c016fe7ab10",
    "instrument_type": "card",
    "instrument_uid": "0d8f70838cc5af8b1cd2bc0fe71278551fd3f1101e40020d89ad22ceba4f933c",
    "instrument_display": "xxxxxxxxxxxx4375",
    "instrument_status": "ACTIVE",
    "created_at": "2021-11-11 16:57:57",
    "instrument_meta": {
        "card_network": "VISA",
        "card_bank_name": "HDFC Bank Limited",
        "card_country": "IN",
        "card_type": "DEBIT_CARD",
        "card_token_details": {
            "par": "V0010013020287193254784519236",
            "expiry_month": "12",
            "expiry_year": "23",
        },
    },
}
# A limit that nobody meets: the client reads it from every answer and steers by it all the same.
_LIMIT_HEADERS = "x-ratelimit-limit: 60000000\r\nx-ratelimit-remaining: 59000000\r\n"


def answer(*, with_limit_headers: bool) -> bytes:
    body = json.dumps([_CARD, _CARD], separators=(",", ":"))
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    if with_limit_headers:
        head += _LIMIT_HEADERS
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


class _Connection(asyncio.Protocol):
    """Counts the heads of requests, which have no bodies, and answers each."""

    def __init__(self, fixed_answer: bytes) -> None:
        self._answer = fixed_answer
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._unread + data
        requests = received.count(_END_OF_HEAD)
        self._unread = received.rpartition(_END_OF_HEAD)[2]
        if requests and self._transport is not None:
            self._transport.write(self._answer * requests)


async def _serve(fixed_answer: bytes) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(fixed_answer), "127.0.0.1", 0, backlog=4096
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin, ended.set)  # whoever started it has closed its end, or is gone
    await ended.wait()


@contextmanager
def canned_server(*, with_limit_headers: bool = False) -> Iterator[str]:
    """Run the server in a process of its own and give its base URL."""
    command = [sys.executable, "-m", "benchmarks.canned_server"]
    if with_limit_headers:
        command.append("--limit-headers")
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        child.communicate()  # closes its standard input, which ends it


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--limit-headers", action="store_true")
    given = options.parse_args()
    uvloop.run(_serve(answer(with_limit_headers=given.limit_headers)))
