"""A socket server that misbehaves to order, and counts what really arrived on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tokenvault_data.config.loading import emulator_profile

if TYPE_CHECKING:
    import ssl

    from tokenvault_data.config.loading import Profile

OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CLIENT_ID = "app-0815-client"
CLIENT_SECRET = "sesame-open-9f3ac1"


def profile_of(server: RawServer, **options: str) -> Profile:
    """A profile whose vault is the server."""
    return emulator_profile(
        f"{server.url}/pg", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, **options
    )


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    connection: int


@dataclass
class Wire:
    """The connection a behaviour answers on."""

    socket: socket.socket
    stopping: threading.Event
    seen: Seen

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


# A behaviour answers one request; the connection is kept only when it returns True.
Behaviour = Callable[[Wire], bool | None]


def answer(
    body: bytes | list[Any] | dict[str, Any] = b"[]",
    status: int = 200,
    headers: tuple[str, ...] = (),
    *,
    keep: bool = True,
) -> Behaviour:
    """A well-formed answer; keeps the connection, or closes it without having said so."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(content)}", *headers]
    whole = "\r\n".join([*head, "", ""]).encode("latin-1") + content

    def behave(wire: Wire) -> bool:
        wire.send(whole)
        return keep

    return behave


def raw(*parts: bytes, pause_seconds: float = 0.0) -> Behaviour:
    """These bytes, then the end of the connection."""

    def behave(wire: Wire) -> None:
        for part in parts:
            wire.send(part)
            wire.stopping.wait(pause_seconds)

    return behave


def reset_after(*parts: bytes) -> Behaviour:
    """These bytes, then a reset."""

    def behave(wire: Wire) -> None:
        wire.send(*parts)
        if parts:
            time.sleep(0.05)  # a reset overtakes what the other side has not read yet
        wire.reset()

    return behave


def hang_after(*parts: bytes) -> Behaviour:
    """These bytes, then nothing, with the connection open."""

    def behave(wire: Wire) -> None:
        wire.send(*parts)
        wire.stopping.wait(30)

    return behave


def drip(head: bytes, drop: bytes, every_seconds: float) -> Behaviour:
    """A head, then a drop again and again for as long as the other side listens."""

    def behave(wire: Wire) -> None:
        wire.send(head)
        while not wire.stopping.wait(every_seconds):
            wire.send(drop)

    return behave


class RawServer:
    """Behaviours in order, one a request; the last one goes on.

    Attributes
    ----------
    seen : list of Seen
        Every request whose head arrived whole.
    connections : int
        Connections accepted.
    received_bytes : int
        Bytes received on all of them (after TLS, when there is TLS).
    """

    def __init__(self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.received_bytes = 0
        self._behaviours = list(behaviours) or [answer()]
        self._tls = tls
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._scheme = "http" if tls is None else "https"
        self.url = f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    async def first_request(self) -> None:
        """Wait until a request has arrived."""
        while not self.seen:  # noqa: ASYNC110  the server is a thread, and knows no event loop
            await asyncio.sleep(0.005)

    def count(self, method: str) -> int:
        """How many requests of a method arrived."""
        return sum(seen.method == method for seen in self.seen)

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(connection)
            self._spawn(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                pending = b""
                while not self._stopping.is_set():
                    while b"\r\n\r\n" not in pending:
                        received = connection.recv(65536)
                        if not received:
                            return
                        with self._lock:
                            self.received_bytes += len(received)
                        pending += received
                    head, _, pending = pending.partition(b"\r\n\r\n")
                    wire = Wire(connection, self._stopping, _parse(head, number))
                    with self._lock:
                        self.seen.append(wire.seen)
                        last = len(self._behaviours) == 1
                        behave = self._behaviours[0] if last else self._behaviours.pop(0)
                    if not behave(wire):
                        return


def _parse(head: bytes, connection: int) -> Seen:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.split(":", 1) for line in lines)
    return Seen(method, target, {n.lower(): v.strip() for n, v in pairs}, connection)
