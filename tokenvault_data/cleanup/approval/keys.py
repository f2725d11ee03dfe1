"""Keys of those who approve: a private file that signs, and a public line that colleagues trust.

The private key stays with its owner. The public file is sent to colleagues; see `approvers`.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from tokenvault_data.cleanup.plan.content import canonical
from tokenvault_data.errors import UsageError
from tokenvault_data.private_files import (
    NotPrivateError,
    config_directory,
    read_private_file,
    write_private_file,
)

if TYPE_CHECKING:
    from pathlib import Path


_LONGEST: Final = 64
_SIGNS: Final = "_.' -"
_JAPANESE: Final = frozenset({"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})
# Letters and marks that show nothing; what is of a category C* is refused anyway.
_BLANK: Final = frozenset(
    map(
        chr,
        chain(
            (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
            range(0x180B, 0x1810),
            range(0xFE00, 0xFE10),
            range(0xE0100, 0xE01F0),
        ),
    )
)

# By the Latin letter they look like, after case folding: Cyrillic, Greek, Armenian, odd Latin.
_LOOKS_LIKE: Final = {
    "a": "\u0430\u03b1\u0251",
    "b": "\u0432\u044c\u03b2\u0299",
    "c": "\u0441\u03f2",
    "d": "\u0501\u0111",
    "e": "\u0435\u03b5",
    "g": "\u050d\u0261\u0262\u0581",
    "h": "\u043d\u04bb\u029c\u0127\u0570",
    "j": "\u0458\u03f3",
    "k": "\u043a\u03ba",
    "l": "\u04cf\u0456\u03b9\u0131\u026a\u029f\u0142i1",
    "m": "\u043c",
    "n": "\u043f\u03b7\u0274\u0578",
    "o": "\u043e\u03bf\u03c3\u00f8\u05850",
    "p": "\u0440\u03c1",
    "q": "\u051b\u0566",
    "r": "\u0433\u0280",
    "s": "\u0455",
    "t": "\u0442\u03c4",
    "u": "\u03bc\u03c5\u057d",
    "v": "\u0475\u03bd",
    "w": "\u051d\u03c9",
    "x": "\u0445\u03c7",
    "y": "\u0443\u04af\u03b3\u028f",
    "z": "\u03b6",
}
_SMALL: Final = {ord(sign): letter for letter, signs in _LOOKS_LIKE.items() for sign in signs}
# Those whose capital looks like another letter than the small one.
_CAPITAL: Final = _SMALL | {0x3B7: "h", 0x3BC: "m", 0x3BD: "n", 0x3C5: "y"}


def clean_name(name: str) -> str:
    """Return a name as keys and approvals hold it, composed and with single spaces.

    Raises
    ------
    UsageError
        It is empty or longer than 64 signs, mixes scripts, holds invisible signs, or cannot name a
        file on every system.
    """
    given: object = name
    text = " ".join(unicodedata.normalize("NFKC", name).split()) if isinstance(given, str) else ""
    if not 0 < len(text) <= _LONGEST or not _is_written(text):
        raise UsageError(
            "A name is empty, longer than 64 signs, or holds signs other than letters, digits,"
            " spaces and _ . ' -; nothing was done; choose another."
        )
    scripts = {script for sign in text if (script := _script(sign)) is not None}
    if len(scripts) > 1:
        raise UsageError(
            "A name mixes letters of several scripts, some of which may only look like others;"
            " nothing was done; write it in one script."
        )
    return text


def same_person(one: str, other: str) -> bool:
    """Return whether two names are, or look like, one.

    Case, spaces, punctuation, accents and encodings make no difference, and neither do letters and
    digits that look alike.
    """
    return bool(_looks(one) & _looks(other))


def _looks(name: str) -> set[str]:
    """Return how a name looks in plain Latin letters: its small ones, and its capitals."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    signs = [sign for sign in folded if not _is_accent(sign) and sign not in _BLANK]
    letters = [sign for sign in signs if sign.isalnum() or unicodedata.category(sign)[0] == "M"]
    shown = [sign for sign in signs if unicodedata.category(sign)[0] not in "CZ"]
    return {
        "".join(letters or shown).translate(table).replace("rn", "m").replace("vv", "w")
        for table in (_SMALL, _CAPITAL)
    }


def _is_written(text: str) -> bool:
    """Return whether a text is made of letters, digits and some signs, all of which show."""
    shown = (
        sign in _SIGNS or (unicodedata.category(sign)[0] in "LM" or sign.isdecimal())
        for sign in text
        if sign not in _BLANK
    )
    ends = text[-1].isalnum() or text[-1] in "_." or unicodedata.category(text[-1])[0] == "M"
    begins = text[0].isalnum() or text[0] == "_"
    return all(shown) and begins and ends and _BLANK.isdisjoint(text)


