"""The way to the vault out of a company's network: its proxy, and its certificate authority.

Both are said explicitly: by ``--proxy`` and ``--ca-file``, by the environment variables
``TOKENVAULT_PROXY`` and ``TOKENVAULT_CA_FILE``, or by the keys ``proxy`` and ``ca_file`` of a
profile. The variables that other tools follow (``HTTPS_PROXY`` and so on) are not followed, since
credentials go this way; where one of them is set and a connection fails, `connection_notes` says
so.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenvault_data.errors import ProfileError
from tokenvault_data.local_paths import local_path
from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROXY_VARIABLE: Final = "TOKENVAULT_PROXY"
CA_FILE_VARIABLE: Final = "TOKENVAULT_CA_FILE"

DIRECT: Final = "none"
"""What a proxy is called that is switched off, e.g. one that the profile names."""

_PROXY_VARIABLES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")

_proxy = re.compile(
    r"(?P<scheme>http)://(?:(?P<user>[^\s:/?#@]*)(?::[^\s/?#@]*)?@)?"
    r"(?P<place>(?:[A-Za-z0-9._-]+|\[(?P<six>[0-9A-Fa-f:.]+)\]):(?P<port>[0-9]{1,5}))/?"
).fullmatch


@dataclass(frozen=True, slots=True)
class Network:
    """How requests leave this machine.

    Attributes
    ----------
    proxy : Secret or None
        Address of an HTTP proxy, ``http://[user:password@]host:port``; a secret, for it may hold
        a password. Requests to a plain ``http`` address, which is always on this machine, never
        take it.
    ca_file : Path or None
        More certificates (PEM) to trust, beside those of the system.

    Raises
    ------
    ProfileError
        The proxy's address is not one.
    """

    proxy: Secret | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if self.proxy is not None and not _is_usable(self.proxy.reveal()):
            raise ProfileError(
                "The proxy's address is not usable: write it as http://host:port, with"
                " user:password@ before the host where the proxy asks for them (special characters"
                " percent-encoded)."
            )

    @property
    def proxy_place(self) -> str | None:
        """Scheme, host and port of the proxy; no user, no password."""
        found = None if self.proxy is None else _proxy(self.proxy.reveal())
        return None if found is None else f"{found['scheme']}://{found['place']}"

    def replace(
        self, proxy: str | None = None, ca_file: str | os.PathLike[str] | None = None
    ) -> Network:
        """Return the same with what is given in place of what was there; `DIRECT` for no proxy."""
        return Network(
            proxy=self.proxy if proxy is None else _stated(proxy),
            ca_file=self.ca_file if ca_file is None else local_path(ca_file).expanduser(),
        )


def network_of(table: Mapping[str, str], environ: Mapping[str, str]) -> Network:
    """Take the network from the environment variables and, where these are silent, from a profile.

    Parameters
    ----------
    table : mapping of str to str
        The profile's settings.
    environ : mapping of str to str
        Environment variables.

    Raises
    ------
    ProfileError
        The proxy's address is not one.
    """
    of_table = Network().replace(table.get("proxy"), table.get("ca_file"))
    return of_table.replace(
        environ.get(PROXY_VARIABLE) or None, environ.get(CA_FILE_VARIABLE) or None
    )


def connection_notes(network: Network, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Say what to look at when a connection fails: the proxy, and variables that are not followed.

    Returns
    -------
    tuple of str
        Sentences; none where there is nothing to say.
    """
    set_here = os.environ if environ is None else environ
    told = []
    if network.proxy_place is not None:
        told.append(f"Requests go through the proxy {network.proxy_place}.")
    else:
        told += _hint(_PROXY_VARIABLES, "--proxy", PROXY_VARIABLE, "proxy", set_here)
    if network.ca_file is None:
        told += _hint(_CA_VARIABLES, "--ca-file", CA_FILE_VARIABLE, "file", set_here)
    return tuple(told)


def _hint(
    names: tuple[str, ...], option: str, ours: str, what: str, environ: Mapping[str, str]
) -> list[str]:
    found = next((name for name in names if environ.get(name)), None)
    if found is None:
        return []
    return [f"{found} is set but not used; to use that {what}, pass it as {option} or set {ours}."]


def _is_usable(proxy: str) -> bool:
    found = _proxy(proxy)
    if found is None or not 0 < int(found["port"]) < 65_536:
        return False
    if found["six"] is not None:
        import ipaddress

        try:
            ipaddress.IPv6Address(found["six"])
        except ValueError:
            return False
    return True


def _stated(proxy: str) -> Secret | None:
    if not isinstance(proxy, str):
        raise ProfileError(
            f"The proxy was given as {type(proxy).__name__}; give its address as text."
        )
    return None if proxy.strip().lower() == DIRECT else Secret(proxy.strip())
