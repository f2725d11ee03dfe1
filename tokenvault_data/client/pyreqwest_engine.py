"""The wire engine: a Rust HTTP client, chosen by measurement, as an httpx transport.

`docs/decisions.md` has the figures. The vault's client calls `exchange` directly: building httpx's
request and response objects costs more than the whole exchange.

What the engine is told not to do matters as much: no redirects (one would carry the secret header
to another host), no proxy but the one that was named, no HTTP/2 (whose refused streams
are sent again underneath), no decompression (a small answer must not become a huge one), and no
retry of any kind.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
from pyreqwest import exceptions as engine_errors
from pyreqwest.client import ClientBuilder
from pyreqwest.proxy import ProxyBuilder

from tokenvault_data.client.transport import (
    FORKED,
    PROXY_ASKS,
    PROXY_BROKE_OFF,
    PROXY_REFUSES,
    Answer,
    CertificateError,
    TransportSettings,
    read_certificates,
    unusable,
    without_body,
)
from tokenvault_data.config.network import Network, connection_notes
from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyreqwest.client import Client
    from pyreqwest.http import HeaderMap
    from pyreqwest.response import ResponseBodyReader


class PyreqwestTransport(httpx.AsyncBaseTransport):
    """The engine, as an httpx transport and, faster, by `exchange`.

    Raises
    ------
    UsageError
        The network's `ca_file` cannot be read, or holds no certificate; or the process was forked
        from one that had such a transport.
    """

    def __init__(
        self, settings: TransportSettings | None = None, network: Network | None = None
    ) -> None:
        self._settings = settings or TransportSettings()
        self._network = network or Network()
        self._engine = _build(self._settings, self._network)
        self._is_closed = False

    async def exchange(self, method: str, url: str, headers: Mapping[str, str | Secret]) -> Answer:
        """Send one request without a body and read its whole answer."""
        if self._is_closed:  # a closed engine may send all the same
            raise httpx.ConnectError("the transport was closed")
        unsent = self._engine.request(method, url)
        for name, value in headers.items():
            if isinstance(value, Secret):
                unsent = unsent.header(name, value.reveal(), is_sensitive=True)
            else:
                unsent = unsent.header(name, value)
        cancellations = _cancellations()
        result: Answer | httpx.TransportError | None = None
        try:
            async with unsent.build_streamed() as response:
                body = await self._read_body(response.status, response.body_reader)
                result = Answer(response.status, _read_headers(response.headers), body)
        except engine_errors.PyreqwestError as error:
            result = _as_httpx(error)
            if isinstance(result, httpx.ConnectError | httpx.ConnectTimeout):
                for note in connection_notes(self._network):
                    result.add_note(note)
        except httpx.TransportError as error:
            result = error
        except asyncio.CancelledError:
            pass
        if result is None or _cancellations() > cancellations:
            # The engine loses a cancellation that comes in the moment of the answer, and the words
            # of any other, by which anyio's scopes know theirs. anyio asks again; asyncio does not.
            await asyncio.sleep(0)
            raise asyncio.CancelledError
        if isinstance(result, Answer):
            return result
        raise result  # outside of `except`: the engine's own error quotes the URL, and so an id

    async def _read_body(self, status: int, reader: ResponseBodyReader) -> bytes:
        limit = self._settings.body_bytes
        chunks: list[bytes] = []
        size = 0
        while (chunk := await reader.read_chunk()) is not None:
            size += len(chunk)
            if size > limit:
                return without_body(status, limit)
            chunks.append(bytes(chunk))
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve an `httpx.AsyncClient`; for requests without a body, as all of the vault's are."""
        if await request.aread():
            raise httpx.UnsupportedProtocol("this transport sends no bodies; nothing was sent")
        headers = {n: value for n, value in request.headers.items() if n not in _ENGINES_OWN}
        headers["accept-encoding"] = "identity"
        answer = await self.exchange(request.method, str(request.url), headers)
        return httpx.Response(
            answer.status, headers=dict(answer.headers), content=answer.body, request=request
        )

    async def aclose(self) -> None:
        """Close every connection, those in use included."""
        self._is_closed = True
        await self._engine.close()


