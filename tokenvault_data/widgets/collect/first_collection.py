"""The first snapshot of an empty store: made-up customers, collected from an emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.collection.collect import collect
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import Locked
from tokenvault_data.widgets.collect.account_box import open_access
from tokenvault_data.widgets.collect.text import progress_line
from tokenvault_data.widgets.parts.layout import in_a_sentence, named
from tokenvault_data.widgets.parts.text import ProgressView
from tokenvault_data.widgets.parts.threads import Job, Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenvault_data.collection.progress import Progress

CUSTOMERS: Final = 2_000
EMULATOR: Final = EmulatorSettings(customers=CUSTOMERS, rate_limit_per_minute=24_000)


def customers() -> list[str]:
    """Return the ids of all customers of the emulator."""
    return [f"cust_{number:07d}" for number in range(CUSTOMERS)]


class FirstCollection:
    """A collection that begins when it is made, shown as it goes.

    Parameters
    ----------
    store : Path
        Where its snapshot is published.
    on_snapshot : callable
        Gets the snapshot, on the collection's own thread.

    Attributes
    ----------
    view : ProgressView
    """

    def __init__(self, store: Path, on_snapshot: Callable[[Snapshot], None]) -> None:
        self._store = store
        self._on_snapshot = on_snapshot
        self.view = named(ProgressView(label="First collection"), "first-collection")
        self.view.show("The emulator is being started.", fraction=0.0)
        self._worker: Worker[Progress] = Worker(self._updated, self._ended)
        self._worker.start(self._collect)

    def _collect(self, job: Job[Progress]) -> Snapshot:
        access = open_access("emulator", EMULATOR)
        try:
            return collect(
                access.vault(0.5),
                customers(),
                store=self._store,
                stop=job.stopping,
                progress=job.tell,
            )
        finally:
            access.close()

    def _updated(self, progress: Progress) -> None:
        self.view.show(progress_line(progress), fraction=progress.done / progress.requested)

    def _ended(self, ended: object) -> None:
        if isinstance(ended, Snapshot):
            self.view.show("")
            self._on_snapshot(ended)
        elif isinstance(ended, Locked):
            text = "Another page is collecting already; reload this one when that has ended."
            self.view.show(text, tone="warning")
        elif isinstance(ended, BaseException):
            self.view.show(in_a_sentence(ended), tone="warning")
