"""The command as it can be typed again, for hints that are copied and pasted."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from tokenvault_data.cli.options import DEFAULT_STORE

_NAME = "tokenvault"


def command_line(*words: str, store: Path = DEFAULT_STORE, profile: str | None = None) -> str:
    """Return a command line that works where the present one did.

    Parameters
    ----------
    *words : str
        Command and arguments, not quoted.
    store : Path
        Named in it unless it is the default.
    profile : str, optional
        Named in it when given.
    """
    where = () if store == DEFAULT_STORE else ("--store", str(store))
    whose = () if profile is None else ("--profile", profile)
    return shlex.join([*_program(), *words, *where, *whose])


def _program() -> list[str]:
    """The bare name where the shell finds it, else what it was called by just now."""
    called = Path(sys.argv[0])
    if shutil.which(_NAME) is not None:
        return [_NAME]
    if called.name == "__main__.py":
        return [sys.executable, "-m", "tokenvault_data"]
    return [sys.argv[0] if called.stem == _NAME else _NAME]
