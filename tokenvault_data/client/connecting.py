"""From the name of a profile to a client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tokenvault_data.client.blocking import Vault
from tokenvault_data.client.client import AsyncVault
from tokenvault_data.config.loading import Profile, load_profile

if TYPE_CHECKING:
    import os


def connect(
    profile: str | Profile | None = None,
    *,
    proxy: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Vault:
    """Make a client of a vault, for plain code; nothing is sent yet.

    Parameters
    ----------
    profile : str or Profile, optional
        ``emulator``, ``sandbox``, ``production``, or a name from the profile file. Without it, the
        environment variables say (``CASHFREE_CLIENT_ID`` and so on); without those, the emulator.
    proxy : str, optional
        An HTTP proxy, ``http://[user:password@]host:port``, or ``none``; by default what
        ``TOKENVAULT_PROXY`` or the profile names. ``http`` addresses, which are on this machine,
        are never asked through it.
    ca_file : str or path-like, optional
        More certificates (PEM) to trust, such as those of a company's proxy; by default what
        ``TOKENVAULT_CA_FILE`` or the profile names. Nothing turns verification off.
    **settings
        ``share``, ``rate_per_minute``, ``retries``, ``wire``, ``transport``, ``max_pages``,
        ``share_at_most``: see `AsyncVault`.

    Returns
    -------
    Vault
        To be closed, or used with ``with``.

    Raises
    ------
    ProfileError
        Credentials or environment are missing, unsafe or contradictory.
    UsageError
        A setting is out of range.
    """
    return Vault(_profile(profile, proxy, ca_file), **settings)


def connect_async(
    profile: str | Profile | None = None,
    *,
    proxy: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> AsyncVault:
    """Make a client of a vault, for code that runs in an event loop; as `connect` otherwise."""
    return AsyncVault(_profile(profile, proxy, ca_file), **settings)


def _profile(
    profile: str | Profile | None, proxy: str | None, ca_file: str | os.PathLike[str] | None
) -> Profile:
    found = profile if isinstance(profile, Profile) else load_profile(profile)
    return replace(found, network=found.network.replace(proxy, ca_file))
