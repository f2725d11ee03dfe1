"""Which run can try the failed customers of a snapshot again."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from tokenvault_data.collection.runs import list_runs

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
