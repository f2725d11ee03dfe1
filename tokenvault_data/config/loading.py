"""Profiles: which vault, with whose credentials, in which API version.

Where a profile comes from, in this order:

1. a name: the table of that name in ``profiles.toml`` (see `profile`), whose secrets may be
   left to the system keyring;
2. without a table, the environment variables ``CASHFREE_ENVIRONMENT``, ``CASHFREE_CLIENT_ID``,
   ``CASHFREE_CLIENT_SECRET`` and so on, for the environment that they, or the name, state;
3. on a terminal, a prompt for the credentials that are still missing;
4. with nothing said at all, the emulator on this machine.

Sources are never guessed between: when two contradict each other that is an error, because the
wrong guess would send live credentials, or deletes, to the wrong place.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from tokenvault_data.config.credentials import (
    ENVIRONMENTS,
    Environment,
    MerchantCredentials,
    check_base_url,
    environment_of,
)
from tokenvault_data.config.profile import (
    BASE_URLS,
    DEFAULT_API_VERSION,
    DOCUMENTED_API_VERSIONS,
    FILE_NAME,
    Profile,
    check_api_version,
    check_name_is_free,
    check_profile_name,
    emulator_profile,
    read_profile_file,
    write_profile,
)
from tokenvault_data.config.sources import (
    Prompt,
    credentials_of_table,
    credentials_of_variables,
    has_credential_variables,
    network_of_table,
    setting,
    store_in_keyring,
)
from tokenvault_data.errors import ProfileError
from tokenvault_data.private_files import config_directory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "DEFAULT_API_VERSION",
    "DOCUMENTED_API_VERSIONS",
    "Profile",
    "check_api_version",
    "emulator_profile",
    "list_profiles",
    "load_profile",
    "save_profile",
]


def load_profile(
    name: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    config_dir: Path | None = None,
    prompt: Prompt | None = None,
) -> Profile:
    """Find a profile by name, in environment variables, or by asking.

    Parameters
    ----------
    name : str, optional
        A table of the profile file, or ``emulator``, ``sandbox``, ``production``.
    environ : mapping of str to str, optional
        In place of the process's environment variables.
    config_dir : Path, optional
        Directory of ``profiles.toml``; by default that of `private_files.config_directory`.
    prompt : callable of str to str, optional
        Asks for a missing credential without echo; by default `getpass.getpass`, and only when
        standard input and standard error are terminals.

    Returns
    -------
    Profile
        Checked and complete.

    Raises
    ------
    ProfileError
        When something is missing, unsafe or contradictory; one sentence with the fix.
    """
    environ = os.environ if environ is None else environ
    table: Mapping[str, str] = {}
    if name is None:
        return _with_network(_of_variables(None, environ, prompt), table, environ)
    check_profile_name(name)
    path = _profile_path(environ, config_dir)
    tables = read_profile_file(path)
    if name in tables:
        table = tables[name]
        return _with_network(_of_table(name, table, environ, prompt), table, environ)
    for environment in ENVIRONMENTS:
        if name == environment:
            return _with_network(_of_variables(environment, environ, prompt), table, environ)
    known = ", ".join(sorted({*tables, *ENVIRONMENTS}))
    raise ProfileError(f"There is no profile {name!r} in {path}; known are {known}.")


def list_profiles(
    *, environ: Mapping[str, str] | None = None, config_dir: Path | None = None
) -> dict[str, str]:
    """List the profiles of the profile file; no secret is looked up.

    Parameters
    ----------
    environ : mapping of str to str, optional
        In place of the process's environment variables.
    config_dir : Path, optional
        Directory of ``profiles.toml``.

    Returns
    -------
    dict of str to str
        Name to environment, in the order of the file.

    Raises
    ------
    ProfileError
        When the file is unsafe or damaged.
    """
    environ = os.environ if environ is None else environ
    tables = read_profile_file(_profile_path(environ, config_dir))
    return {name: _table_environment(name, table) for name, table in tables.items()}


def save_profile(
    profile: Profile,
    *,
    environ: Mapping[str, str] | None = None,
    config_dir: Path | None = None,
    keyring: bool = False,
    replace: bool = False,
) -> Path:
    """Save a profile to the profile file, readable by this user only.

    Parameters
    ----------
    profile : Profile
        What to save.
    environ : mapping of str to str, optional
        In place of the process's environment variables.
    config_dir : Path, optional
        Directory of ``profiles.toml``; made when missing.
    keyring : bool, optional
        Whether secrets go to the system keyring instead of the file.
    replace : bool, optional
        Whether a profile of that name gives way.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ProfileError
        When there is one of that name and `replace` is false, or it cannot be written.
    """
    environ = os.environ if environ is None else environ
    path = _profile_path(environ, config_dir)
    table = {"environment": profile.environment, "api_version": profile.api_version}
    if profile.environment == "emulator":
        table["base_url"] = profile.base_url
    who = profile.credentials
    if isinstance(who, MerchantCredentials):
        secrets = {"client_secret": who.client_secret}
        table["client_id"] = who.client_id.reveal()
    else:
        secrets = {"partner_api_key": who.api_key}
        table["partner_merchant_id"] = who.merchant_id.reveal()
    if who.client_signature is not None:
        secrets["client_signature"] = who.client_signature
    if profile.network.proxy is not None:
        secrets["proxy"] = profile.network.proxy
    if profile.network.ca_file is not None:
        table["ca_file"] = str(profile.network.ca_file)
    if not replace:
        check_name_is_free(path, profile.name)  # before anything in the keyring is overwritten
    for key, secret in secrets.items():
        if keyring:
            store_in_keyring(profile.name, key, secret)
        table[key] = "keyring" if keyring else secret.reveal()
    write_profile(path, profile.name, table, replace=replace)
    return path


def _with_network(
    profile: Profile, table: Mapping[str, str], environ: Mapping[str, str]
) -> Profile:
    return dataclasses.replace(profile, network=network_of_table(profile.name, table, environ))


def _profile_path(environ: Mapping[str, str], config_dir: Path | None) -> Path:
    return (config_directory(environ) if config_dir is None else config_dir) / FILE_NAME


def _stated_base_url(environ: Mapping[str, str]) -> str | None:
    base_url = setting(environ, "TOKENVAULT_BASE_URL")
    return None if base_url is None else check_base_url(base_url)


def _stated_environment(environ: Mapping[str, str]) -> Environment | None:
    """Tell which environment the variables speak of, if they say."""
    base_url = _stated_base_url(environ)
    of_url = None if base_url is None else environment_of(base_url)
    stated = setting(environ, "CASHFREE_ENVIRONMENT")
    if stated is None:
        return of_url
    for environment in ENVIRONMENTS:
        if stated.lower() == environment:
            if of_url not in {None, environment}:
                raise ProfileError(
                    f"CASHFREE_ENVIRONMENT says {environment}, but TOKENVAULT_BASE_URL leads to the"
                    f" {of_url}; unset one of them."
                )
            return environment
    raise ProfileError(
        f"CASHFREE_ENVIRONMENT is none of {', '.join(ENVIRONMENTS)}; set it to one of them."
    )


def _of_variables(
    wanted: Environment | None, environ: Mapping[str, str], prompt: Prompt | None
) -> Profile:
    api_version = setting(environ, "CASHFREE_API_VERSION") or DEFAULT_API_VERSION
    stated = _stated_environment(environ)
    base_url = _stated_base_url(environ)
    if wanted == "emulator" and stated != "emulator":
        # The variables speak of another vault, or do not say; their credentials are not for this.
        if base_url is not None:
            _refuse_other("emulator", stated)
        return emulator_profile(api_version=api_version)
    if wanted is not None and stated not in {None, wanted}:
        _refuse_other(wanted, stated)
    environment = wanted or stated
    if environment is None:
        if has_credential_variables(environ):
            raise ProfileError(
                "Credentials are set, but not where they belong: set CASHFREE_ENVIRONMENT to"
                " sandbox or production, or name a profile."
            )
        return emulator_profile(api_version=api_version)
    if environment == "emulator" and not has_credential_variables(environ):
        return emulator_profile(base_url or BASE_URLS["emulator"], api_version=api_version)
    credentials = credentials_of_variables(environ, environment, prompt)
    return Profile(
        environment, environment, base_url or BASE_URLS[environment], credentials, api_version
    )


def _of_table(
    name: str, table: Mapping[str, str], environ: Mapping[str, str], prompt: Prompt | None
) -> Profile:
    environment = _table_environment(name, table)
    base_url = table.get("base_url")
    stated_url = _stated_base_url(environ)
    if stated_url is not None:
        if environment_of(stated_url) != environment:
            _refuse_other(environment, environment_of(stated_url))
        if base_url not in {None, stated_url}:
            raise ProfileError(
                f"Profile {name!r} and TOKENVAULT_BASE_URL name different addresses; unset one."
            )
        base_url = stated_url
    credentials = credentials_of_table(name, table)
    if credentials is None:
        stated = _stated_environment(environ)
        if stated not in {None, environment}:
            _refuse_other(environment, stated)
        if environment == "emulator" and not has_credential_variables(environ):
            credentials = emulator_profile().credentials
        else:
            credentials = credentials_of_variables(environ, environment, prompt)
    return Profile(
        name,
        environment,
        base_url or BASE_URLS[environment],
        credentials,
        table.get("api_version") or setting(environ, "CASHFREE_API_VERSION") or DEFAULT_API_VERSION,
    )


def _table_environment(name: str, table: Mapping[str, str]) -> Environment:
    for environment in ENVIRONMENTS:
        if table.get("environment") == environment:
            return environment
    raise ProfileError(
        f"Profile {name!r} has no environment that is one of {', '.join(ENVIRONMENTS)}; add it."
    )


def _refuse_other(wanted: Environment, stated: Environment | None) -> None:
    raise ProfileError(
        f"The profile asked for is {wanted}, but the environment variables (CASHFREE_ENVIRONMENT,"
        f" TOKENVAULT_BASE_URL) speak of {stated}; unset them or ask for {stated}."
    )
