"""The wire as the vault's client sees it: one request, one whole answer, errors in httpx's words.

httpx is the interface (its errors, its `AsyncBaseTransport`), so that anything that speaks httpx
can be put in our place and we can be put in its. What moves the bytes is chosen in `engines`.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

import anyio
import httpx

from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORKED: Final = (
    "A vault was opened before this process was forked, and connections do not survive a fork;"
    " nothing was sent. Connect in the child only, or start it with multiprocessing's `spawn`"
    " method"
)


PROXY_ASKS: Final = "the proxy asks for a user and password, or refuses those it was given (407)"
PROXY_REFUSES: Final = (
    "the proxy refuses to connect to this address, or did not answer as a proxy; its own log says"
    " why"
)
PROXY_BROKE_OFF: Final = "the proxy broke the connection off"


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


@runtime_checkable
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


def read_certificates(ca_file: Path) -> bytes:
    """Read the certificates that are to be trusted beside the system's.

    Raises
    ------
    UsageError
        There is no such file, or no certificate in it.
    """
    try:
        certificates = ca_file.read_bytes()
    except OSError as error:
        raise UsageError(unusable(ca_file, error.strerror or "no such file")) from None
    if b"-----BEGIN CERTIFICATE-----" not in certificates:  # the engine would not mind
        raise UsageError(unusable(ca_file, "it holds no certificate in PEM form"))
    return certificates


def unusable(ca_file: Path, reason: str) -> str:
    """Say that the certificates cannot be used, and what to do."""
    return (
        f"the certificates in {ca_file} cannot be used: {reason}. Nothing was sent;"
        " give a PEM file as --ca-file (ca_file in Python), or leave it out"
    )


def without_body(status: int, limit_bytes: int) -> bytes:
    """Stand in for a body that is too long: with nothing, where the status says enough."""
    if status == 200:
        raise OversizedBody(limit_bytes)
    return b""


class TransportAdapter:
    """An httpx transport, as the vault's client needs one.

    Whether a failed request was sent is taken from its errors, as httpx defines them.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, settings: TransportSettings) -> None:
        self._transport = transport
        self._settings = settings

    async def exchange(self, method: str, url: str, headers: Mapping[str, str | Secret]) -> Answer:
        """Send one request through the transport, under the same bounds."""
        try:
            return await self._exchange(method, url, headers)
        except asyncio.CancelledError as error:
            words = error.args  # by which anyio's scopes know theirs
        # Another one: the traceback of the first holds the request, and so its secrets.
        raise asyncio.CancelledError(*words)

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str | Secret]) -> Answer:
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
            if isinstance(error, CertificateError) or not is_about_tls(error):
                raise
            raise CertificateError(str(error)) from None
        except OversizedBody:
            raise
        except (httpx.ProtocolError, ssl.SSLError) as error:
            raise without_quotes(error) from None
        except TimeoutError:
            message = f"no whole answer within {bounds.total_seconds:g} s"
            raise httpx.ReadTimeout(message) from None
        # As with the engine, a value outside ASCII is not shown; none of ours is.
        received = {name: value for name, value in response.headers.items() if value.isascii()}
        return Answer(response.status_code, received, body)

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


def without_quotes(error: httpx.ProtocolError | ssl.SSLError) -> httpx.TransportError:
    """Name a failure without its text: that quotes what was read, which may be a cryptogram."""
    if isinstance(error, ssl.SSLError):  # as httpx would, if it knew of it
        return httpx.ReadError(f"the TLS connection failed ({error.reason or 'broken off'})")
    if isinstance(error, httpx.LocalProtocolError):
        return httpx.LocalProtocolError("the request cannot be written as HTTP")
    return httpx.RemoteProtocolError("the answer is no sound HTTP")


def is_about_tls(error: BaseException) -> bool:
    """Whether a handshake failed for good; one that merely broke off may be tried again."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return False
    return "EOF" not in (getattr(cause, "reason", None) or "")