def _cancellations() -> int:
    """How often the running task was asked to stop."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


_ENGINES_OWN = frozenset({"host", "connection", "accept-encoding"})


@functools.cache
def _outlast_the_engine() -> None:
    """Let the interpreter end only after the engine's thread has let go of the last answer.

    It drops Python objects a moment after the answer was given; a process that ends in that moment
    is aborted (seen on busy machines with pyreqwest 0.15.1, in one of five that ended at once).
    """
    atexit.register(time.sleep, 0.1)


def _build(settings: TransportSettings, network: Network) -> Client:
    _outlast_the_engine()
    builder = (
        ClientBuilder()
        .follow_redirects(enable=False)
        .referer(enable=False)
        .http1_only()
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .connect_timeout(timedelta(seconds=settings.connect_seconds))
        .read_timeout(timedelta(seconds=settings.silence_seconds))
        .timeout(timedelta(seconds=settings.total_seconds))
        # The gateway closes idle connections after about a minute; one that was closed under a
        # request costs that request, so ours are given up first.
        .pool_idle_timeout(timedelta(seconds=20))
    )
    builder = builder.no_proxy()  # none of the environment's
    if network.proxy is not None:
        # Plain http is on this machine, where no company's proxy finds it.
        builder = builder.proxy(ProxyBuilder.https(network.proxy.reveal()))
    if network.ca_file is not None:
        builder = builder.add_root_certificate_pem(read_certificates(network.ca_file))
    try:
        return builder.build()
    except engine_errors.BuilderError:
        if network.ca_file is None:
            raise
        raise UsageError(unusable(network.ca_file, "a certificate in it is damaged")) from None
    except RuntimeError as error:
        if "fork" in str(error):  # in the engine's own words
            raise UsageError(FORKED) from None
        raise


def _read_headers(received: HeaderMap) -> dict[str, str]:
    try:
        fields = received.dict_multi_value()
    except ValueError:  # a value outside ASCII, which the engine cannot show; none of ours is
        fields = {}
        for name in received.keys():  # noqa: SIM118  iterating the map itself reads the values
            try:
                fields[name] = received.getall(name)
            except ValueError:
                continue
    return {
        name: value if isinstance(value, str) else ", ".join(value)
        for name, value in fields.items()
    }


# How rustls, the engine's TLS, begins its errors when a handshake fails for good. A connection that
# merely breaks in the middle of one is trouble on the way, and may be tried again.
_TLS_REFUSALS = (
    "invalid peer certificate",
    "peer is incompatible",
    "peer misbehaved",
    "received corrupt message",
    "received fatal alert",
    "received unexpected",
)


_PROXY_REFUSALS = {
    "tunnel error: proxy authorization required": PROXY_ASKS,
    "tunnel error: unsuccessful": PROXY_REFUSES,
    "tunnel error: unexpected end of file": PROXY_BROKE_OFF,
}


def _as_httpx(error: engine_errors.PyreqwestError) -> httpx.TransportError:
    """Name the engine's error in httpx's words.

    The engine calls every failure before the first byte of an answer a connect error. Whether the
    request may have been seen shows only in the chain of causes, where the connecting step names
    itself; everything else counts as sent.
    """
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    reason = _without_url(causes[-1]) if causes else type(error).__name__
    if "client error (Connect)" in causes:
        reason = _PROXY_REFUSALS.get(reason, reason)
        if reason.startswith(_TLS_REFUSALS):
            return CertificateError(reason)
        if isinstance(error, engine_errors.RequestTimeoutError):
            return httpx.ConnectTimeout(reason)
        return httpx.ConnectError(reason)
    if isinstance(error, engine_errors.RequestTimeoutError):
        return httpx.ReadTimeout(reason)
    if isinstance(error, engine_errors.DecodeError):
        return httpx.RemoteProtocolError(reason)
    return httpx.ReadError(reason)


def _without_url(message: str) -> str:
    return message.partition(" for url (")[0]
