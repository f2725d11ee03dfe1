"""The ASGI application: from a scope to a request, from an outcome to bytes on a connection."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tokenvault_data.emulator.answers import Response
from tokenvault_data.emulator.faults.faults import FaultPlan
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.routing import route
from tokenvault_data.emulator.service import Outcome, Request, Service
from tokenvault_data.emulator.wire_log import WireEntry, WireLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from tokenvault_data.emulator.answers import Headers
    from tokenvault_data.emulator.faults.faults import Strikes
    from tokenvault_data.emulator.settings import EmulatorSettings


CONNECTION = "tokenvault.connection"
_NO_LINGER = struct.pack("ii", 1, 0)  # close() then sends RST and drops what is unsent


class Connection:
    """One client connection, as the application may end it before an answer is complete."""

    def __init__(self, protocol: ConnectionProtocol) -> None:
        self._protocol = protocol

    def reset(self) -> None:
        """End the connection with RST."""
        self._abandon_answer()
        transport = self._protocol.transport
        raw = transport.get_extra_info("socket")
        if raw is not None and not transport.is_closing():
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()

    def close(self) -> None:
        """Send what was written and end the connection in good order, the answer incomplete."""
        self._abandon_answer()
        self._protocol.transport.close()

    def _abandon_answer(self) -> None:
        # Otherwise uvicorn would complete the answer with a 500 of its own.
        self._protocol.cycle.disconnected = True


class ConnectionProtocol(HttpToolsProtocol):
    """Hands `Connection` to the application under ``scope["extensions"]``."""

    _extensions: dict[str, dict[object, object]]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Keep one extension object for all requests of the connection."""
        super().connection_made(transport)
        self._extensions = {CONNECTION: {"connection": Connection(self)}}

    def on_message_begin(self) -> None:
        """Put the extension into the scope that uvicorn has just made."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions


if TYPE_CHECKING:
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Says which emulator answers; real vaults have nothing like it.
INSTANCE_HEADER = b"x-emulator-instance"
VAULT_HEADER = b"x-emulator-vault"
_WITHOUT_LENGTH = (204, 205, 304)
_CHUNK_BYTES = 65_536
_DRIP_PIECES = 40
# Long enough for half a body to reach the client before the reset overtakes it.
_BEFORE_RESET_SECONDS = 0.03


class EmulatorApp:
    """One emulator behind an ASGI server.

    Parameters
    ----------
    settings
        See `EmulatorSettings`.

    Attributes
    ----------
    population
        The truth that is answered from.
    wire_log
        What every request asked for and did.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.population = Population(settings)
        self.wire_log = WireLog(settings.wire_log_entries, settings.record)
        self.service = Service(settings, self.population)
        self._seed = settings.seed
        self._latency_seconds = settings.latency_ms / 1000
        self._jitter_seconds = settings.latency_jitter_ms / 1000
        self._jitter = random.Random(settings.seed)  # noqa: S311  (spreads latency, guards nothing)
        self._requests = 0
        # Each emulator forgets everything when it ends, so each is an account of its own.
        instance = secrets.token_hex(6).encode()
        self._names = ((INSTANCE_HEADER, instance), (VAULT_HEADER, self.population.name.encode()))
        self._faults = FaultPlan(settings.faults, settings.seed, time.monotonic())

    def set_faults(self, specification: str) -> None:
        """Replace the faults from the next request on; request numbers and seconds start anew."""
        self._faults = FaultPlan(specification, self._seed, time.monotonic())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        now = time.monotonic()
        raw_path: bytes = scope["raw_path"]
        if raw_path == b"/health":
            await self._health(send)
            return
        self._requests += 1
        method: str = scope["method"]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request = Request(
            method,
            raw_path,
            scope["query_string"],
            route(method, raw_path),
            headers,
            scope["server"][1],
        )
        strikes = self._faults.strikes(request.route, now)
        entry = self._entry(request, scope, now) if self.wire_log.is_on else None
        if "down" in strikes:
            _finish(entry, None, strikes)
            self._log(entry)
            _connection(scope).reset()
            return
        admission = self.service.admit(request, now)
        if self._latency_seconds or self._jitter_seconds:
            await asyncio.sleep(
                self._latency_seconds + self._jitter.random() * self._jitter_seconds
            )
            now = time.monotonic()
        outcome = self.service.outcome(request, admission, strikes, now)
        _finish(entry, outcome, strikes if admission.refusal is None else {})
        self._log(entry)
        if outcome.by_hand is None and outcome.answer is not None:
            await _send(outcome.answer, self._names, headers.get(b"x-request-id"), send)
        else:
            await self._deliver_by_hand(outcome, request, scope, receive, send)

    async def _deliver_by_hand(
        self, outcome: Outcome, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        fault = "" if outcome.by_hand is None else outcome.by_hand.kind.name
        answer = outcome.answer
        if answer is None:
            if fault == "hang":
                while (await receive())["type"] != "http.disconnect":
                    pass
            else:
                _connection(scope).reset()
            return
        body = answer.body
        await send(
            _start(
                answer,
                self._names,
                request.headers.get(b"x-request-id"),
                with_length=fault != "huge-chunked",
            )
        )
        if fault in ("reset-inside", "truncated"):
            half = body[: len(body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            if fault == "truncated":
                _connection(scope).close()
            else:
                await asyncio.sleep(_BEFORE_RESET_SECONDS)
                _connection(scope).reset()
            return
        seconds = outcome.by_hand.number if fault == "drip" and outcome.by_hand else 0.0
        piece_bytes = max(1, len(body) // _DRIP_PIECES) if seconds else _CHUNK_BYTES
        starts = range(0, len(body), piece_bytes)
        for place in starts:
            piece = body[place : place + piece_bytes]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if seconds:
                await asyncio.sleep(seconds / len(starts))
        await send({"type": "http.response.body", "body": b""})

    async def _health(self, send: Send) -> None:
        body = json.dumps({"status": "ok", "customers": self.population.size}).encode()
        await _send(Response(200, body), self._names, None, send)

    def _entry(self, request: Request, scope: Scope, now: float) -> WireEntry:
        return WireEntry(
            self._requests,
            time.time(),
            now,
            request.method,
            request.route.operation,
            request.route.customer_id,
            request.route.instrument_id,
            request.query.decode("latin-1"),
            request.header(b"host"),
            scope["client"][1] if scope["client"] else 0,
            request.header(b"x-api-version"),
            request.header(b"x-idempotency-key"),
            request.header(b"x-request-id"),
        )

    def _log(self, entry: WireEntry | None) -> None:
        if entry is not None:
            self.wire_log.add(entry)


def _finish(entry: WireEntry | None, outcome: Outcome | None, strikes: Strikes) -> None:
    if entry is None:
        return
    if strikes:
        entry.fault = "+".join(rule.label for rule in strikes.values())
    if outcome is None:
        return
    entry.applied = outcome.applied
    if outcome.answer is not None:
        entry.status = outcome.answer.status
        entry.body_bytes = len(outcome.answer.body)


def _connection(scope: Scope) -> Connection:
    return cast("Connection", scope["extensions"][CONNECTION]["connection"])


def _start(
    answer: Response, names: Headers, request_id: bytes | None, *, with_length: bool = True
) -> dict[str, object]:
    headers = [
        (b"content-type", answer.content_type),
        *names,
        *answer.headers,
    ]
    if with_length and answer.status not in _WITHOUT_LENGTH:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    if request_id:
        headers.append((b"x-request-id", request_id))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _send(answer: Response, names: Headers, request_id: bytes | None, send: Send) -> None:
    await send(_start(answer, names, request_id))
    await send({"type": "http.response.body", "body": answer.body})
