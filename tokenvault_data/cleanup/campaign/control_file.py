"""The word by which one process asks another, which works on a campaign, to pause or to abort."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

from tokenvault_data.errors import UsageError
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    from pathlib import Path

CONTROL_NAME: Final = "control"

Word = Literal["pause", "abort"]


def leave_word(folder: Path, word: Word) -> None:
    """Leave a word in a campaign's folder; it is met within a second.

    Raises
    ------
    UsageError
        The folder cannot be written to.
    """
    try:
        write_private_file(folder / CONTROL_NAME, f"{word}\n".encode(), replace=True)
    except OSError as error:
        raise UsageError(
            f"the campaign cannot be asked to {word}: {folder} cannot be written"
            f" ({error.strerror}); interrupt its process instead"
        ) from error


def read_word(folder: Path) -> Word | None:
    """Read the word that was left, None where there is none or it is none of the two."""
    try:
        word = (folder / CONTROL_NAME).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return "abort" if word == "abort" else "pause" if word == "pause" else None


def clear_word(folder: Path) -> None:
    """Take the word away, if there is one."""
    with suppress(OSError):
        (folder / CONTROL_NAME).unlink()
