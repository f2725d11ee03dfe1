"""A profile: one environment, one account and one API version, checked to fit together."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tokenvault_data.config.credentials import (
    EMULATOR_BASE_URL,
    ENVIRONMENTS,
    PRODUCTION_BASE_URL,
    SANDBOX_BASE_URL,
    Credentials,
    Environment,
    MerchantCredentials,
    check_base_url,
    environment_of,
    masked_account,
    merchant_digest,
)
from tokenvault_data.config.network import Network
from tokenvault_data.errors import ProfileError
from tokenvault_data.private_files import NotPrivateError, read_private_file, write_private_file
from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


FILE_NAME: Final = "profiles.toml"

SECRET_KEYS: Final = ("client_secret", "partner_api_key", "client_signature", "proxy")
"""Keys whose value may be ``keyring``, which says that the system keyring holds it."""

KEYS: Final = (
    "environment",
    "base_url",
    "api_version",
    "ca_file",
    "client_id",
    "partner_merchant_id",
    *SECRET_KEYS,
)

_profile_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}").fullmatch
_table_header = re.compile(
    r"\s*\[\s*[\"']?(?P<name>[A-Za-z0-9_-]+)[\"']?\s*\]\s*(?:#.*)?"
).fullmatch
_any_header = re.compile(r"\s*\[").match


def check_profile_name(name: str) -> str:
    """Return a name that a profile can have.

    Parameters
    ----------
    name : str
        Letters, digits, ``_`` and ``-``, at most 64.

    Returns
    -------
    str
        `name`, unchanged.

    Raises
    ------
    ProfileError
        For any other name.
    """
    given: object = name
    if not isinstance(given, str) or _profile_name(given) is None:
        raise ProfileError(
            "A profile's name is made of 1 to 64 letters, digits, '_' and '-', and this one is not;"
            " choose another."
        )
    return name


def read_profile_file(path: Path) -> dict[str, dict[str, str]]:
    """Read all profiles of a file.

    Parameters
    ----------
    path : Path
        The file; a missing one holds no profiles.

    Returns
    -------
    dict of str to dict of str to str
        Name to settings, as written; secrets may be among them.

    Raises
    ------
    ProfileError
        When others can read the file, or it holds something that is no profile.
    """
    try:
        content = read_private_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except NotPrivateError as error:
        raise ProfileError(f"The profile file was not used: {path} {error}.") from None
    except OSError as error:
        raise ProfileError(f"The profile file {path} cannot be read: {error.strerror}.") from None
    return _parse(content, path)


def check_name_is_free(path: Path, name: str) -> None:
    """Make sure that a file holds no profile of a name.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        The profile's name.

    Raises
    ------
    ProfileError
        When it does, or the file is unsafe or damaged.
    """
    if name in read_profile_file(path):
        raise ProfileError(
            f"Nothing was changed: {path} already holds a profile {name!r}; choose another name or"
            " ask for it to be replaced."
        )


def write_profile(path: Path, name: str, settings: Mapping[str, str], *, replace: bool) -> None:
    """Add one profile to a file, or replace it; everything else in the file stays as it is.

    Parameters
    ----------
    path : Path
        The file; made when it is missing.
    name : str
        The profile's name.
    settings : mapping of str to str
        Its settings, by the names of `KEYS`.
    replace : bool
        Whether a profile of that name gives way.

    Raises
    ------
    ProfileError
        When there is one of that name already and `replace` is false, or the file is unsafe,
        damaged or cannot be written.
    """
    check_profile_name(name)
    if not replace:
        check_name_is_free(path, name)
    before = read_profile_file(path)
    text = read_private_file(path).decode("utf-8-sig") if path.exists() else ""
    table = "".join(f"{key} = {_quoted(value)}\n" for key, value in settings.items())
    rest = _without_table(text, name)
    gap = "" if not rest or rest.endswith("\n\n") else "\n" if rest.endswith("\n") else "\n\n"
    content = f"{rest}{gap}[{name}]\n{table}".encode()
    if not _reads_as(content, before | {name: dict(settings)}):
        raise ProfileError(
            f"Nothing was changed: {path} is laid out in a way that cannot be edited safely;"
            f" write the table [{name}] by hand."
        )
    try:
        write_private_file(path, content, replace=True)
    except OSError as error:
        raise ProfileError(
            f"The profile was not saved: {path} cannot be written ({error.strerror})."
        ) from None


def _reads_as(content: bytes, tables: Mapping[str, Mapping[str, str]]) -> bool:
    try:
        return tomllib.loads(content.decode()) == tables
    except tomllib.TOMLDecodeError:
        return False


def _parse(content: bytes, path: Path) -> dict[str, dict[str, str]]:
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ProfileError(f"The profile file {path} is not UTF-8 text; save it as such.") from None
    except tomllib.TOMLDecodeError as error:
        # Only the place, because the parser may quote what stands there.
        place = re.search(r"\(at [^()]*\)", str(error))
        raise ProfileError(
            f"The profile file {path} is not valid TOML {place[0] if place else ''}; correct it."
        ) from None
    for name, settings in tables.items():
        if not isinstance(settings, dict) or _profile_name(name) is None:
            raise ProfileError(
                f"The profile file {path} holds a top-level entry that is no profile; write each"
                " profile as a table such as [shop], named with letters, digits, '_' and '-'."
            )
        unknown = sorted(set(settings) - set(KEYS))
        if unknown:
            raise ProfileError(
                f"Profile {name!r} in {path} has unknown settings {', '.join(map(ascii, unknown))};"
                f" known are {', '.join(KEYS)}."
            )
        for key, value in settings.items():
            if not isinstance(value, str):
                raise ProfileError(
                    f"Setting {key} of profile {name!r} in {path} is not text; put it in quotes."
                )
    return tables


def _without_table(text: str, name: str) -> str:
    kept = []
    inside = False
    for line in text.splitlines(keepends=True):
        if _any_header(line):
            header = _table_header(line.rstrip("\r\n"))
            inside = header is not None and header["name"] == name
        if not inside:
            kept.append(line)
    return "".join(kept)


def _quoted(value: str) -> str:
    if not value.isprintable():
        raise ProfileError("A profile's setting holds a control character; set it again without.")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


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
