"""A collection as a job beside the kernel, which other panels of the process can find and stop."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenvault_data.collection.collect import collect
from tokenvault_data.collection.customer_list import CustomerList
from tokenvault_data.collection.run_progress import RunMonitor, unfinished_runs
from tokenvault_data.errors import CollectionError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.progress import Progress
    from tokenvault_data.collection.run_progress import RunProgress
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.widgets.parts.threads import Job


class PendingRun(NamedTuple):
    """An unfinished run, as it was seen last.

    Attributes
    ----------
    onlooker : RunMonitor
    glance : RunProgress
    """

    onlooker: RunMonitor
    glance: RunProgress

    def look_again(self) -> PendingRun:
        """See how far it is by now. Raises `CollectionError` when its folder was damaged."""
        return PendingRun(self.onlooker, self.onlooker.look())

    def is_of(self, customers: CustomerList | None) -> bool:
        """Whether it collects this list."""
        facts = self.onlooker.run.facts
        return customers is not None and facts.customers_digest == customers.digest

    @property
    def before(self) -> tuple[int, int]:
        """Cards and failures it has so far, which a session that goes on adds to."""
        return self.glance.cards, self.glance.failed

    def customers(self) -> CustomerList:
        """The list it collects. Raises `CollectionError` when its folder was damaged."""
        return CustomerList(
            self.onlooker.run.customers(), source=f"the list of run {self.glance.run_id}"
        )


def find_pending(
    store: Path, profile: Profile, customers: CustomerList | None
) -> PendingRun | None:
    """Find the run that matters most to whoever has this list.

    One that somebody works on comes first, then one of the same list, then the newest.
    """
    found: list[PendingRun] = []
    for run in unfinished_runs(store, profile):
        matters = not found or run.is_worked_on()
        if not matters and not _is_of(run.facts.customers_digest, customers):
            continue
        onlooker = RunMonitor(run)
        try:
            pending = PendingRun(onlooker, onlooker.look())
        except CollectionError:  # going on with it by name says what is wrong
            continue
        if pending.glance.is_worked_on:
            return pending
        found.append(pending)
    same = (pending for pending in found if pending.is_of(customers))
    return next(same, found[0] if found else None)


def _is_of(digest: str, customers: CustomerList | None) -> bool:
    return customers is not None and customers.digest == digest


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
            job.report(progress)

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
