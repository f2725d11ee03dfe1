"""From the name of a profile to a client."""

from __future__ import annotations

from typing import Any

from tokenvault_data.profiles import Profile, load_profile
from tokenvault_data.vault_api.blocking import Vault
from tokenvault_data.vault_api.client import AsyncVault


def connect(profile: str | Profile | None = None, **settings: Any) -> Vault:
    """Make a client of a vault, for plain code; nothing is sent yet.

    Parameters
    ----------
    profile : str or Profile, optional
        ``emulator``, ``sandbox``, ``production``, or a name from the profile file. Without it, the
        environment variables say (``CASHFREE_CLIENT_ID`` and so on); without those, the emulator.
    **settings
        ``share``, ``rate_per_minute``, ``retries``, ``wire``, ``transport``, ``max_pages``: see
        `AsyncVault`.

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
    return Vault(_profile(profile), **settings)


def connect_async(profile: str | Profile | None = None, **settings: Any) -> AsyncVault:
    """Make a client of a vault, for code that runs in an event loop; as `connect` otherwise."""
    return AsyncVault(_profile(profile), **settings)


def _profile(profile: str | Profile | None) -> Profile:
    return profile if isinstance(profile, Profile) else load_profile(profile)
