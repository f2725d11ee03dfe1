"""A collection as a job beside the kernel, which other panels of the process can find and stop."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenvault_data.collection.collect import collect
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.customer_list import CustomerList
    from tokenvault_data.collection.progress import Progress
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.widgets.parts.threads import Job

_at_work: Final[dict[str, threading.Event]] = {}
"""What stops each run that this process works on, by the run's id."""


@dataclass(frozen=True, slots=True)
class CollectJob:
    """What is to be collected; called with the `Job` it is.

    Attributes
    ----------
    vault : Vault
    store : Path
    customers : CustomerList or None
        May be left out with `resume`.
    resume : str or None
        A run whose failed customers are to be tried again.
    fresh : bool
        Whether to begin anew where an unfinished run could be gone on with.
    """

    vault: Vault
    store: Path
    customers: CustomerList | None = None
    resume: str | None = None
    fresh: bool = False

    def __call__(self, job: Job[Progress]) -> Snapshot:
        """Collect until the end, or until the job is told to stop.

        Raises
        ------
        TokenVaultError
            As `collect`.
        """
        if self.customers is None and self.resume is None:
            raise UsageError("there is no list of customers yet; name one, or upload it")
        mine: set[str] = set()

        def report(progress: Progress) -> None:
            if not threading.main_thread().is_alive():
                job.stopping.set()  # the kernel ends: write down what was done, and let it
            if not mine:
                mine.add(progress.run_id)
                _at_work[progress.run_id] = job.stopping
            job.tell(progress)

        try:
            return collect(
                self.vault,
                self.customers,
                store=self.store,
                resume=self.resume,
                fresh=self.fresh,
                stop=job.stopping,
                progress=report,
            )
        finally:
            for run_id in mine:
                _at_work.pop(run_id, None)


def is_at_work_here(run_id: str) -> bool:
    """Whether this process works on a run."""
    return run_id in _at_work


def stop_here(run_id: str) -> None:
    """Have this process stop work on a run in order, if it is at it."""
    stopping = _at_work.get(run_id)
    if stopping is not None:
        stopping.set()
