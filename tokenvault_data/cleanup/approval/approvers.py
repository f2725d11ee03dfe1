"""Whose approvals are trusted on this machine, and by whose decision.

Public keys of approvers are kept in `SYSTEM_FOLDER`, which only the administrator can change; where
that folder exists, nothing else counts, and no variable moves it. Without it they are kept in the
folder ``approvers`` of the user's configuration: trust is then self-managed, since whoever applies
a plan also decides who may approve it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tokenvault_data.cleanup.approval.keys import (
    PUBLIC_FORMAT,
    clean_name,
    config_in,
    decoded,
    fingerprint_of,
    same_person,
)
from tokenvault_data.errors import UsageError
from tokenvault_data.folders import named
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tokenvault_data.cleanup.plan.plan import Plan

SYSTEM_FOLDER: Final = Path("/etc/tokenvault-data/approvers")
"""Where the administrator keeps the public keys of approvers."""

APPROVERS_FOLDER: Final = "approvers"
"""The folder of self-managed approvers, below the user's configuration."""

SELF_ADMINISTERED: Final = "self-administered"
"""What is typed after a plan's phrase in production where trust is self-managed."""

_LARGEST_PUBLIC_BYTES: Final = 4096


class Approver(NamedTuple):
    """A person whose approvals are trusted.

    Attributes
    ----------
    name : str
    fingerprint : str
        SHA-256 of the public key, in hexadecimal digits.
    """

    name: str
    fingerprint: str


class Trust(NamedTuple):
    """Whose approvals are trusted here.

    Attributes
    ----------
    approvers : mapping of str to str
        Names by the fingerprints of their keys.
    source : {"system", "self"}
        Who decides: the administrator by `SYSTEM_FOLDER`, or this user.
    """

    approvers: Mapping[str, str]
    source: Literal["system", "self"]


def load_trust(config_dir: Path | None = None, *, system: Path = SYSTEM_FOLDER) -> Trust:
    """Return whose approvals are trusted on this machine.

    Parameters
    ----------
    config_dir : pathlib.Path, optional
        Configuration directory; read only where there is no system folder.
    system : pathlib.Path, optional
        The system folder.

    Raises
    ------
    UsageError
        A file is not a public key, somebody else could change it, or one key has two names.
    """
    if _exists(system):
        _refuse_unless_roots(system)
        return Trust(MappingProxyType(_read_approvers(system)), "system")
    return Trust(MappingProxyType(load_approvers(config_dir)), "self")


def phrase_for(plan: Plan, trust: Trust) -> str:
    """Return what has to be typed to apply a plan under this trust.

    In production, where trust is self-managed, the phrase ends with ``self-administered``.
    """
    if plan.environment == "production" and trust.source == "self":
        return f"{plan.phrase} {SELF_ADMINISTERED}"
    return plan.phrase


def load_approvers(directory: Path | None = None) -> dict[str, str]:
    """Return the self-managed approvers: names by the fingerprints of their keys.

    Use `load_trust` to decide whether an approval counts.

    Raises
    ------
    UsageError
        A file is not a public key, others can change it, or one key has two names.
    """
    folder = config_in(directory) / APPROVERS_FOLDER
    if not folder.is_dir():
        return {}
    for path in (folder, *_public_files(folder)):
        _refuse_if_others_can_write(path)
    return _read_approvers(folder)


def trust_approver(
    public: Path, directory: Path | None = None, *, system: Path = SYSTEM_FOLDER
) -> Approver:
    """Trust the owner of a public key on this machine from now on.

    Parameters
    ----------
    public : pathlib.Path
        The ``.pub`` file that `keygen` wrote.
    directory : pathlib.Path, optional
        Configuration directory.
    system : pathlib.Path, optional
        The system folder.

    Raises
    ------
    UsageError
        The administrator decides by the system folder, the file is not a public key, another key
        is trusted under this name, or it cannot be written.
    """
    if _exists(system):
        raise UsageError(
            f"Approvers on this machine are those in {system}, which the administrator manages;"
            " nothing was changed; ask the administrator to put the file there."
        )
    name, fingerprint = read_public_file(public)
    for other in load_approvers(directory).values():
        if other != name and same_person(other, name):
            raise UsageError(
                f"{public} is a key of a name that looks like {other}, who is trusted already; no"
                " key was trusted; ask its owner for a key of another name."
            )
    place = config_in(directory) / APPROVERS_FOLDER / f"{name}.pub"
    try:
        write_private_file(place, public.read_bytes(), replace=False)
    except FileExistsError:
        if read_public_file(place) != (name, fingerprint):
            raise UsageError(
                f"{place} is another key of that name; no key was trusted; ask its owner, and "
                "remove the one that is not in use."
            ) from None
    except OSError as error:
        raise UsageError(
            f"The key cannot be written to {place} ({error.strerror}); no key was trusted; check "
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
            f"{path} is not a public key of an approver; no key was trusted; take the file from"
            " its owner again, or remove it."
        )
    return content["name"], content["fingerprint"]


def _read_approvers(folder: Path) -> dict[str, str]:
    approvers: dict[str, str] = {}
    for path in _public_files(folder):
        name, fingerprint = read_public_file(path)
        if approvers.setdefault(fingerprint, name) != name:
            raise UsageError(
                f"{path} gives a key another name than another file does; no key was trusted; "
                "remove one of the two."
            )
    return approvers


def _public_files(folder: Path) -> Iterable[Path]:
    return named(folder, re.compile(r".+\.pub"))


def _refuse_if_others_can_write(path: Path) -> None:
    if os.name != "posix":
        return
    status = path.stat()
    if status.st_uid not in {os.geteuid(), 0} or stat.S_IMODE(status.st_mode) & 0o022:
        raise UsageError(
            f"{path} can be changed by others, who could make anybody an approver; no key was "
            f'trusted; run: chmod go-w "{path}"'
        )


# The system folder


def _exists(system: Path) -> bool:
    """Return whether there is anything at the path, be it of the wrong kind."""
    if os.name != "posix":
        return False  # no path below / is the administrator's alone there
    try:
        system.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unusable(system, f"cannot be looked at ({error.strerror})") from error
    return True


def _refuse_unless_roots(system: Path) -> None:
    """Raise `UsageError` unless only root can change the folder, its keys, and who they are."""
    try:
        real = system.resolve(strict=True)
        if not real.is_dir():
            raise _unusable(system, "is not a folder")
        for path in {system, *system.parents, real, *real.parents, *_public_files(real)}:
            owner, mode = _owner_and_mode(path)
            if owner != 0:
                raise _unusable(path, "does not belong to root")
            if mode & 0o022:
                raise _unusable(path, "can be changed by others than root")
    except OSError as error:
        raise _unusable(system, f"cannot be read ({error.strerror})") from error


def _owner_and_mode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, stat.S_IMODE(status.st_mode)


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} {why}, so it does not say whose approvals are trusted; no key was trusted; ask the"
        " administrator to make it root's own (chown root, chmod go-w), with all folders above it."
    )
