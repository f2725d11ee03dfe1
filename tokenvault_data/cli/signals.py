"""Ctrl-C and SIGTERM: one way out of a command, and none once there is nothing left to stop."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


def treat_termination_as_interrupt() -> None:
    """Let SIGTERM stop a command in order, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _as_interrupt)


def let_it_finish() -> None:
    """Stop for nothing any more: what was asked for is done, and only has to be said.

    Otherwise a signal in a command's last moment would call a job interrupted that is complete,
    and a script that runs the command again would do all of it once more.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _as_interrupt(_signal_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
