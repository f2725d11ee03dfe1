"""One request that costs nothing and tells whether a profile works."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tokenvault_data.client.calls import list_call
from tokenvault_data.client.engines import open_transport
from tokenvault_data.client.transport import TransportSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.config.loading import Profile
    from tokenvault_data.redaction import Secret

CUSTOMER = "tokenvault-doctor"  # nobody's id: the vault answers with an empty list


@dataclass(frozen=True, slots=True)
class Probe:
    """What one request for the cards of nobody found out.

    Attributes
    ----------
    status : int
        200 (or 404) means that host, credentials and feature are in order.
    headers : mapping
        Of the answer, names in lower case.
    seconds : float
        From sending to the whole answer, connecting included.
    clock_ahead_seconds : float or None
        How far this machine's clock is ahead of the vault's; None when the vault tells no time.
    """

    status: int
    headers: Mapping[str, str]
    seconds: float
    clock_ahead_seconds: float | None


async def probe(profile: Profile) -> Probe:
    """Ask once, and never again by itself.

    Raises
    ------
    httpx.TransportError
        There was no whole answer.
    """
    call = list_call(CUSTOMER)
    headers: dict[str, str | Secret] = {
        "accept": "application/json",
        "x-api-version": profile.api_version,
        **profile.credentials.headers(),
    }
    transport = open_transport(
        TransportSettings(connect_seconds=5, total_seconds=10), profile.network
    )
    began = time.monotonic()
    try:
        answer = await transport.exchange(call.method, profile.base_url + call.target, headers)
    finally:
        await transport.aclose()
    seconds = time.monotonic() - began
    ahead = _clock_ahead(answer.headers.get("date"), seconds)
    return Probe(answer.status, answer.headers, seconds, ahead)


def _clock_ahead(date: str | None, seconds: float) -> float | None:
    # The header has whole seconds and was written about half a round trip ago.
    if date is None:
        return None
    try:
        theirs = parsedate_to_datetime(date).timestamp() + 0.5
    except ValueError:
        return None
    return time.time() - seconds / 2 - theirs
