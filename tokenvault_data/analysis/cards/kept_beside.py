"""Where copies of what a snapshot says are kept, that are quicker to use and may be deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenvault_data.dataset.snapshots import SNAPSHOTS_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.dataset.snapshots import Snapshot


def path_beside(snapshot: Snapshot, folder: str, version: int) -> Path:
    """Return ``folder/<snapshot id>-<digest>-v<version>`` in the store of a snapshot.

    For one that lies in no store, the folder is next to it.
    """
    parent = snapshot.path.parent
    store = parent.parent if parent.name == SNAPSHOTS_FOLDER else parent
    return store / folder / f"{snapshot.id}-{snapshot.digest[:16]}-v{version}"
