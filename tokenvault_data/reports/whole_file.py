"""Files of reports that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from tokenvault_data.errors import TokenVaultError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def check_place(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise UsageError unless a file of one of these suffixes can be meant by `path`."""
    if path.suffix.lower() not in suffixes:
        raise UsageError(
            f"Nothing was written: {path.name!r} does not end in {' or '.join(suffixes)}; rename"
            " it."
        )
    if not path.parent.is_dir():
        raise UsageError(
            f"Nothing was written: there is no directory {path.parent}; make it first."
        )
    if path.is_dir():
        raise UsageError(f"Nothing was written: {path} is a directory; name a file in it.")


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file beside its place, then rename it, so that only a whole one replaces another.

    Raises
    ------
    TokenVaultError
        It cannot be written; what was there before is untouched.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise TokenVaultError(
            f"{path} was not written ({error.strerror or error}); what was there before is"
            " untouched. Make room, or choose another place."
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return path
