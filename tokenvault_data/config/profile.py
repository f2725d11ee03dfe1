"""A profile: one environment, one account and one API version, checked to fit together."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Final

from tokenvault_data.config.credentials import (
    Credentials,
    MerchantCredentials,
    masked_account,
    merchant_digest,
)
from tokenvault_data.config.hosts import (
    EMULATOR_BASE_URL,
    ENVIRONMENTS,
    PRODUCTION_BASE_URL,
    SANDBOX_BASE_URL,
    Environment,
    check_base_url,
    environment_of,
)
from tokenvault_data.config.network import Network
from tokenvault_data.config.profile_file import check_profile_name
from tokenvault_data.errors import ProfileError
from tokenvault_data.redaction import Secret

DOCUMENTED_API_VERSIONS: Final = ("2022-09-01", "2023-08-01", "2025-01-01", "2026-01-01")
"""Versions whose answers are documented; later dates are accepted and sent as they are."""

DEFAULT_API_VERSION: Final = "2023-08-01"
"""The oldest version whose timestamps carry a zone, so that no account is too old for it and no
timestamp has to be guessed; newer ones add nothing documented to the four operations."""

BASE_URLS: Final[dict[Environment, str]] = {
    "emulator": EMULATOR_BASE_URL,
    "sandbox": SANDBOX_BASE_URL,
    "production": PRODUCTION_BASE_URL,
}
"""Where each environment is found, unless the emulator was given another port."""

_iso_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


@dataclass(frozen=True, slots=True)
class Profile:
    """Environment, credentials and API version under one name; its repr shows no secret.

    Attributes
    ----------
    name : str
        What the user calls it.
    environment : Environment
        ``emulator``, ``sandbox`` or ``production``; always the one that `base_url` belongs to.
    base_url : str
        Where requests go, without a slash at its end.
    credentials : MerchantCredentials or PartnerCredentials
        Who calls.
    api_version : str
        ``YYYY-MM-DD``, sent with every request.
    network : Network
        The proxy and the certificate authorities of the way there.

    Raises
    ------
    ProfileError
        When the parts do not fit together.
    """

    name: str
    environment: Environment
    base_url: str
    credentials: Credentials
    api_version: str = DEFAULT_API_VERSION
    network: Network = field(default_factory=Network)

    def __post_init__(self) -> None:
        check_profile_name(self.name)
        object.__setattr__(self, "base_url", check_base_url(self.base_url))
        check_api_version(self.api_version)
        if self.name in ENVIRONMENTS and self.name != self.environment:
            raise ProfileError(
                f"A profile named {self.name!r} cannot stand for {self.environment}: the name says"
                " where requests go; rename it."
            )
        if environment_of(self.base_url) != self.environment:
            raise ProfileError(
                f"Profile {self.name!r} says {self.environment}, but its address {self.base_url} is"
                f" {environment_of(self.base_url)}; correct one of them."
            )

    @property
    def merchant_digest(self) -> str:
        """Twelve hexadecimal digits that name the account without showing it."""
        return merchant_digest(self.credentials)

    @property
    def masked_account(self) -> str:
        """The client id, or merchant id, masked for a screen."""
        return masked_account(self.credentials)


def check_api_version(version: str) -> str:
    """Return an API version that can be sent.

    Parameters
    ----------
    version : str
        A date as ``YYYY-MM-DD``.

    Returns
    -------
    str
        `version`, unchanged.

    Raises
    ------
    ProfileError
        When it is no such date.
    """
    if _iso_date(version) and _is_calendar_date(version):
        return version
    raise ProfileError(
        "The API version is not a date written as YYYY-MM-DD; use one of"
        f" {', '.join(DOCUMENTED_API_VERSIONS)}."
    )


def emulator_profile(
    base_url: str = EMULATOR_BASE_URL,
    *,
    api_version: str = DEFAULT_API_VERSION,
    client_id: str = "emulator-client",
    client_secret: str = "emulator-made-up",  # noqa: S107  opens nothing but the emulator
) -> Profile:
    """Return the profile of an emulator on this machine.

    Parameters
    ----------
    base_url : str, optional
        Where it listens.
    api_version : str, optional
        Version to speak.
    client_id, client_secret : str, optional
        Made up; the emulator takes any unless told which to demand.

    Returns
    -------
    Profile
        Named ``emulator``.

    Raises
    ------
    ProfileError
        When `base_url` is not on this machine.
    """
    credentials = MerchantCredentials(Secret(client_id), Secret(client_secret))
    return Profile("emulator", "emulator", base_url, credentials, api_version)


def _is_calendar_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True
