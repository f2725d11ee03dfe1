"""What is in a folder, without what other programs leave there.

Finders, Explorers, notebooks, network file systems and office suites put files beside everybody
else's. Their names are told by form: hidden (``.DS_Store``, ``._part``, ``.nfs0001``), owner files
and backups (``~$list.csv``, ``list.csv~``), and the few names that systems have for themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import re
    from pathlib import Path

_OF_SYSTEMS: Final = frozenset(
    {
        "$recycle.bin",
        "#recycle",
        "@eadir",
        "@tmp",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "icon\r",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)


def is_clutter(name: str) -> bool:
    """Say whether a name is one of another program, whose file or folder holds nothing of ours."""
    return name.startswith((".", "~")) or name.endswith("~") or name.lower() in _OF_SYSTEMS


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted by name, without clutter; nothing where there is none.

    Raises
    ------
    OSError
        The folder is there and cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_clutter(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def named(folder: Path, form: re.Pattern[str]) -> list[Path]:
    """Return what is in a folder under names of one form, the whole name taken, sorted.

    Copies that synchronisation makes of a file, such as ``x (1).json``, have names of no such form.
    """
    return [path for path in entries(folder) if form.fullmatch(path.name)]
