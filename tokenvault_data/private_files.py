"""Small files that only their owner may read: where they live, how they are read and written.

On POSIX a file counts as private when it is a regular file of this user (or of root), and neither
its group nor others have any right to it. On Windows the profile directory of a user is private by
its access list, which is not checked here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_PRIVATE_FILE_BYTES: Final = 1_048_576
"""A settings or key file above this size is not one of ours."""


class NotPrivateError(Exception):
    """A file that others can read or swap; the message says what to do, as half a sentence."""


def config_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Return the directory of the toolkit's own settings; it need not exist.

    Parameters
    ----------
    environ : mapping of str to str, optional
        Environment variables, the process's own by default. ``TOKENVAULT_CONFIG`` names another
        directory.

    Returns
    -------
    Path
        ``TOKENVAULT_CONFIG``, or the user's configuration directory of the platform.
    """
    chosen = (os.environ if environ is None else environ).get("TOKENVAULT_CONFIG", "")
    if chosen:
        return local_path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_config_path("tokenvault-data", appauthor=False)


def read_private_file(path: Path) -> bytes:
    """Read a file after making sure that only its owner can.

    The rights are checked on the opened file, so that it cannot be swapped in between.

    Parameters
    ----------
    path : Path
        The file; a symbolic link is followed only when this user, or root, made it.

    Returns
    -------
    bytes
        The whole content.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    OSError
        When it cannot be read.
    NotPrivateError
        When others can read or change it, or it is no regular small file.
    """
    if os.name == "posix" and not _owned_by_this_user_or_root(path.lstat()):
        raise NotPrivateError("belongs to another user; use a file of your own")
    # O_NONBLOCK, so that a named pipe in its place is refused below and not waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor has no path
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise NotPrivateError("is not a regular file")
        if os.name == "posix":
            if not _owned_by_this_user_or_root(status):
                raise NotPrivateError("belongs to another user; use a file of your own")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise NotPrivateError(
                    f"can be read or changed by others (mode {stat.S_IMODE(status.st_mode):04o});"
                    f' run: chmod 600 "{path}"'
                )
        content = file.read(MAX_PRIVATE_FILE_BYTES + 1)
    if len(content) > MAX_PRIVATE_FILE_BYTES:
        raise NotPrivateError(f"is larger than {MAX_PRIVATE_FILE_BYTES:,} bytes")
    return content


def write_private_file(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file that nobody but its owner could ever read, whole or not at all.

    Parameters
    ----------
    path : Path
        Where to; missing parent directories are made, for the owner only.
    content : bytes
        What to write.
    replace : bool
        Whether an existing file gives way. When not, two processes that write at once agree on
        the file of one of them.

    Raises
    ------
    FileExistsError
        When there is a file already and `replace` is false.
    OSError
        When the file cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor has no path
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
        elif os.name == "posix":
            os.link(beside, path)  # unlike a rename, fails when the name is taken
        else:
            beside.rename(path)  # on Windows a rename fails when the name is taken
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def _owned_by_this_user_or_root(status: os.stat_result) -> bool:
    return status.st_uid in {os.geteuid(), 0}
