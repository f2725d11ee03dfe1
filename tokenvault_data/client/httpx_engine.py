"""The second wire engine: httpx's own transport, held to what the first one does and says.

It is slower by far (see `docs/decisions.md`), and needs nothing that is not there anyway. No
redirects, no proxy but the one that was named, no HTTP/2 and no retry, here as there; certificates
are those of the system, not of a package.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

import httpx

from tokenvault_data.client.transport import (
    PROXY_ASKS,
    PROXY_BROKE_OFF,
    PROXY_REFUSES,
    CertificateError,
    is_about_tls,
    read_certificates,
    unusable,
    without_quotes,
)
from tokenvault_data.config.network import Network, connection_notes
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

# A connection for each request: on one that is used again, httpx would take what a server sent
# beyond an answer for the answer to the next request.
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=0)
_BEFORE_SENDING: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)
_CLOSED: Final = "the transport was closed"
_LOST: Final = "connection closed before message completed"


class HttpxTransport(httpx.AsyncBaseTransport):
    """httpx's transport; a failure on the way through a proxy is a connection that never stood.

    Raises
    ------
    UsageError
        The network's `ca_file` cannot be read, or holds no certificate.
    """

    def __init__(self, network: Network | None = None) -> None:
        self._network = network or Network()
        trusted = _trusted(self._network.ca_file)
        self._direct = _build(trusted, None)
        # Plain http is on this machine, where no company's proxy finds it.
        proxy = self._network.proxy
        self._over_tls = self._direct if proxy is None else _build(trusted, proxy.reveal())
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, at most once."""
        if self._is_closed:
            raise httpx.ConnectError(_CLOSED)
        asked = b""

        async def watch(event: str, about: dict[str, Any]) -> None:
            nonlocal asked
            if event == "http11.send_request_headers.started":
                asked = about["request"].method
                if self._is_closed and asked != b"CONNECT":
                    raise httpx.ConnectError(_CLOSED)

        request.extensions = {**request.extensions, "trace": watch}
        way = self._over_tls if request.url.scheme == "https" else self._direct
        try:
            return await way.handle_async_request(request)
        except (httpx.TransportError, ssl.SSLError) as error:
            # What is not known to have failed on the way to the vault may have reached it.
            is_unsent = isinstance(error, _BEFORE_SENDING) or asked in {b"", b"CONNECT"}
            failure = self._unsent(error) if is_unsent else _lost(error)
        raise failure  # outside of `except`: the traceback of httpx's own holds the whole request

    def _unsent(self, error: httpx.TransportError | ssl.SSLError) -> httpx.TransportError:
        failure = _unsent(error)
        for note in connection_notes(self._network):
            failure.add_note(note)
        return failure

    async def aclose(self) -> None:
        """Close every connection, those in use included; what is being set up sends nothing."""
        self._is_closed = True
        await self._direct.aclose()
        await self._over_tls.aclose()


def _build(trusted: ssl.SSLContext, proxy: str | None) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(verify=trusted, trust_env=False, limits=_LIMITS, proxy=proxy)


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    # Not `ssl.create_default_context`, which writes keys to the file that a variable names.
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.load_default_certs()
    if ca_file is not None:
        read_certificates(ca_file)
        try:
            trusted.load_verify_locations(ca_file)
        except ssl.SSLError:
            raise UsageError(unusable(ca_file, "a certificate in it is damaged")) from None
    return trusted


def _unsent(
    error: httpx.TransportError | ssl.SSLError,
) -> httpx.ConnectError | httpx.ConnectTimeout:
    if isinstance(error, httpx.TimeoutException):
        return httpx.ConnectTimeout(_reason(error))
    if isinstance(error, httpx.ProxyError):
        return httpx.ConnectError(PROXY_ASKS if str(error).startswith("407") else PROXY_REFUSES)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return httpx.ConnectError(PROXY_BROKE_OFF)
    if is_about_tls(error):
        return CertificateError(str(error))
    return httpx.ConnectError(_reason(error))


def _lost(error: httpx.TransportError | ssl.SSLError) -> httpx.TransportError:
    """Name a failure after which the request may have been seen, as the first engine names it."""
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" in str(error):
        return httpx.ReadError(_LOST)
    if isinstance(error, httpx.ProtocolError | ssl.SSLError):
        return without_quotes(error)
    return type(error)(_reason(error))


def _reason(error: httpx.TransportError | ssl.SSLError) -> str:
    """Return the operating system's words for a failure where there are any, else httpx's."""
    if isinstance(error, httpx.TimeoutException):
        return "operation timed out"
    root: BaseException | None = error
    while root is not None:
        if isinstance(root, socket.gaierror):
            return f"failed to lookup address information: {root.strerror}"
        if isinstance(root, OSError) and root.errno and not isinstance(root, ssl.SSLError):
            return f"{os.strerror(root.errno)} (os error {root.errno})"
        if isinstance(root, BaseExceptionGroup):  # one for each address of the host
            root = root.exceptions[0]
        else:
            root = root.__cause__ or root.__context__
    return str(error) or _LOST
