"""Where credentials are found: a table of the profile file, the keyring, variables, a prompt."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.config.credentials import MerchantCredentials, PartnerCredentials
from tokenvault_data.config.network import network_of
from tokenvault_data.config.profile import SECRET_KEYS
from tokenvault_data.errors import ProfileError
from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from tokenvault_data.config.credentials import Credentials, Environment
    from tokenvault_data.config.network import Network

Prompt = Callable[[str], str]
"""Asks a question without echoing the answer, as `getpass.getpass` does."""

KEYRING_SERVICE: Final = "tokenvault-data"
"""The keyring's service name; the user name of an entry is ``profile:setting``."""

_CLIENT_ID: Final = ("CASHFREE_CLIENT_ID", "CASHFREE_APP_ID")
_CLIENT_SECRET: Final = ("CASHFREE_CLIENT_SECRET", "CASHFREE_SECRET_KEY")
_PARTNER_API_KEY: Final = ("CASHFREE_PARTNER_API_KEY",)
_PARTNER_MERCHANT_ID: Final = ("CASHFREE_PARTNER_MERCHANT_ID",)
_CLIENT_SIGNATURE: Final = ("CASHFREE_CLIENT_SIGNATURE",)


def setting(environ: Mapping[str, str], *names: str) -> str | None:
    """Read one setting that several variables may name.

    Parameters
    ----------
    environ : mapping of str to str
        Environment variables.
    *names : str
        The variable and its aliases.

    Returns
    -------
    str or None
        The value; None when no variable is set, or only to nothing.

    Raises
    ------
    ProfileError
        When two of them are set and differ.
    """
    found = {name: environ[name] for name in names if environ.get(name)}
    if len(set(found.values())) > 1:
        raise ProfileError(
            f"{' and '.join(found)} mean the same and are set to different values; unset one."
        )
    return next(iter(found.values()), None)


def has_credential_variables(environ: Mapping[str, str]) -> bool:
    """Tell whether any variable holds a credential."""
    kinds = (_CLIENT_ID, _CLIENT_SECRET, _PARTNER_API_KEY, _PARTNER_MERCHANT_ID)
    return any(environ.get(name) for kind in kinds for name in kind)


def credentials_of_variables(
    environ: Mapping[str, str], environment: Environment, prompt: Prompt | None
) -> Credentials:
    """Take credentials from environment variables, and ask for what is missing.

    Parameters
    ----------
    environ : mapping of str to str
        Environment variables.
    environment : Environment
        What they are for, to say so in questions and errors.
    prompt : Prompt or None
        Asks; None asks with `getpass` on a terminal, and not at all elsewhere.

    Returns
    -------
    Credentials
        Complete.

    Raises
    ------
    ProfileError
        When they contradict each other, or something is missing and cannot be asked for.
    """
    client_id = _secret(environ, _CLIENT_ID)
    client_secret = _secret(environ, _CLIENT_SECRET)
    api_key = _secret(environ, _PARTNER_API_KEY)
    merchant_id = _secret(environ, _PARTNER_MERCHANT_ID)
    signature = _secret(environ, _CLIENT_SIGNATURE)
    if (client_id or client_secret) and (api_key or merchant_id):
        raise ProfileError(
            "Both a merchant's and a partner's credentials are set; unset CASHFREE_CLIENT_ID and"
            " CASHFREE_CLIENT_SECRET, or the CASHFREE_PARTNER_ variables."
        )
    if api_key or merchant_id:
        return PartnerCredentials(
            api_key or _ask(_PARTNER_API_KEY[0], "partner API key", environment, prompt),
            merchant_id or _ask(_PARTNER_MERCHANT_ID[0], "merchant id", environment, prompt),
            signature,
        )
    return MerchantCredentials(
        client_id or _ask(_CLIENT_ID[0], "client id", environment, prompt),
        client_secret or _ask(_CLIENT_SECRET[0], "client secret", environment, prompt),
        signature,
    )


