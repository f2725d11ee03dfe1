"""Keys of those who approve: a private file that signs, and a public line that colleagues trust.

The private key stays with its owner. The public file is sent to colleagues; see `approvers`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from tokenvault_data.cleanup.approval.people import clean_name
from tokenvault_data.cleanup.plan.plan import canonical
from tokenvault_data.errors import UsageError
from tokenvault_data.private_files import (
    NotPrivateError,
    config_directory,
    read_private_file,
    write_private_file,
)

if TYPE_CHECKING:
    from pathlib import Path

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
