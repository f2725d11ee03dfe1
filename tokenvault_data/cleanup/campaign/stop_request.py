"""What a campaign at work is asked to do from elsewhere: a file with one word in its folder."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

from tokenvault_data.errors import UsageError
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    from pathlib import Path

CONTROL_NAME: Final = "control"

StopRequest = Literal["pause", "abort"]


def request_stop(folder: Path, request: StopRequest) -> None:
    """Ask whoever works on a campaign to pause it or to end it; it is read within a second.

    Raises
    ------
    UsageError
        The folder cannot be written to.
    """
    try:
        write_private_file(folder / CONTROL_NAME, f"{request}\n".encode(), replace=True)
    except OSError as error:
        raise UsageError(
            f"the campaign cannot be asked to {request}: {folder} cannot be written"
            f" ({error.strerror}); interrupt its process instead"
        ) from error


def read_stop_request(folder: Path) -> StopRequest | None:
    """Read what was asked for; None where there is nothing, or something else than the two."""
    try:
        word = (folder / CONTROL_NAME).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return "abort" if word == "abort" else "pause" if word == "pause" else None


def clear_stop_request(folder: Path) -> None:
    """Take the request away, if there is one."""
    with suppress(OSError):
        (folder / CONTROL_NAME).unlink()
