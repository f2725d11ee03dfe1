"""The three standard streams, which whoever starts a command may have closed."""

from __future__ import annotations

import os
import sys


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
