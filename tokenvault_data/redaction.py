"""What must not be seen is not shown: secrets, customer ids, credentials.

Secrets are held by `Secret`, which shows nothing of itself wherever Python would print it.
`scrub` is the net below: it takes every secret that is alive out of a text, also where some other
library has put it there. Customer ids are personal data, so logs get a keyed hash
(`customer_hash`) and screens a mask (`mask_id`).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import hashlib
import hmac
import json
import secrets
import weakref
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import quote

from tokenvault_data.errors import UsageError
from tokenvault_data.private_files import (
    NotPrivateError,
    config_directory,
    read_private_file,
    write_private_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MASKED: Final = "Secret(****)"
HASH_KEY_BYTES: Final = 32
HASH_HEX_DIGITS: Final = 12
"""48 bits: among a million customers two share a hash once in some 600 installations."""

EXPORT_HASH_HEX_DIGITS: Final = 16

SHORTEST_SCRUBBED: Final = 4
"""Shorter secrets are no secrets, and taking them out would garble every line."""


class Secret:
    """Text that shows itself only when asked to with `reveal`.

    ``repr``, ``str``, formatting and tracebacks show ``Secret(****)``; it cannot be pickled or
    written as JSON; copies are the object itself. Equal texts make equal secrets.

    Parameters
    ----------
    text : str
        What to hold.
    """

    __slots__ = ("__weakref__", "_open")

    def __init__(self, text: str) -> None:
        # Held by a closure, so that tools which walk attributes find a function and not the text.
        self._open: Callable[[], str] = lambda: text
        _living_secrets[id(self)] = self

    def reveal(self) -> str:
        """Return the text; keep it out of variables that outlive the call it is needed for."""
        return self._open()

    def __repr__(self) -> str:
        return MASKED

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return MASKED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (held.reveal().encode("utf-8", "surrogatepass") for held in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __getstate__(self) -> NoReturn:
        self.__reduce__()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__reduce__()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Secret was not pickled, so that it reaches neither a file nor another process;"
            " load the profile again on the other side."
        )


_living_secrets: weakref.WeakValueDictionary[int, Secret] = weakref.WeakValueDictionary()


def scrub(text: str) -> str:
    """Take every living `Secret` out of a text, in plain, URL, JSON and Python spelling.

    Parameters
    ----------
    text : str
        Anything about to be shown.

    Returns
    -------
    str
        The text with ``Secret(****)`` in place of each.
    """
    for reference in _living_secrets.valuerefs():
        secret = reference()
        hidden = secret.reveal() if secret is not None else ""
        if len(hidden) < SHORTEST_SCRUBBED:
            continue
        spellings = {
            hidden,
            quote(hidden, safe="", errors="replace"),
            json.dumps(hidden)[1:-1],
            repr(hidden)[1:-1],
        }
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, MASKED)
    return text


def customer_hash(customer_id: str) -> str:
    """Name a customer in a log without saying who it is.

    The hash is keyed per installation: the same customer has the same name in all logs of one
    user on one machine, and nobody without the key can try ids until one fits. Where the key
    cannot be kept, one is made up that lasts for this process.

    Parameters
    ----------
    customer_id : str
        The id, as requested.

    Returns
    -------
    str
        ``cust#`` and twelve hexadecimal digits.
    """
    key = _key_for_logs()
    encoded = customer_id.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2s(encoded, key=key, digest_size=HASH_HEX_DIGITS // 2)
    return f"cust#{digest.hexdigest()}"


def keyed_hash(text: str, kind: str) -> str:
    """Name in an export what must not be named, so that it can still be joined and counted.

    Parameters
    ----------
    text : str
        An id of any kind.
    kind : str
        Which kind, e.g. ``cust``. Equal texts of two kinds have different hashes.

    Returns
    -------
    str
        `kind`, ``#`` and sixteen hexadecimal digits: 64 bits, because exports hold millions of ids.
        Keyed like `customer_hash`.

    Raises
    ------
    UsageError
        The installation's key cannot be kept, so that the next export would name everybody
        differently.
    """
    try:
        key = _kept_key()
    except _NoKeptKeyError as error:
        raise UsageError(
            "No masked id was made: it has to be the same in every file and answer, but"
            f" {error}. Set TOKENVAULT_CONFIG to a folder of your own that can be written, or"
            " choose another policy."
        ) from None
    encoded = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2s(encoded, key=key, digest_size=EXPORT_HASH_HEX_DIGITS // 2)
    return f"{kind}#{digest.hexdigest()}"


def customer_hash_key_status() -> tuple[bool, str]:
    """Say where the key of masked ids is kept, or why it is not.

    Returns
    -------
    bool
        Whether it is kept, so that exports can mask ids.
    str
        A sentence, for ``tokenvault doctor``.
    """
    try:
        _kept_key()
    except _NoKeptKeyError as error:
        return False, (
            f"{error}; hashes in logs hold for one process only, and exports that mask ids are"
            " refused. Set TOKENVAULT_CONFIG to a folder of your own that can be written"
        )
    return True, f"Customer hashes in logs and exports are keyed with {_key_path()}."


def mask_id(customer_id: str) -> str:
    """Show just enough of an id for somebody who knows it already.

    Parameters
    ----------
    customer_id : str
        A customer or instrument id.

    Returns
    -------
    str
        Two characters of each end of a long id, one of a short one, none of a very short one.

    Examples
    --------
    >>> mask_id("cust_0000001")
    'cu…01'
    """
    return _mask(customer_id, wide=2, wide_from=8)


_ids_are_shown: contextvars.ContextVar[bool] = contextvars.ContextVar("ids", default=False)


@contextlib.contextmanager
def show_ids() -> Iterator[None]:
    """Show ids whole instead of masked, in the tables displayed within the block.

    It holds for the thread or task that entered the block. Panels, the command line and logs go on
    masking.

    Examples
    --------
    >>> with show_ids():
    ...     displayed_id("cust_0000001")
    'cust_0000001'
    """
    before = _ids_are_shown.set(True)
    try:
        yield
    finally:
        _ids_are_shown.reset(before)


def displayed_id(text: str) -> str:
    """Return an id as a table displays it: masked, or whole within `show_ids`.

    >>> displayed_id("cust_0000001")
    'cu…01'
    """
    return _printable(text) if _ids_are_shown.get() else mask_id(text)


def mask_credential(text: str) -> str:
    """Show just enough of a client id to tell two accounts apart; not meant for secrets.

    Parameters
    ----------
    text : str
        A client id or merchant id.

    Returns
    -------
    str
        Four characters of each end, and of a text below twelve characters at most one.

    Examples
    --------
    >>> mask_credential("TEST1234abcd")
    'TEST…abcd'
    """
    return _mask(text, wide=4, wide_from=12)


def _mask(text: str, *, wide: int, wide_from: int) -> str:
    if len(text) >= wide_from:
        return _printable(f"{text[:wide]}…{text[-wide:]}")
    if len(text) >= 5:
        return _printable(f"{text[0]}…{text[-1]}")
    return "…"


def _printable(text: str) -> str:
    # One line whatever the text holds: a terminal obeys control characters.
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


class _NoKeptKeyError(Exception):
    """The key of this installation is not to be had; the message says why, as half a sentence."""


def _key_for_logs() -> bytes:
    try:
        return _kept_key()
    except _NoKeptKeyError:
        return _key_of_this_process()


@functools.cache
def _key_of_this_process() -> bytes:
    return secrets.token_bytes(HASH_KEY_BYTES)


@functools.cache
def _kept_key() -> bytes:
    path = _key_path()
    try:
        key = _read_or_make_key(path)
    except NotPrivateError as error:
        raise _NoKeptKeyError(f"{path} {error}") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _NoKeptKeyError(f"{path} cannot be read or written ({reason})") from None
    if len(key) != HASH_KEY_BYTES:
        raise _NoKeptKeyError(f"{path} is damaged; delete it to have a new one made")
    return key


def _key_path() -> Path:
    return config_directory() / "customer-hash.key"


def _read_or_make_key(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return read_private_file(path)
    with contextlib.suppress(FileExistsError):  # another process was first; its key is the one
        write_private_file(path, secrets.token_bytes(HASH_KEY_BYTES), replace=False)
    return read_private_file(path)
