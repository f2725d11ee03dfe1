"""Every way a command can end badly: as one sentence, and as an exit code."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from typer.exceptions import Abort, TyperException

from tokenvault_data.cli import exit_codes
from tokenvault_data.errors import TokenVaultError

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is reported of a command that failed.

    Attributes
    ----------
    kind : str
        Name of the error, for scripts.
    message : str
        One sentence: what happened, what was done about it, what to do next.
    notes : tuple of str
        Further lines.
    exit_code : int
    """

    kind: str
    message: str
    notes: tuple[str, ...]
    exit_code: int

    def document(self) -> dict[str, object]:
        """Return the failure as JSON content."""
        return {
            "error": {
                "kind": self.kind,
                "message": self.message,
                "notes": list(self.notes),
                "exit_code": self.exit_code,
            }
        }


def failure_of(error: BaseException) -> Failure:
    """Say what an error means to whoever gave the command."""
    notes: tuple[str, ...] = tuple(getattr(error, "__notes__", ()))
    if isinstance(error, TokenVaultError):
        return Failure(type(error).__name__, str(error), notes, exit_codes.exit_code_of(error))
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "tokenvault"
        hint = f"`{command} --help` shows how it is used"
        return Failure("UsageError", error.format_message(), (hint,), exit_codes.USAGE)
    if isinstance(error, (KeyboardInterrupt, Abort)):
        return Failure("Interrupted", "interrupted", notes, exit_codes.INTERRUPTED)
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        message = f"{error.strerror or type(error).__name__}{where}"
        return Failure(type(error).__name__, message, notes, exit_codes.FAILED)
    return _of_a_mistake(error)


def _of_a_mistake(error: BaseException) -> Failure:
    """Where in the code, but neither the error's own text nor a variable: they may hold ids."""
    places = [_place(frame) for frame in traceback.extract_tb(error.__traceback__)]
    kind = type(error).__name__
    where = f" at {places[-1]}" if places else ""
    message = (
        f"a mistake in tokenvault itself ended the command ({kind}{where});"
        " what was written before is kept. Please report it with these lines, which hold no data:"
    )
    return Failure(kind, message, tuple(f"  {place}" for place in places), exit_codes.FAILED)


def _place(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    name = path.relative_to(_PACKAGE) if path.is_relative_to(_PACKAGE) else path.name
    return f"{name}:{frame.lineno} in {frame.name}"
