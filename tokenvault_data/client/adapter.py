"""Any other httpx transport in the engine's place: a mock, a recorder, a company's own."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio
import httpx

from tokenvault_data.client.transport import Answer, CertificateError, without_body
from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.client.transport import WireSettings


class ForeignWire:
    """An httpx transport, as the vault's client needs one.

    Whether a failed request was sent is taken from its errors, as httpx defines them.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, settings: WireSettings) -> None:
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
