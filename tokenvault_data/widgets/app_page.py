"""The page of the app: what a store holds, and how to collect it anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.collection.collect import collect
from tokenvault_data.dataset.snapshots import Snapshot, list_snapshots, open_snapshot
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import Locked, ProfileError
from tokenvault_data.local_paths import local_path
from tokenvault_data.widgets.collect.account_box import known_profiles, open_access
from tokenvault_data.widgets.collect.panel import CollectPanel
from tokenvault_data.widgets.collect.text import progress_line
from tokenvault_data.widgets.explore.explorer import Explorer
from tokenvault_data.widgets.parts.layout import Sections, in_a_sentence, named
from tokenvault_data.widgets.parts.text import ProgressView, Prose, short_name
from tokenvault_data.widgets.parts.threads import Job, Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenvault_data.collection.progress import Progress
    from tokenvault_data.dataset.snapshots import SnapshotListing
    from tokenvault_data.widgets.parts.text import Block


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
                progress=job.report,
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


_EXPLORE: Final = 0
_FIRST: Final = (
    f"This store holds no snapshot yet. So that there is something to look at, the cards of"
    f" {CUSTOMERS:,} made-up customers are being collected from an emulated vault, here on this"
    " computer. It takes a few seconds; no real vault is asked for anything."
)
_NOTHING: Final = (
    "This store holds no snapshot of the {environment} vault yet. Collect one in the section"
    " Collect; it is shown here as soon as it is published."
)
_WHILE_OPEN: Final = (
    "Keep this page open while it collects. Closed, it stops; nothing is lost, and started again"
    " the collection goes on where it was. For many hours use `tokenvault collect`."
)


class AppPage(ipywidgets.VBox):
    """Two sections: explore the newest snapshot or another, and collect.

    Parameters
    ----------
    profile : str
        Whose vault it is.
    store : str or Path
        Folder of runs and snapshots.
    folder : str or Path, optional
        What a path is relative to that is typed on the page.
    """

    def __init__(
        self, *, profile: str, store: str | Path, folder: str | Path | None = None
    ) -> None:
        super().__init__()
        self.add_class("tv-panel")
        self.add_class("tv-app")
        if folder is not None:
            os.chdir(folder)
        self._profile = profile
        self._store = local_path(store)
        self._environment = ""
        self._explorer: Explorer | None = None
        self._collect_panel: CollectPanel | None = None
        self._sections = named(Sections(titles=["Explore", "Collect"], label="Token Vault"), "nav")
        self._notice = named(Prose(is_live=True), "page-notice")
        self._choice = named(
            ipywidgets.Dropdown(description="Snapshot", layout={"width": "min(100%, 420px)"}),
            "snapshot-choice",
        )
        self._explored = ipywidgets.VBox()
        self._collected = ipywidgets.VBox()
        self.children = (self._sections, self._notice, self._explored, self._collected)
        self._sections.observe(lambda _: self._guarded(self._show_section), "shown")
        self._choice.observe(lambda _: self._guarded(self._explore_chosen), "value")
        self._guarded(self._begin)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _begin(self) -> None:
        profiles = known_profiles()
        if self._profile not in profiles:
            known = ", ".join(sorted(profiles))
            raise ProfileError(f"there is no profile {self._profile!r}; known are {known}")
        self._environment = profiles[self._profile]
        self._show_section()
        if not self._listed() and self._environment == "emulator":
            self._notice.show(("text", _FIRST))
            first = FirstCollection(self._store, lambda _: self._guarded(self._take_newest))
            self._explored.children = (first.view,)

    def _show_section(self) -> None:
        is_explore = self._sections.shown == _EXPLORE
        self._explored.layout.display = None if is_explore else "none"
        self._collected.layout.display = "none" if is_explore else None
        if is_explore:
            self._take_newest()
        elif self._collect_panel is None:
            is_emulator = self._environment == "emulator"
            self._collect_panel = CollectPanel(
                self._profile,
                customers() if is_emulator else None,
                store=self._store,
                emulator=EMULATOR,
            )
            note = Prose()
            note.show(("note", _WHILE_OPEN))
            self._collected.children = (note, self._collect_panel)

    def _listed(self) -> list[SnapshotListing]:
        """What can be opened of this environment, newest first."""
        return [
            one
            for one in list_snapshots(self._store)
            if one.damage is None
            and one.manifest is not None
            and one.manifest.environment == self._environment
        ]

    def _take_newest(self) -> None:
        """Offer all snapshots, and show the newest if it is a new one."""
        listed = self._listed()
        ids = [one.id for one in listed]
        before = [value for _, value in self._choice.options]
        if ids == before:
            if not ids and not self._explored.children:
                self._notice.show(("text", _NOTHING.format(environment=self._environment)))
            return
        options = [(short_name(one.manifest), one.id) for one in listed if one.manifest is not None]
        self._choice.options = options
        self._choice.value = ids[0]

    def _explore_chosen(self) -> None:
        chosen: str | None = self._choice.value
        if chosen is None or (self._explorer is not None and chosen == self._shown_id):
            return
        snapshot = open_snapshot(self._store, chosen)
        self._explore(snapshot)

    def _explore(self, snapshot: Snapshot) -> None:
        before, self._explorer = self._explorer, Explorer(snapshot)
        self._shown_id = snapshot.id
        several = len(self._choice.options) > 1
        self._explored.children = (*([self._choice] if several else []), self._explorer)
        self._notice.show()
        if before is not None:
            before.close()

    def _guarded(self, action: Callable[[], Any]) -> None:
        """Do something; what goes wrong is one sentence on the page."""
        try:
            action()
        except Exception as error:  # noqa: BLE001  a page shows no traceback
            problem: Block = ("warning", in_a_sentence(error))
            self._notice.show(problem)
