"""The command as it can be typed again, for hints that are copied and pasted."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tokenvault_data.cli.options import DEFAULT_STORE
from tokenvault_data.errors import CollectionError

if TYPE_CHECKING:
    from tokenvault_data.collection.run import Run
    from tokenvault_data.dataset.snapshots import Snapshot


def run_to_retry(snapshot: Snapshot) -> str | None:
    """Find the run that a partial snapshot was published of, in the store where it lies.

    Returns
    -------
    str or None
        As `--resume` takes it; None when nothing failed, when the run has since been completed,
        or when it is not there.
    """
    from tokenvault_data.collection.run import list_runs

    if snapshot.complete:
        return None
    store = snapshot.path.resolve().parent.parent
    return next((run.run_id for run in list_runs(store) if _can_retry(run, snapshot.id)), None)


def _can_retry(run: Run, snapshot_id: str) -> bool:
    try:
        published = [] if run.is_complete else run.publications
    except CollectionError:  # a damaged run retries nothing
        return False
    return any(publication.snapshot_id == snapshot_id for publication in published)


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
