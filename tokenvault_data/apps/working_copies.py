"""Copies of the notebooks to work with, so that running one changes nothing that was shipped.

A notebook is saved with what it shows. In a clone this would lie in wait for the next commit, and
what an installation brought along is not there to be written to at all.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenvault_data.dataset.durable_files import write_whole
from tokenvault_data.errors import UsageError
from tokenvault_data.folders import named

RECORD: Final = ".shipped.json"
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class WorkingCopies:
    """A folder of copies.

    Attributes
    ----------
    folder : Path
    names : tuple of str
        File names of all that are shipped, in their order.
    kept : tuple of str
        Those that were left as they are, though another one is shipped now: somebody changed them.
    """

    folder: Path
    names: tuple[str, ...]
    kept: tuple[str, ...]

    def find(self, name: str) -> Path | None:
        """Return the copy that is called so, with or without its ending, or by its number."""
        for known in self.names:
            if name in {known, Path(known).stem, known.partition("_")[0]}:
                return self.folder / known
        return None


def shipped_notebooks() -> tuple[Path, ...]:
    """Return the notebooks that came with the toolkit, whether installed or cloned.

    Raises
    ------
    UsageError
        They are not there: the installation is not whole.
    """
    for folder in (_PACKAGE / "notebooks", _PACKAGE.parent / "notebooks"):
        found = tuple(named(folder, re.compile(r".+\.ipynb")))
        if found:
            return found
    raise UsageError(
        "The notebooks are missing from this installation; nothing was started; run: pip install"
        " --force-reinstall tokenvault-data"
    )


def working_copies(folder: Path) -> WorkingCopies:
    """Bring a folder's copies up to date; one that somebody has changed stays as it is.

    Parameters
    ----------
    folder
        Made when it is not there. Nothing else in it is touched.

    Raises
    ------
    UsageError
        The folder cannot be made or written to, or the notebooks are missing.
    TokenVaultError
        A copy cannot be written.
    """
    shipped = shipped_notebooks()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(
            f"The folder {folder} cannot be made ({problem.strerror}); nothing was started; name"
            " another with --folder."
        ) from None
    record = _read(folder / RECORD)
    kept = []
    for original in shipped:
        content = original.read_bytes()
        copy, current = folder / original.name, _digest(content)
        found = _digest(copy.read_bytes()) if copy.is_file() else None
        written = record.get(original.name)
        if found is None or (found == written and found != current):
            write_whole(copy, content)
            written = current
        elif found == current:
            written = current
        elif written != current:
            kept.append(original.name)
        if written is not None:
            record[original.name] = written
    write_whole(folder / RECORD, json.dumps(record, indent=2).encode())
    return WorkingCopies(folder, tuple(one.name for one in shipped), tuple(kept))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> dict[str, str]:
    """Which content each copy was written with; empty where that is not known."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: digest for name, digest in content.items() if isinstance(digest, str)}
