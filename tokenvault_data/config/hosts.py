"""The only places that credentials are ever sent to: two known hosts, or this machine.

An address is matched whole against what is allowed, instead of being parsed and then inspected:
parsers disagree about user names, odd digits and look-alike letters, and an attacker lives off the
difference. What is not plainly allowed is refused.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from tokenvault_data.errors import ProfileError

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
