"""Why a TLS connection was refused, in words that say what to do about it."""

from __future__ import annotations

import re
from typing import Final

_OWN_CA: Final = (
    "pass the certificate of the company's authority as --ca-file (in Python ca_file, or set"
    " TOKENVAULT_CA_FILE)"
)
# What the engine (rustls) and, for other httpx transports, OpenSSL say; the first that fits holds.
_KINDS: Final[dict[str, str]] = {
    r"CaUsedAsEndEntity": (
        "it shows the certificate of an authority (a self-signed one, perhaps) in place of one that"
        " was issued for a host. Ask whoever runs that server or proxy for a certificate of the"
        " host, issued by an authority"
    ),
    r"NotValidForName|not valid for|hostname mismatch|IP address mismatch": (
        "its certificate is for another host. Something else answers at this address: check the"
        " base URL, this machine's DNS, and the proxy"
    ),
    r"not valid yet|NotValidYet|not yet valid": (
        "its certificate is not valid yet. Check this machine's clock"
    ),
    r"expired": (
        "its certificate has expired. Check this machine's clock; if it is right, the certificate"
        " has to be renewed by whoever runs that server or proxy"
    ),
    r"revoked": "its certificate was revoked. Do not connect; ask whoever runs it",
    r"UnknownIssuer|unable to get|self.signed certificate in": (
        "its certificate comes from an authority that this machine does not know. If a company"
        f" proxy inspects TLS, {_OWN_CA}"
    ),
    r"self.signed": (
        "its certificate is self-signed. Ask whoever runs that server or proxy for one issued by an"
        " authority"
    ),
    r"corrupt message|InvalidContentType|wrong version number|unexpected": (
        "it does not speak TLS at this address. Check the port of the base URL, and whether the"
        " network wants a login first"
    ),
    r"incompatible|fatal alert|misbehaved|handshake": (
        "it and this machine share no version or cipher of TLS, or it asks for a client's"
        " certificate. A proxy in between may be too old"
    ),
    r"invalid peer certificate|certificate verify failed": (
        f"its certificate does not pass. If a company proxy inspects TLS, {_OWN_CA}"
    ),
}


def explained(reason: str) -> str:
    """Say what was wrong with the other side of a TLS connection, and what to do.

    Parameters
    ----------
    reason : str
        In the words of a TLS library.

    Returns
    -------
    str
        Two sentences, to follow "the vault could not prove who it is:"; no full stop at the end.

    Examples
    --------
    >>> explained("invalid peer certificate: certificate expired")[:30]
    'its certificate has expired. C'
    """
    return next(
        (told for kind, told in _KINDS.items() if re.search(kind, reason, re.IGNORECASE)), reason
    )
