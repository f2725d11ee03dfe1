"""What both servers have in common: this machine only, a token nobody can guess, a free port."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Generator
    from types import FrameType

HOST: Final = "127.0.0.1"
SHARE: Final = Path(__file__).with_name("share")
"""Templates and settings of ours, laid out as Jupyter looks for them."""


def new_token() -> str:
    """Return a token of 192 bits; whoever has it may do all that the server offers."""
    return secrets.token_hex(24)


def usable_port(port: int) -> int:
    """Return a port of this machine that is free just now.

    Parameters
    ----------
    port
        The one wanted, or 0 for any.

    Raises
    ------
    OSError
        It is taken, or may not be used.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":  # there, it would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as problem:
            raise OSError(
                problem.errno,
                f"nothing was started: port {port} on {HOST} cannot be used"
                f" ({problem.strerror}); choose another --port, or leave it out for a free one",
            ) from problem
        found: int = probe.getsockname()[1]
    return found


@contextlib.contextmanager
def stopped_by_signals(
    loop: AbstractEventLoop, stop: Callable[[], object]
) -> Generator[None, None, None]:
    """Have the loop call `stop` once SIGINT or SIGTERM comes, so that a server ends its kernels.

    Without this, a server that has no terminal leaves its kernels to notice that it has gone.
    """
    is_stopping = False

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        if not is_stopping:
            is_stopping = True
            loop.call_soon_threadsafe(stop)  # the plain one would not wake it

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def also_found(variable: str, folder: Path) -> Generator[None, None, None]:
    """Let Jupyter look into a folder of ours as well, by the variable it has for that."""
    before = os.environ.get(variable)
    os.environ[variable] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def is_root() -> bool:
    """Tell whether this process may do everything, as in a container."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def missing_part(what: str) -> UsageError:
    """What is raised where the optional part of the installation for notebooks is not there."""
    return UsageError(
        f"{what}, which is not installed; nothing was started; run:"
        " pip install 'tokenvault-data[notebook]'"
    )
