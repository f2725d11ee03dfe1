"""Uvicorn's HTTP protocol, with the connection itself within the application's reach.

ASGI has no way to break a connection on purpose, and a vault behind a load balancer does it often.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

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
