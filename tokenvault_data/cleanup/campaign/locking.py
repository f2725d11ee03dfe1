"""One campaign at a time per environment and merchant, on one machine.

The lock is the operating system's and lies with the user's settings, so that a copy of a store, or
of a journal, meets the same lock; it ends with the process that holds it.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from tokenvault_data.errors import Locked, UsageError
from tokenvault_data.private_files import config_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


FOLDER_LOCK: Final = ".lock"
_is_plan_id = re.compile(r"[0-9a-f]{8,64}").fullmatch
_PATIENCE_SECONDS: Final = 0.1  # who only asks whether it is held, holds it for an instant


def lock_path(environment: str, merchant: str | None, folder: Path | None = None) -> Path:
    """Return where the lock of an account lies.

    Parameters
    ----------
    environment : str
    merchant : str or None
        `Profile.merchant_digest`.
    folder : Path, optional
        That of the user's settings by default.
    """
    name = hashlib.sha256(f"{environment}\n{merchant or ''}".encode()).hexdigest()[:12]
    base = config_directory() if folder is None else folder
    return base / "locks" / f"cleanup-{environment}-{name}.lock"


def is_campaign_at_work(environment: str, merchant: str | None, folder: Path | None = None) -> bool:
    """Say whether somebody holds the lock of an account now, without keeping it.

    Parameters are those of `lock_path`.
    """
    return _is_held(lock_path(environment, merchant, folder))


def is_folder_at_work(folder: Path) -> bool:
    """Say whether some process works on the campaign of a folder now, without keeping its lock."""
    return _is_held(folder / FOLDER_LOCK)


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path, timeout=_PATIENCE_SECONDS, poll_interval=_PATIENCE_SECONDS / 5)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False  # whoever wants to begin is told why the lock cannot be laid
    lock.release()
    return False


def at_work_elsewhere(environment: str, merchant: str | None, folder: Path | None = None) -> Locked:
    """Return the error that says which cleanup of an account is at work."""
    try:
        named = _name_path(lock_path(environment, merchant, folder)).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        named = ""
    which = f" (plan {named})" if _is_plan_id(named) else ""
    return Locked(
        f"another cleanup of this {environment} account{which} is at work on this machine; nothing"
        " was sent. Wait for it to end, or pause it first"
    )


def _name_path(lock: Path) -> Path:
    """Return where the name of a lock's holder lies: the lock's own file is emptied by each try."""
    return lock.with_suffix(".plan")


@contextmanager
def only_campaign(
    environment: str, merchant: str | None, folder: Path | None = None, *, plan_id: str = ""
) -> Iterator[None]:
    """Hold the lock of an account, and leave the name of the plan for those who come meanwhile.

    Raises
    ------
    Locked
        Another process, or another campaign in this one, holds it.
    UsageError
        The lock cannot be laid where it belongs.
    """
    path = lock_path(environment, merchant, folder)
    lock = FileLock(path, timeout=_PATIENCE_SECONDS, poll_interval=_PATIENCE_SECONDS / 5)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise at_work_elsewhere(environment, merchant, folder) from None
    except OSError as error:
        raise UsageError(
            f"the lock of the {environment} account cannot be laid at {path}"
            f" ({error.strerror or error}); nothing was sent. Make the folder writable"
        ) from error
    name = _name_path(path)
    try:
        with suppress(OSError):
            name.write_text(plan_id, "ascii")
        yield
    finally:
        with suppress(OSError):
            name.unlink()
        lock.release()


@contextmanager
def only_in_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a campaign's folder, which two users' settings share.

    Raises
    ------
    Locked
        Another process works on this campaign.
    UsageError
        The lock cannot be laid there.
    """
    lock = FileLock(
        folder / FOLDER_LOCK, timeout=_PATIENCE_SECONDS, poll_interval=_PATIENCE_SECONDS / 5
    )
    try:
        lock.acquire()
    except Timeout:
        raise Locked(
            "another process is at work on this campaign; nothing was sent. Wait for it to end, or"
            " pause it first"
        ) from None
    except OSError as error:
        raise UsageError(
            f"the campaign's folder {folder} cannot be locked ({error.strerror or error}); nothing"
            " was sent. Make the folder writable"
        ) from error
    try:
        yield
    finally:
        lock.release()
