"""Collecting from a notebook: an account, a list and a plan; start, pause, go on, reconcile."""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.collection.run import open_run
from tokenvault_data.collection.run_progress import RunMonitor
from tokenvault_data.dataset.snapshots import Snapshot, open_snapshot
from tokenvault_data.errors import CollectionInterrupted, Locked, UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.widgets.collect.boxes import CollectBoxes
from tokenvault_data.widgets.collect.job import (
    CollectJob,
    PendingRun,
    find_pending,
    is_at_work_here,
    stop_here,
)
from tokenvault_data.widgets.collect.run_buttons import IDLE, Phase
from tokenvault_data.widgets.collect.text import (
    elsewhere_line,
    finished_line,
    found_line,
    outcome_blocks,
    progress_line,
    stopped_line,
)
from tokenvault_data.widgets.parts.layout import Panel, in_a_sentence
from tokenvault_data.widgets.parts.threads import StateWatcher, Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.progress import Progress
    from tokenvault_data.collection.run_progress import RunProgress
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.emulator.settings import EmulatorSettings
    from tokenvault_data.widgets.parts.text import Block
    from tokenvault_data.widgets.parts.threads import Job

_WAIT_SECONDS: Final = 0.2  # not for ever: on some systems that would not hear an interrupt


class CollectPanel(Panel):
    """Collects the cards of a list of customers, beside the kernel.

    What runs goes on when the page is closed; a panel made later, in this kernel or another, shows
    how far it is, or offers to go on.

    Parameters
    ----------
    profile : str, Profile or Vault, optional
        The account: a profile's name, or the caller's own; a vault stays the caller's to close.
        For ``"emulator"`` an emulator is started unless one answers, and ends with the panel.
    customers : str, Path, CustomerList or iterable of str, optional
        The list, or where it is; more can be chosen in the panel.
    column : str, optional
        Where the ids are, in a file of several columns.
    store : str or Path, optional
        Folder of runs and snapshots.
    share : float, optional
        The part of the account's rate limit to use, above 0 up to 1; that of a vault stays.
    limit_per_minute : int, optional
        The account's limit where it names none; a ceiling where it does.
    emulator : EmulatorSettings, optional
        Of the emulator that is started.

    Attributes
    ----------
    snapshot : Snapshot or None
        What the last collection has published.

    Examples
    --------
    >>> panel = CollectPanel("emulator", ["cust_0000001"])  # doctest: +SKIP
    >>> panel.start()  # doctest: +SKIP
    >>> panel.result()  # doctest: +SKIP
    <Snapshot 20261122T104800Z-3f9a1c: complete, emulator, 2 instruments of 1 customers>
    """

    def __init__(
        self,
        profile: str | Profile | Vault = "emulator",
        customers: object = None,
        *,
        column: str | None = None,
        store: str | Path = "vault-data",
        share: float = 0.5,
        limit_per_minute: int | None = None,
        emulator: EmulatorSettings | None = None,
    ) -> None:
        super().__init__("collect")
        self.snapshot: Snapshot | None = None
        self._store = local_path(store)
        self._phase: Phase = "ready"
        self._ends_as: Phase = "paused"
        self._lock = threading.RLock()
        self._pending: PendingRun | None = None
        self._run_id: str | None = None
        self._retryable = 0
        self._before = (0, 0)  # cards and failures of earlier sessions of the run
        self._counts: dict[str, int] = {}
        self._error: BaseException | None = None
        self._worker: Worker[Progress] = Worker(self._updated, self._ended)
        self._watcher = StateWatcher(self._look_elsewhere)
        self._boxes = CollectBoxes(
            profile,
            customers,
            column=column,
            share=share,
            limit_per_minute=limit_per_minute,
            emulator=emulator,
            on_choice=self._chosen,
            on_click={
                "check": self.check,
                "start": self._start_clicked,
                "retry": self.retry,
                "go_on": self.go_on,
                "pause": self.pause,
                "cancel": self.cancel,
            },
        )
        self._run_box = self._boxes.run
        self.children = self._boxes.boxes
        self._chosen()

    # -- what a script can do, and buttons do -----------------------------------------------------

    def check(self) -> None:
        """Send one request, to see whether the account works and what its limit is."""
        self._begin("checking", lambda vault: lambda _: self._boxes.account.ask(vault))

    def start(self, *, fresh: bool = False) -> None:
        """Begin to collect the list; an unfinished collection of it is gone on with.

        Parameters
        ----------
        fresh : bool, optional
            Leave what is unfinished as it is, and ask for everybody.
        """
        customers, pending = self._boxes.list_read, self._pending
        goes_on = pending is not None and pending.is_of(customers) and not fresh
        self._before = pending.before if pending is not None and goes_on else (0, 0)
        self._begin("running", lambda vault: CollectJob(vault, self._store, customers, fresh=fresh))

    def go_on(self) -> None:
        """Ask for those customers of the unfinished collection that have no outcome yet."""
        with self._lock:
            pending = self._pending
            if pending is None and self._run_id is not None:
                self.retry()  # a retry was stopped: all have an outcome, some a failure
                return
            if pending is None:
                self._fail(UsageError("there is no collection to go on with; nothing was sent"))
                return
            try:
                customers = pending.customers()
            except Exception as error:  # noqa: BLE001  one sentence in the panel
                self._fail(error)
                return
            if not pending.is_of(self._boxes.list_read):
                self._boxes.customers.set_list(customers)
            self._before = pending.before
            self._begin("running", lambda vault: CollectJob(vault, self._store, customers))

    def retry(self) -> None:
        """Ask again for the customers that failed in the last collection."""
        run_id = self._run_id
        self._before = (self._counts.get("cards", 0), 0)  # failures are found out anew
        self._begin("running", lambda vault: CollectJob(vault, self._store, resume=run_id))

    def pause(self) -> None:
        """Stop in order; what was done is kept, and the panel stays at the collection."""
        self._stop("paused")

    def cancel(self) -> None:
        """Stop in order and not go on; what was done is kept, and the panel is free."""
        with self._lock:
            if self._phase == "paused":
                self._show_stopped("cancelled")
            else:
                self._stop("cancelled")

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until nothing is under way; say whether that came.

        While a cell waits, the page's buttons are not heard; interrupting it pauses the collection.
        """
        until = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
        try:
            while not self._worker.join(min(_WAIT_SECONDS, max(0, until - time.monotonic()))):
                if time.monotonic() >= until:
                    return False
        except KeyboardInterrupt:
            self.pause()
            self._worker.join()
            raise
        return True

    def result(self, timeout_seconds: float | None = None) -> Snapshot:
        """Wait for the snapshot of the collection that was begun, as `join` does.

        Raises
        ------
        TokenVaultError
            What ended it, `CollectionInterrupted` when it was paused or cancelled.
        """
        with suppress(KeyboardInterrupt):
            self.join(timeout_seconds)
        if self.snapshot is not None:
            return self.snapshot
        raise self._error or UsageError("no collection has ended yet, so there is no snapshot")

    def close(self) -> None:
        """Stop in order, and close what the panel has opened, its emulator included."""
        self._watcher.stop()
        self._worker.stop()
        self._worker.join()
        self._boxes.account.close()
        super().close()

    @property
    def state(self) -> dict[str, Any]:
        """What was chosen, as the constructor takes it, and how far the collection is."""
        return {
            **self._boxes.chosen,
            "store": str(self._store),
            "phase": self._phase,
            "run_id": self._run_id,
            "counts": dict(self._counts),
            "snapshot": None if self.snapshot is None else self.snapshot.id,
        }

    def static_html(self) -> str:
        """Return what is shown now as HTML without script."""
        return self._boxes.static_html()

    def _start_clicked(self) -> None:
        # Beside "Go on", the button says that it begins anew.
        pending = self._pending
        self.start(fresh=pending is not None and pending.is_of(self._boxes.list_read))

    # -- one job at a time ------------------------------------------------------------------------

    def _begin(self, phase: Phase, make: Callable[[Vault], Callable[[Job[Progress]], Any]]) -> None:
        with self._lock:
            if self._phase not in IDLE and self._phase != "paused":
                return  # a click that came late
            try:
                work = make(self._boxes.vault())
            except Exception as error:  # noqa: BLE001  one sentence in the panel
                self._fail(error)
                return
            self._error, self._ends_as = None, "paused"
            self._run_box.notify()
            if phase == "running":
                self.snapshot = None
                self._run_box.conclude()
                self._run_box.say("The first requests are leaving.", fraction=0.0)
            else:
                self._run_box.say("One request is on its way.")
            self._enter(phase)
            self._worker.start(work)

    def _stop(self, ends_as: Phase) -> None:
        with self._lock:
            if self._phase == "elsewhere" and self._pending is not None:
                stop_here(self._pending.glance.run_id)
            elif self._phase == "running":
                self._ends_as = ends_as
                self._enter("stopping")
                self._run_box.say("Stopping: what is under way is answered and written first.")
                self._worker.stop()

    def _updated(self, progress: Progress) -> None:
        with self._lock:
            self._run_id = progress.run_id
            cards, failed = self._before
            self._count(
                progress.requested,
                progress.done,
                progress.failed + failed,
                progress.cards + cards,
            )
            if progress.budget is not None and progress.requests:
                self._boxes.learn(progress.budget.limit_per_minute)
            if self._phase == "running":
                done = progress.done / progress.requested
                line = progress_line(progress, cards_before=cards, failed_before=failed)
                self._run_box.say_again(line, fraction=done)

    def _ended(self, ended: object) -> None:
        with self._lock:
            try:
                if isinstance(ended, Snapshot):
                    self._finish(ended)
                elif isinstance(ended, CollectionInterrupted):
                    self._error = ended
                    self._show_stopped(self._ends_as)
                elif isinstance(ended, BaseException):
                    self._fail(ended)
                else:
                    self._run_box.say("")
                    self._enter("ready")
                    self._look_around(("good", "The account works: it has answered a request."))
            except Exception as error:  # noqa: BLE001  one sentence in the panel
                self._fail(error)

    # -- what is shown ----------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._boxes.enter(phase, self._pending, retryable=self._retryable)

    def _count(self, requested: int, done: int, failed: int, cards: int) -> None:
        self._counts = {"requested": requested, "done": done, "failed": failed, "cards": cards}

    def _chosen(self) -> None:
        """See what the store holds of another account or list that was chosen."""
        with self._lock:
            if self._phase in IDLE or self._phase == "elsewhere":
                self._retryable, self._run_id = 0, None
                self._run_box.say("")
                self._enter("ready")
                self._look_around()

    def _look_around(self, *said: Block) -> None:
        """Show what there is to go on with, or that somebody is at it, below what is to be said."""
        self._watcher.stop()
        access, customers = self._boxes.account.access, self._boxes.list_read
        self._pending = None
        if access is not None:
            self._pending = find_pending(self._store, access.profile, customers)
        found = self._pending
        if found is not None and found.glance.is_worked_on:
            self._show_elsewhere(found)
            self._watcher.start()
        elif found is not None and self._phase not in {"paused", "cancelled"}:
            same = found.is_of(customers)
            line = found_line(found.glance, same_list=same, list_is_read=customers is not None)
            said = (*said, ("text", line))
        self._run_box.notify(*said)
        self._enter(self._phase)

    def _show_elsewhere(self, pending: PendingRun) -> None:
        glance = pending.glance
        self._pending, self._run_id = pending, glance.run_id
        self._count(glance.requested, glance.done, glance.failed, glance.cards)
        here = is_at_work_here(glance.run_id)
        said = elsewhere_line(glance, in_this_kernel=here)
        self._run_box.say(said, fraction=glance.done / glance.requested)
        self._enter("elsewhere")

    def _look_elsewhere(self) -> bool:
        """Follow a run that somebody else works on; say whether to look again."""
        with self._lock:
            if self._phase != "elsewhere" or self._pending is None:
                return False
            try:
                pending = self._pending.look_again()
                glance = pending.glance
                if glance.is_worked_on:
                    self._show_elsewhere(pending)
                    return True
                if glance.is_finished and glance.snapshot_id is not None:
                    self._finish(open_snapshot(self._store, glance.snapshot_id))
                else:
                    self._chosen()
            except Exception as error:  # noqa: BLE001  one sentence in the panel
                self._fail(error)
            return self._phase == "elsewhere"

    def _show_stopped(self, phase: Phase) -> None:
        """Show what is kept of a collection that was paused or cancelled."""
        self._enter(phase)
        self._look_around()
        glance = self._look_at_own() if self._pending is None else self._pending.glance
        if self._phase == phase and glance is not None:
            self._retryable = glance.failed if glance.is_finished else 0
            self._count(glance.requested, glance.done, glance.failed, glance.cards)
            text = stopped_line(glance, how=phase.capitalize())
            self._run_box.say(text, fraction=glance.done / glance.requested, tone="idle")
            self._enter(phase)

    def _look_at_own(self) -> RunProgress | None:
        """Look at the run that this panel worked on last; None without one."""
        if self._run_id is None:
            return None
        return RunMonitor(open_run(self._store, self._run_id)).look()

    def _finish(self, snapshot: Snapshot) -> None:
        """Show what was published."""
        manifest = snapshot.manifest
        self.snapshot, self._pending = snapshot, None
        self._retryable = manifest.outcomes["failed"]
        self._count(manifest.requested, manifest.requested, self._retryable, manifest.instruments)
        self._run_box.notify()
        self._run_box.conclude(*outcome_blocks(manifest))
        tone = "good" if manifest.complete else "warning"
        self._run_box.say(finished_line(manifest), fraction=1.0, tone=tone)
        self._enter("done")

    def _fail(self, error: BaseException) -> None:
        """Show one sentence, and what there is to go on with."""
        with self._lock:
            self._error = error
            self._run_box.say("")
            self._enter("failed")
            said: Block = ("warning", in_a_sentence(error))
            try:
                glance = self._look_at_own()
                self._retryable = glance.failed if glance is not None and glance.is_finished else 0
                self._look_around(said)
                if self._phase == "elsewhere" and isinstance(error, Locked):
                    self._run_box.notify(("text", "Nothing was sent from here."))
            except Exception:  # noqa: BLE001  what has failed matters more than what there may be
                self._run_box.notify(said)