def credentials_of_table(profile_name: str, table: Mapping[str, str]) -> Credentials | None:
    """Take credentials from a table of the profile file, and from the keyring where it says so.

    Parameters
    ----------
    profile_name : str
        The profile's name, which is also its name in the keyring.
    table : mapping of str to str
        Its settings.

    Returns
    -------
    Credentials or None
        None when the table holds none at all.

    Raises
    ------
    ProfileError
        When they are incomplete, contradictory, or not in the keyring.
    """
    names = ("client_id", "client_secret", "partner_api_key", "partner_merchant_id")
    present = [name for name in names if name in table]
    if not present:
        if "client_signature" in table:
            raise ProfileError(
                f"Profile {profile_name!r} has a client_signature but no credentials; add them."
            )
        return None
    if present not in (list(names[:2]), list(names[2:])):
        raise ProfileError(
            f"Profile {profile_name!r} needs client_id and client_secret, or partner_api_key and"
            f" partner_merchant_id, and has {' and '.join(present)}; correct it."
        )
    first, second = (_table_secret(profile_name, name, table[name]) for name in present)
    signature = (
        _table_secret(profile_name, "client_signature", table["client_signature"])
        if "client_signature" in table
        else None
    )
    kind = MerchantCredentials if present[0] == "client_id" else PartnerCredentials
    return kind(first, second, signature)


def network_of_table(
    profile_name: str, table: Mapping[str, str], environ: Mapping[str, str]
) -> Network:
    """Take the way to the vault from a profile's table and keyring, and from the variables.

    Raises
    ------
    ProfileError
        The proxy's address is not one, or not in the keyring.
    """
    settings = dict(table)
    if "proxy" in settings:
        settings["proxy"] = _table_secret(profile_name, "proxy", settings["proxy"]).reveal()
    return network_of(settings, environ)


def store_in_keyring(profile_name: str, key: str, secret: Secret) -> None:
    """Put one secret of a profile into the system keyring.

    Parameters
    ----------
    profile_name, key : str
        The profile, and the setting of it.
    secret : Secret
        What to keep.

    Raises
    ------
    ProfileError
        When there is no keyring or it refuses.
    """
    keyring = _keyring()
    try:
        keyring.set_password(KEYRING_SERVICE, f"{profile_name}:{key}", secret.reveal())
    except keyring.errors.KeyringError as error:
        raise ProfileError(
            f"The system keyring did not take {key} of profile {profile_name!r}"
            f" ({type(error).__name__}); unlock or set up the keyring, or keep it in the file."
        ) from None


def _secret(environ: Mapping[str, str], names: tuple[str, ...]) -> Secret | None:
    value = setting(environ, *names)
    return None if value is None else Secret(value)


def _table_secret(profile_name: str, key: str, value: str) -> Secret:
    if key not in SECRET_KEYS or value != "keyring":
        return Secret(value)
    keyring = _keyring()
    try:
        kept = keyring.get_password(KEYRING_SERVICE, f"{profile_name}:{key}")
    except keyring.errors.KeyringError as error:
        raise ProfileError(
            f"The system keyring did not give {key} of profile {profile_name!r}"
            f" ({type(error).__name__}); unlock or set up the keyring."
        ) from None
    if not kept:
        raise ProfileError(
            f"The system keyring holds no {key} of profile {profile_name!r}; run:"
            f" keyring set {KEYRING_SERVICE} {profile_name}:{key}"
        )
    return Secret(kept)


def _keyring() -> Any:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise ProfileError(
            "The profile keeps a secret in the system keyring, which needs one more package;"
            " run: pip install 'tokenvault-data[keyring]'"
        ) from None
    return keyring


def _ask(variable: str, what: str, environment: Environment, prompt: Prompt | None) -> Secret:
    if prompt is None:
        if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
            raise ProfileError(
                f"The {what} for {environment} is missing and there is no terminal to ask on;"
                f" set {variable}, or name a profile that has it."
            )
        prompt = getpass.getpass
    try:
        answer = Secret(prompt(f"{what[0].upper()}{what[1:]} for {environment}: ").strip())
    except EOFError:
        answer = Secret("")
    if not answer:
        raise ProfileError(f"No {what} was given; set {variable} or answer the question.")
    return answer
