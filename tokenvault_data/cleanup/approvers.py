"""Whom this machine believes when they approve a plan.

Public files of approvers lie in the folder ``approvers`` of the configuration. Whoever can write
into that folder decides who may approve, so files that others can change are refused.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tokenvault_data.cleanup.keys import PUBLIC_FORMAT, config_in, decoded, fingerprint_of
from tokenvault_data.cleanup.people import clean_name
from tokenvault_data.errors import UsageError
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    from pathlib import Path

APPROVERS_FOLDER: Final = "approvers"

_LARGEST_PUBLIC_BYTES: Final = 4096


class Approver(NamedTuple):
    """Somebody whose approvals are believed.

    Attributes
    ----------
    name : str
    fingerprint : str
        SHA-256 of the public key, in hexadecimal digits.
    """

    name: str
    fingerprint: str


def load_approvers(directory: Path | None = None) -> dict[str, str]:
    """Return whom this machine believes: names by the fingerprint of their key.

    Reads every ``*.pub`` file in the folder of approvers; there need not be any.

    Raises
    ------
    UsageError
        A file is no public key, others can change it, or two of them give one key two names.
    """
    folder = config_in(directory) / APPROVERS_FOLDER
    if not folder.is_dir():
        return {}
    _refuse_if_others_can_write(folder)
    approvers: dict[str, str] = {}
    for path in sorted(folder.glob("*.pub")):
        _refuse_if_others_can_write(path)
        name, fingerprint = read_public_file(path)
        if approvers.setdefault(fingerprint, name) != name:
            raise UsageError(
                f"{path} gives a key another name than another file does; nobody was believed; "
                "remove one of the two."
            )
    return approvers


def trust_approver(public: Path, directory: Path | None = None) -> Approver:
    """Believe the owner of a public key on this machine from now on.

    Parameters
    ----------
    public : pathlib.Path
        What `keygen` has written for colleagues.
    directory : pathlib.Path, optional
        Configuration directory.

    Raises
    ------
    UsageError
        It is no public key, another key is believed under this name, or it cannot be written.
    """
    name, fingerprint = read_public_file(public)
    place = config_in(directory) / APPROVERS_FOLDER / f"{name}.pub"
    try:
        write_private_file(place, public.read_bytes(), replace=False)
    except FileExistsError:
        if read_public_file(place) != (name, fingerprint):
            raise UsageError(
                f"{place} is another key of that name; nobody was believed; ask its owner, and "
                "remove the one that is not in use."
            ) from None
    except OSError as error:
        raise UsageError(
            f"The key cannot be written to {place} ({error.strerror}); nobody was believed; check "
            "the folder."
        ) from error
    return Approver(name, fingerprint)


def read_public_file(path: Path) -> tuple[str, str]:
    """Return name and fingerprint of a public file.

    Raises
    ------
    UsageError
        It cannot be read, or is not what `keygen` writes.
    """
    try:
        with path.open("rb") as file:
            line = file.read(_LARGEST_PUBLIC_BYTES)
        content = json.loads(line)
        raw = decoded(content["key"])
        fine = (
            set(content) == {"format", "name", "key", "fingerprint"}
            and content["format"] == PUBLIC_FORMAT
            and content["fingerprint"] == fingerprint_of(raw)
            and content["name"] == clean_name(content["name"])
        )
        Ed25519PublicKey.from_public_bytes(raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, UsageError, RecursionError):
        fine = False
    if not fine:
        raise UsageError(
            f"{path} is no public key of an approver; nobody was believed; take the file from its "
            "owner again, or remove it."
        )
    return content["name"], content["fingerprint"]


def _refuse_if_others_can_write(path: Path) -> None:
    if os.name != "posix":
        return
    status = path.stat()
    if status.st_uid not in {os.geteuid(), 0} or stat.S_IMODE(status.st_mode) & 0o022:
        raise UsageError(
            f"{path} can be changed by others, who could make anybody an approver; nobody was "
            f'believed; run: chmod go-w "{path}"'
        )
