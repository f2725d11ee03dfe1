"""Which engine moves the bytes: pyreqwest, or httpx's own where that one cannot be imported."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tokenvault_data.client.transport import Transport, TransportAdapter, TransportSettings

if TYPE_CHECKING:
    from tokenvault_data.config.network import Network


@functools.cache
def why_not_pyreqwest() -> str | None:
    """Return why pyreqwest cannot be imported; None where it can, and so is the engine."""
    try:
        import tokenvault_data.client.pyreqwest_engine  # noqa: F401  whether it can be is the question
    except ImportError as error:
        return str(error)
    return None


def open_transport(settings: TransportSettings, network: Network) -> Transport:
    """Return a transport of the engine that is there.

    Raises
    ------
    UsageError
        The network's `ca_file` cannot be read, or holds no certificate; or the process was forked
        from one that had such a transport.
    """
    if why_not_pyreqwest() is None:
        from tokenvault_data.client.pyreqwest_engine import PyreqwestTransport

        return PyreqwestTransport(settings, network)
    from tokenvault_data.client.httpx_engine import HttpxTransport

    return TransportAdapter(HttpxTransport(network), settings)


def check_network(network: Network) -> None:
    """Make sure that the network's certificates can be used.

    Raises
    ------
    UsageError
        They cannot.
    """
    open_transport(TransportSettings(), network)
