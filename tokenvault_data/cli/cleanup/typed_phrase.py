"""What is typed on a terminal before something is signed or deleted; nothing takes its place."""

from __future__ import annotations

import sys

from tokenvault_data.errors import RefusedByGuardRail


def typed_phrase(phrase: str, *, to: str, undone: str, instead: str = "") -> str:
    """Ask for a phrase on the terminal, and return what was typed.

    Parameters
    ----------
    phrase : str
    to : str
        What typing it does, e.g. ``approve this plan``.
    undone : str
        What did not happen where nothing is typed, e.g. ``nothing was signed``.
    instead : str, optional
        What else can be done where there is no terminal, as the end of a sentence.

    Raises
    ------
    RefusedByGuardRail
        There is no terminal, or nothing was typed.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RefusedByGuardRail(
            f"the phrase to {to} is typed on a terminal, and this is not one; {undone}; run the"
            f" command on a terminal{instead}"
        )
    sys.stderr.write(f"\nTo {to}, type: {phrase}\n> ")
    sys.stderr.flush()
    typed = sys.stdin.readline()
    if not typed.endswith("\n"):
        raise RefusedByGuardRail(f"nothing was typed, so {undone}")
    return typed.rstrip("\r\n")
