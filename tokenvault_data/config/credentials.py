"""Who calls the vault: a merchant, or a partner acting for one; and the headers that say so.

Header names are those of the gateway's public documentation. Values are checked here, once, so
that no line break in a credential can smuggle a header into a request.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal

from tokenvault_data.errors import ProfileError
from tokenvault_data.redaction import Secret, mask_credential

Environment = Literal["emulator", "sandbox", "production"]
"""Which vault is meant; nothing saved in one exists in another."""

ENVIRONMENTS: Final[tuple[Environment, ...]] = ("emulator", "sandbox", "production")

SANDBOX_BASE_URL: Final = "https://sandbox.cashfree.com/pg"
"""Cashfree's own test host."""

PRODUCTION_BASE_URL: Final = "https://api.cashfree.com/pg"
"""Cashfree's live host."""

EMULATOR_BASE_URL: Final = "http://127.0.0.1:8787/pg"
"""Where the local emulator listens unless it is told another port."""

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PORT: Final = (
    r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_STEP: Final = r"(?!\.\.?(?:/|\Z))[A-Za-z0-9._~-]+"
_loopback = re.compile(
    rf"https?://(?:127\.{_OCTET}\.{_OCTET}\.{_OCTET}|\[::1\]|localhost)(?::{_PORT})?(?:/{_STEP})*"
).fullmatch


def check_base_url(url: str) -> str:
    """Return an address that credentials may be sent to.

    Parameters
    ----------
    url : str
        ``https://sandbox.cashfree.com/pg``, ``https://api.cashfree.com/pg``, or an ``http`` or
        ``https`` address on loopback (``127.0.0.0/8``, ``[::1]``, ``localhost``) with any port and
        path.

    Returns
    -------
    str
        The address without a slash at its end.

    Raises
    ------
    ProfileError
        For everything else: other hosts or schemes, user names, queries, fragments, other
        spellings of an address.

    Examples
    --------
    >>> check_base_url("http://127.0.0.1:8787/pg/")
    'http://127.0.0.1:8787/pg'
    """
    plain = url.removesuffix("/")
    if plain in {SANDBOX_BASE_URL, PRODUCTION_BASE_URL} or _loopback(plain):
        return plain
    # An address with a user name may hold a password, which must not get into a message.
    shown = "the given address" if "@" in url or len(url) > 100 else ascii(url)
    raise ProfileError(
        f"Nothing was sent, because {shown} is not a place that credentials may go to: use"
        f" {SANDBOX_BASE_URL}, {PRODUCTION_BASE_URL}, or an http(s) address on this machine such as"
        f" {EMULATOR_BASE_URL}."
    )


def environment_of(base_url: str) -> Environment:
    """Tell which environment an address belongs to.

    Parameters
    ----------
    base_url : str
        An address that `check_base_url` accepts.

    Returns
    -------
    Environment
        ``emulator`` for every address on this machine.

    Raises
    ------
    ProfileError
        As `check_base_url`.
    """
    checked = check_base_url(base_url)
    if checked == SANDBOX_BASE_URL:
        return "sandbox"
    if checked == PRODUCTION_BASE_URL:
        return "production"
    return "emulator"


MAX_HEADER_VALUE_BYTES: Final = 2048
"""Room for the longest documented value, an RSA signature in base64; servers end at 4 to 8 KiB."""


def check_header_value(value: str, *, called: str) -> str:
    """Return a value that is safe in an HTTP header.

    Parameters
    ----------
    value : str
        The value; it is never quoted in an error.
    called : str
        What the user knows it as, for the error.

    Returns
    -------
    str
        `value`, unchanged.

    Raises
    ------
    ProfileError
        Unless it is 1 to 2,048 printable ASCII characters without white space.
    """
    if not value:
        raise ProfileError(f"{called} is empty; set it, or leave it out.")
    if len(value) > MAX_HEADER_VALUE_BYTES:
        raise ProfileError(
            f"{called} is longer than {MAX_HEADER_VALUE_BYTES:,} characters; check what was pasted."
        )
    for position, sign in enumerate(value, start=1):
        if not "!" <= sign <= "~":
            kind = (
                "a line break"
                if sign in "\r\n"
                else "white space"
                if sign.isspace()
                else "a character that is not printable ASCII"
            )
            raise ProfileError(
                f"{called} holds {kind} at position {position}, which no header may carry;"
                " set it again without."
            )
    return value


@dataclass(frozen=True, slots=True)
class MerchantCredentials:
    """A merchant's own access.

    Attributes
    ----------
    client_id, client_secret : Secret
        As shown on the merchant's dashboard.
    client_signature : Secret or None
        For accounts that ask for a signed client.
    """

    client_id: Secret
    client_secret: Secret
    client_signature: Secret | None = None

    def __post_init__(self) -> None:
        _check(self.client_id, "The client id")
        _check(self.client_secret, "The client secret")
        _check(self.client_signature, "The client signature")

    def headers(self) -> dict[str, Secret]:
        """Return the request headers; reveal the values only while a request is written."""
        named = {"x-client-id": self.client_id, "x-client-secret": self.client_secret}
        return named | _signature(self.client_signature)

    def account(self) -> Secret:
        """Return what names the account."""
        return self.client_id


@dataclass(frozen=True, slots=True)
class PartnerCredentials:
    """A partner's access on behalf of one merchant.

    Attributes
    ----------
    api_key : Secret
        The partner's key.
    merchant_id : Secret
        The merchant acted for.
    client_signature : Secret or None
        For accounts that ask for a signed client.
    """

    api_key: Secret
    merchant_id: Secret
    client_signature: Secret | None = None

    def __post_init__(self) -> None:
        _check(self.api_key, "The partner API key")
        _check(self.merchant_id, "The partner's merchant id")
        _check(self.client_signature, "The client signature")

    def headers(self) -> dict[str, Secret]:
        """Return the request headers; reveal the values only while a request is written."""
        named = {"x-partner-apikey": self.api_key, "x-partner-merchantid": self.merchant_id}
        return named | _signature(self.client_signature)

    def account(self) -> Secret:
        """Return what names the account."""
        return self.merchant_id


Credentials = MerchantCredentials | PartnerCredentials


def merchant_digest(credentials: Credentials) -> str:
    """Name an account without showing it, the same on every machine.

    Parameters
    ----------
    credentials : Credentials
        Whose account.

    Returns
    -------
    str
        Twelve hexadecimal digits, fit for the name of a run.
    """
    account = credentials.account().reveal().encode()
    return hashlib.sha256(b"tokenvault-data account\0" + account).hexdigest()[:12]


def masked_account(credentials: Credentials) -> str:
    """Return the client id, or merchant id, masked for a screen."""
    return mask_credential(credentials.account().reveal())


def _check(secret: Secret | None, called: str) -> None:
    if secret is not None:
        check_header_value(secret.reveal(), called=called)


def _signature(signature: Secret | None) -> dict[str, Secret]:
    return {} if signature is None else {"x-client-signature": signature}
