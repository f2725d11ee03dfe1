"""The three standard streams, which whoever starts a command may have closed."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


def open_closed_streams() -> None:
    """Open the null device in place of every standard stream that was closed.

    Python has None for such a stream, and the next file that is opened gets its number: what a
    library prints would then be written into a snapshot.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


class _Kept(io.TextIOWrapper):
    """A stream that a command outlives: what cannot be written any more is dropped.

    Otherwise a reader that goes, or a full disk behind ``>``, would end a command in the middle of
    its work. `trouble` is the first error.
    """

    trouble: OSError | None = None

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.trouble = self.trouble or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def outlive_readers() -> None:
    """Let no command end because what it prints cannot be written, whatever the encoding."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            how: Any = {
                "line_buffering": stream.line_buffering,
                "write_through": stream.write_through,
            }
            encoding = stream.encoding
            kept = _Kept(stream.detach(), encoding, "backslashreplace", **how)
            setattr(sys, name, kept)


def lost_output() -> OSError | None:
    """Return why not all of stdout was written; None where it was, or its reader has gone."""
    sys.stdout.flush()
    trouble: OSError | None = getattr(sys.stdout, "trouble", None)
    return None if isinstance(trouble, BrokenPipeError) else trouble
