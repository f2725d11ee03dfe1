"""The vault a panel works with: the caller's, or one that the panel opens, emulator included."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tokenvault_data.client.blocking import Vault
from tokenvault_data.client.probe import CUSTOMER
from tokenvault_data.config.hosts import ENVIRONMENTS
from tokenvault_data.config.loading import Profile, list_profiles, load_profile
from tokenvault_data.errors import NotFound

if TYPE_CHECKING:
    from tokenvault_data.emulator.server import Emulator
    from tokenvault_data.emulator.settings import EmulatorSettings

_KNOCK_SECONDS: Final = 0.5


class VaultAccess:
    """One account, and a vault to it with the settings of the moment.

    Made by `open_access`.

    Attributes
    ----------
    profile : Profile
    emulator : Emulator or None
        The emulator that was started for it.
    is_given : bool
        Whether the vault was the caller's, whose settings stay as they are.
    """

    def __init__(
        self, profile: Profile, *, vault: Vault | None = None, emulator: Emulator | None = None
    ) -> None:
        self.profile = profile
        self.emulator = emulator
        self.is_given = vault is not None
        self._vault = vault
        self._settings: tuple[float, float | None] | None = None

    def vault(self, share: float, rate_per_minute: float | None = None) -> Vault:
        """Give a vault with these settings; another one of ours is closed.

        Raises
        ------
        UsageError
            A setting is out of range.
        """
        settings = (share, rate_per_minute)
        if self._vault is None or (not self.is_given and settings != self._settings):
            vault = Vault(self.profile, share_at_most=share, rate_per_minute=rate_per_minute)
            self._close_vault()
            self._vault, self._settings = vault, settings
        return self._vault

    def close(self) -> None:
        """Close what was opened here: the vault and the emulator, never the caller's."""
        self._close_vault()
        if self.emulator is not None:
            self.emulator.stop()
            self.emulator = None

    def _close_vault(self) -> None:
        if self._vault is not None and not self.is_given:
            self._vault.close()
            self._vault = None


def open_access(
    account: str | Profile | Vault, emulator: EmulatorSettings | None = None
) -> VaultAccess:
    """Find an account by name, or take the caller's; nothing is sent.

    Parameters
    ----------
    account : str, Profile or Vault
    emulator : EmulatorSettings, optional
        Of the emulator that is started when `account` is ``"emulator"`` and none answers.

    Raises
    ------
    ProfileError
        Credentials or environment are missing, unsafe or contradictory.
    """
    if isinstance(account, Vault):
        return VaultAccess(account.profile, vault=account)
    if isinstance(account, Profile):
        return VaultAccess(account)
    profile = load_profile(account)
    if account != "emulator" or somebody_answers(profile.base_url):
        return VaultAccess(profile)
    from tokenvault_data.emulator.server import Emulator

    started = Emulator(emulator)
    started.start()
    return VaultAccess(replace(profile, base_url=started.base_url), emulator=started)


def ask_for_nobody(vault: Vault) -> int | None:
    """Send one request that costs nothing, and give the account's limit if it was told.

    Raises
    ------
    VaultError
        The vault cannot be used with these credentials, or not reached.
    """
    with suppress(NotFound):  # as good an answer: nobody has cards
        vault.list_instruments(CUSTOMER)
    return vault.budget.limit_per_minute


def known_profiles() -> dict[str, str]:
    """Names of profiles and their environments: the file's, and the three that need none.

    Raises
    ------
    ProfileError
        The file is unsafe or damaged.
    """
    return {name: name for name in ENVIRONMENTS} | list_profiles()


def somebody_answers(base_url: str) -> bool:
    """Whether a connection to an address of this machine stands."""
    parts = urlsplit(base_url)
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), _KNOCK_SECONDS):
            return True
    except OSError:
        return False
