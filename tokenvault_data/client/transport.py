"""The wire: an httpx transport whose engine is a Rust HTTP client, chosen by measurement.

httpx is the interface (its errors, its `AsyncBaseTransport`), so that anything that speaks httpx
can be put in our place and we can be put in its; `docs/decisions.md` has the figures for the
engine. The vault's client calls `exchange` directly: building httpx's request and response objects
costs more than the whole exchange.

What the engine is told not to do matters as much: no redirects (one would carry the secret header
to another host), no proxy but the one that was named, no HTTP/2 (whose refused streams
are sent again underneath), no decompression (a small answer must not become a huge one), and no
retry of any kind.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import ssl
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import anyio
import httpx
from pyreqwest import exceptions as engine_errors
from pyreqwest.client import ClientBuilder
from pyreqwest.proxy import ProxyBuilder

from tokenvault_data.config.network import Network, connection_notes
from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyreqwest.client import Client
    from pyreqwest.http import HeaderMap
    from pyreqwest.response import ResponseBodyReader


FORKED: Final = (
    "A vault was opened before this process was forked, and connections do not survive a fork;"
    " nothing was sent. Connect in the child only, or start it with multiprocessing's `spawn`"
    " method"
)


class Answer(NamedTuple):
    """One whole HTTP answer; its repr shows nothing of the body, which may be a cryptogram."""

    status: int
    headers: Mapping[str, str]  # names in lower case; values of a repeated name joined by ", "
    body: bytes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status}, {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Bounds of one exchange.

    Attributes
    ----------
    connect_seconds : float
        For name resolution, TCP and TLS together.
    silence_seconds : float
        Longest wait for the head of the answer, and between two reads of its body.
    total_seconds : float
        Deadline of the exchange as a whole, so that a slow drip ends too.
    body_bytes : int
        Largest body that is read; a larger one is an error, not an answer.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 20.0
    total_seconds: float = 30.0
    body_bytes: int = 8 * 1024 * 1024


class CertificateError(httpx.ConnectError):
    """The two sides could not agree on a TLS connection; nothing was sent."""


class OversizedBody(httpx.RemoteProtocolError):
    """The body passed `TransportSettings.body_bytes`; reading stopped there."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the answer is longer than the {limit_bytes:,} bytes that are read")


class Transport(Protocol):
    """What the vault's client needs of a transport."""

    async def exchange(self, method: str, url: str, headers: Mapping[str, str | Secret]) -> Answer:
        """Send one request without a body, at most once, and read its whole answer.

        Raises
        ------
        httpx.ConnectError, httpx.ConnectTimeout
            The request has surely not been sent.
        httpx.TransportError
            Any other: it may have been.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class EngineTransport(httpx.AsyncBaseTransport):
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
        builder = builder.add_root_certificate_pem(_certificates(network.ca_file))
    try:
        return builder.build()
    except engine_errors.BuilderError:
        if network.ca_file is None:
            raise
        raise UsageError(_unusable(network.ca_file, "a certificate in it is damaged")) from None
    except RuntimeError as error:
        if "fork" in str(error):  # in the engine's own words
            raise UsageError(FORKED) from None
        raise


def check_network(network: Network) -> None:
    """Make sure that the network's certificates can be used.

    Raises
    ------
    UsageError
        They cannot.
    """
    _build(TransportSettings(), network)


def _certificates(ca_file: Path) -> bytes:
    try:
        certificates = ca_file.read_bytes()
    except OSError as error:
        raise UsageError(_unusable(ca_file, error.strerror or "no such file")) from None
    if b"-----BEGIN CERTIFICATE-----" not in certificates:  # the engine would not mind
        raise UsageError(_unusable(ca_file, "it holds no certificate in PEM form"))
    return certificates


def _unusable(ca_file: Path, reason: str) -> str:
    return (
        f"the certificates in {ca_file} cannot be used: {reason}. Nothing was sent;"
        " give a PEM file as --ca-file (ca_file in Python), or leave it out"
    )


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


def without_body(status: int, limit_bytes: int) -> bytes:
    """Stand in for a body that is too long: with nothing, where the status says enough."""
    if status == 200:
        raise OversizedBody(limit_bytes)
    return b""


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
    "tunnel error: proxy authorization required": (
        "the proxy asks for a user and password, or refuses those it was given (407)"
    ),
    "tunnel error: unsuccessful": (
        "the proxy refuses to connect to this address, or did not answer as a proxy; its own log"
        " says why"
    ),
    "tunnel error: unexpected end of file": "the proxy broke the connection off",
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


class TransportAdapter:
    """An httpx transport, as the vault's client needs one.

    Whether a failed request was sent is taken from its errors, as httpx defines them.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, settings: TransportSettings) -> None:
        self._transport = transport
        self._settings = settings

    async def exchange(self, method: str, url: str, headers: Mapping[str, str | Secret]) -> Answer:
        """Send one request through the transport, under the same bounds."""
        bounds = self._settings
        timeouts = {
            "connect": bounds.connect_seconds,
            "read": bounds.silence_seconds,
            "write": bounds.silence_seconds,
            "pool": bounds.connect_seconds,
        }
        request = httpx.Request(method, url, extensions={"timeout": timeouts})
        for name, value in headers.items():
            request.headers[name] = value.reveal() if isinstance(value, Secret) else value
        try:
            with anyio.fail_after(bounds.total_seconds):
                response = await self._transport.handle_async_request(request)
                if not isinstance(response.stream, httpx.AsyncByteStream):
                    raise httpx.ReadError("the transport answers with a stream for blocking code")
                try:
                    body = await self._read_body(response.status_code, response.stream)
                finally:
                    await response.aclose()
        except httpx.ConnectError as error:
            if not _is_about_a_certificate(error):
                raise
            raise CertificateError(str(error)) from None
        except TimeoutError:
            message = f"no whole answer within {bounds.total_seconds:g} s"
            raise httpx.ReadTimeout(message) from None
        return Answer(response.status_code, dict(response.headers.items()), body)

    async def _read_body(self, status: int, stream: httpx.AsyncByteStream) -> bytes:
        """Read the body as it came over the wire: httpx would decompress it without a bound."""
        limit = self._settings.body_bytes
        body = bytearray()
        async for chunk in stream:
            body += chunk
            if len(body) > limit:
                return without_body(status, limit)
        return bytes(body)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def _is_about_a_certificate(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None