def _script(sign: str) -> str | None:
    """Return what a letter's name in Unicode begins with, None where it goes with any script."""
    if sign in _SIGNS or _is_accent(sign) or "0" <= sign <= "9":
        return None
    script = unicodedata.name(sign, sign).partition(" ")[0]
    return "Japanese" if script in _JAPANESE else script


def _is_accent(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith("COMBINING ")


KEYS_FOLDER: Final = "keys"
PUBLIC_FORMAT: Final = "tokenvault-approver"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in use; its display shows whose it is and nothing of it.

    Attributes
    ----------
    name : str
        Whose it is.
    private : Ed25519PrivateKey
    """

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.private.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in hexadecimal digits."""
        return fingerprint_of(self.public_bytes)


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """What `keygen` has made.

    Attributes
    ----------
    name, fingerprint : str
    private, public : pathlib.Path
    """

    name: str
    fingerprint: str
    private: Path
    public: Path


def keygen(
    name: str, *, passphrase: bytes | None = None, directory: Path | None = None
) -> KeyFiles:
    """Make a key pair for somebody who approves.

    Parameters
    ----------
    name : str
        Whose it is, as approvals will say it: letters, digits and ``_ . ' -``, 64 at most.
    passphrase : bytes, optional
        What the private file is encrypted with; it is not when not given.
    directory : pathlib.Path, optional
        Configuration directory; the files go into its folder of keys.

    Raises
    ------
    UsageError
        There is such a key already, the name cannot be one, or the files cannot be written.
    """
    name = clean_name(name)
    key = SigningKey(name, Ed25519PrivateKey.generate())
    folder = config_in(directory) / KEYS_FOLDER
    files = KeyFiles(name, key.fingerprint, folder / f"{name}.key", folder / f"{name}.pub")
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        if not passphrase:
            raise UsageError("The passphrase is empty; no key was made; give one, or none at all.")
        encryption = serialization.BestAvailableEncryption(passphrase)
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    try:
        write_private_file(files.private, pem, replace=False)
        # Left behind by a key that was taken away, it would name another key.
        write_private_file(files.public, public_line(key), replace=True)
    except OSError as error:
        if files.private.exists() and isinstance(error, FileExistsError):
            raise UsageError(
                f"There is a key {files.private} already; it was left as it is; choose another "
                "name, or put the old key away first."
            ) from None
        raise UsageError(
            f"The key cannot be written to {folder} ({error.strerror}); no approval can be signed "
            "with it; check the folder."
        ) from error
    return files


def load_signing_key(
    name: str, *, passphrase: bytes | None = None, directory: Path | None = None
) -> SigningKey:
    """Read somebody's private key.

    Raises
    ------
    UsageError
        There is none of that name, others can read it, the passphrase is wrong or missing, or it
        is no Ed25519 key.
    """
    name = clean_name(name)
    path = config_in(directory) / KEYS_FOLDER / f"{name}.key"
    try:
        pem = read_private_file(path)
        private = serialization.load_pem_private_key(pem, passphrase)
    except FileNotFoundError:
        raise UsageError(
            f"There is no key {path}; nothing was signed; make one with keygen, or give the name "
            "of one of yours."
        ) from None
    except NotPrivateError as error:
        raise UsageError(f"The key {path} {error}; nothing was signed.") from None
    except OSError as error:
        raise UsageError(
            f"The key {path} cannot be read ({error.strerror}); nothing was signed; check its "
            "permissions."
        ) from error
    except (TypeError, ValueError, UnsupportedAlgorithm):
        how = "needs its passphrase" if passphrase is None else "was not opened by the passphrase"
        raise UsageError(
            f"The key {path} {how}, or is damaged; nothing was signed; try again, or make a new "
            "key."
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(
            f"The key {path} is of another kind than Ed25519; nothing was signed; make one with "
            "keygen."
        )
    return SigningKey(name, private)


def public_line(key: SigningKey) -> bytes:
    """Return the one line of a public file."""
    return canonical(
        {
            "format": PUBLIC_FORMAT,
            "name": key.name,
            "key": encoded(key.public_bytes),
            "fingerprint": key.fingerprint,
        }
    )


def signature_holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Decide whether the owner of a public key has signed exactly this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint_of(public: bytes) -> str:
    """Return SHA-256 of a public key, in hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()


def encoded(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def decoded(text: str) -> bytes:
    """Return the bytes of base64; the one spelling that `encoded` gives them.

    Raises
    ------
    ValueError
        It is no base64, or another spelling of it.
    """
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if encoded(data) != text:
        raise ValueError("another spelling")
    return data


def config_in(directory: Path | None) -> Path:
    """Return a configuration directory, the user's own when none is given."""
    return config_directory() if directory is None else directory
