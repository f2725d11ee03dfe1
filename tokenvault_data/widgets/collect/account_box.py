"""The account of a collection: chosen by the name of a profile, or the caller's own."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import ipywidgets

from tokenvault_data.client.blocking import Vault
from tokenvault_data.client.probe import CUSTOMER
from tokenvault_data.config.credentials import ENVIRONMENTS
from tokenvault_data.config.loading import Profile, list_profiles, load_profile
from tokenvault_data.errors import NotFound, UsageError
from tokenvault_data.widgets.collect.text import account_blocks
from tokenvault_data.widgets.parts.layout import LABELS, WIDE, blocks_of, card, in_a_sentence, named
from tokenvault_data.widgets.parts.text import Prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tokenvault_data.emulator.server import Emulator
    from tokenvault_data.emulator.settings import EmulatorSettings
    from tokenvault_data.widgets.parts.text import Block


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


_GIVEN: Final = "as given"  # a name that no profile can have


class AccountBox:
    """A choice of profile, and what is known of the account.

    Parameters
    ----------
    account : str, Profile or Vault
    emulator : EmulatorSettings or None
        Of the emulator that is started when ``"emulator"`` is chosen and none answers.
    on_change : callable
        Called when another account was chosen, or more is known of this one.

    Attributes
    ----------
    box : ipywidgets.Box
    check : ipywidgets.Button
        To send one request.
    access : VaultAccess or None
        None while the account cannot be used.
    told_per_minute : int or None
        The account's limit as the vault has told it.
    """

    def __init__(
        self,
        account: str | Profile | Vault,
        emulator: EmulatorSettings | None,
        on_change: Callable[[], None],
    ) -> None:
        self._given = account
        self._emulator = emulator
        self._on_change = on_change
        self._was_asked = False
        self.access: VaultAccess | None = None
        self.told_per_minute: int | None = None
        self._said = named(Prose(is_live=True), "account")
        name = account if isinstance(account, str) else _GIVEN
        self._choice = named(
            ipywidgets.Dropdown(
                options=self._options(name),
                value=name,
                description="Profile",
                style=LABELS,
                layout=WIDE,
            ),
            "profile",
        )
        self.check = named(
            ipywidgets.Button(
                description="Check the account", tooltip="Send one request, for nobody's cards"
            ),
            "check",
        )
        self.box = card("Account", self._choice, self._said, self.check)
        self._open(account)
        self._choice.observe(self._chosen, "value")

    @property
    def profile_name(self) -> str:
        """Name of the profile that was chosen."""
        name: str = self._choice.value
        return self.access.profile.name if name == _GIVEN and self.access is not None else name

    @property
    def given_share(self) -> float | None:
        """The share of a vault that is the caller's, whose settings stay; None for ours."""
        if self.access is None or not self.access.is_given:
            return None
        return self.vault(1.0, None).budget.share

    def vault(self, share: float, limit_per_minute: int | None) -> Vault:
        """Give a vault of the account at a pace.

        Raises
        ------
        UsageError
            There is no account that can be used.
        """
        if self.access is None:
            raise UsageError("there is no account to collect from; choose a profile that works")
        rate = None if limit_per_minute is None else limit_per_minute * share
        return self.access.vault(share, rate)

    def ask(self, vault: Vault) -> None:
        """Send one request to see whether the account works, and learn its limit.

        Raises
        ------
        VaultError
            It does not.
        """
        self.learn(ask_for_nobody(vault))

    def learn(self, told_per_minute: int | None) -> bool:
        """Take note of the limit that the vault has told, or tells not; say if that is new."""
        if (told_per_minute, True) == (self.told_per_minute, self._was_asked):
            return False
        self.told_per_minute, self._was_asked = told_per_minute, True
        self._show()
        return True

    def enable(self, *, choice: bool, check: bool) -> None:
        """Say whether another account can be chosen, and whether this one can be asked."""
        self._choice.disabled = not choice
        self.check.disabled = not check or self.access is None

    def blocks(self) -> Iterator[Block]:
        """What the box says."""
        yield from blocks_of(self._said)

    def close(self) -> None:
        """Close what was opened for the account."""
        if self.access is not None:
            self.access.close()
            self.access = None

    def _options(self, name: str) -> list[tuple[str, str]]:
        known = {}
        try:
            known = known_profiles()
        except Exception as error:  # noqa: BLE001  one sentence; what was given may do without
            self._said.show(("warning", in_a_sentence(error)))
        labels = [
            (key if key == environment else f"{key}, {environment}", key)
            for key, environment in known.items()
        ]
        if name not in known:
            labels.insert(0, (name, name))
        return labels

    def _chosen(self, change: Any) -> None:
        self._open(self._given if change["new"] == _GIVEN else change["new"])
        self._on_change()

    def _open(self, account: str | Profile | Vault) -> None:
        self.close()
        self.told_per_minute, self._was_asked = None, False
        try:
            self.access = open_access(account, self._emulator)
        except Exception as error:  # noqa: BLE001  one sentence in the box
            self._said.show(("warning", in_a_sentence(error)))
        else:
            self._show()

    def _show(self) -> None:
        if self.access is not None:
            said = account_blocks(
                self.access.profile,
                emulator_is_ours=self.access.emulator is not None,
                told_per_minute=self.told_per_minute,
                was_asked=self._was_asked,
            )
            self._said.show(*said)
