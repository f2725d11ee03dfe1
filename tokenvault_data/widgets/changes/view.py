"""What became of the cards between two snapshots: a panel that compares beside the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.changes import drilldown
from tokenvault_data.widgets.changes.comparing import Compared, SnapshotPair, compare_beside, id_of
from tokenvault_data.widgets.changes.drilldown import DIMENSIONS
from tokenvault_data.widgets.parts.bars import Bars
from tokenvault_data.widgets.parts.layout import Panel, in_a_sentence, named
from tokenvault_data.widgets.parts.static_html import rows_html
from tokenvault_data.widgets.parts.tables import PAGE_ROWS, ListPane, TableView
from tokenvault_data.widgets.parts.text import ProgressView, Prose, as_html
from tokenvault_data.widgets.parts.threads import Clicks, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tokenvault_data.analysis.changes.compare import Comparison
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.parts.threads import Job

LISTED: Final = (
    *("kind", "customer_id", "instrument_id", "new_instrument_id", "bank", "card_network"),
    *("last_four", "old_status", "new_status", "old_expires_on", "new_expires_on"),
    *("changed", "matched_by"),
)


class ChangesView(Panel):
    """Events between two lists of cards by kind, bank and month, and the rows behind them.

    Comparing begins at once where it is clear what to compare, and never holds the kernel.

    Parameters
    ----------
    old, new : Snapshot, str, or object with ``__arrow_c_stream__``, optional
        With a store the ids of two of its snapshots; the two newest when not given.
    store : str or path, optional
        Folder of a store, to choose the two from.
    chosen : mapping, optional
        Lists of ``kind``, ``bank`` (canonical name) and ``expiry`` (``YYYY-MM``), None for missing,
        that are chosen to begin with.
    environment : str, optional
        Only snapshots of this environment can be chosen from a store.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    export_to : str
        Name of the file that is proposed for the events.

    Attributes
    ----------
    pair : SnapshotPair or None
        The two snapshots to choose; None without a store.
    bars : dict of str to Bars
        Those of ``kind``, ``bank`` and ``expiry``.
    list : ListPane
        The chosen events.

    Raises
    ------
    UsageError
        There is nothing to compare, or a choice cannot be read.

    Examples
    --------
    ::

        changes = ChangesView(store="vault-data")
        changes                                   # as the last line of a cell
        changes.wait()
        changes.choose("kind", ["gone"])          # what a click on a bar does
        changes.events                            # the chosen events
    """

    def __init__(
        self,
        old: ArrowStream | str | None = None,
        new: ArrowStream | str | None = None,
        *,
        store: str | Path | None = None,
        chosen: Mapping[str, Sequence[str | None]] | None = None,
        environment: str | None = None,
        banks: BankNames | None = None,
        export_to: str = "changes.parquet",
    ) -> None:
        super().__init__("changes-view")
        self._choice = drilldown.read_choice(chosen)
        self._store = store
        self._environment = environment
        self._names = banks
        self._clicks = Clicks(lambda error: self._said.show(("warning", in_a_sentence(error))))
        self._compared: Compared | None = None
        self._worker: Worker[str] = Worker(self._tell, self._ended)
        self.pair: SnapshotPair | None = None
        self.children: tuple[ipywidgets.Widget, ...]
        self._build(export_to)
        if store is not None:
            self.pair = SnapshotPair(store, old=id_of(old), new=id_of(new), environment=environment)
            self.pair.compare.on_click(self._clicks.guarded(lambda _: self.compare()))
            self.children = (self.pair, self._progress, self._said)
            if self.pair.is_ready:
                self._start(self.pair.old.value, self.pair.new.value)
            else:
                self._progress.show(self.pair.why_not, tone="warning")
        elif old is None or new is None or isinstance(old, str) or isinstance(new, str):
            raise UsageError(
                "Two lists of cards are compared, and fewer were given; nothing was compared; give"
                " two snapshots, or store= and the ids of two of its snapshots."
            )
        else:
            self.children = (self._progress,)
            self._start(old, new)

    @property
    def state(self) -> dict[str, Any]:
        """``store``, ``old`` and ``new`` (ids; None for tables), and ``chosen``, as plain data."""
        with self._clicks.lock:
            found = self._compared
            return {
                "store": None if self._store is None else str(self._store),
                "old": None if found is None else id_of(found.old),
                "new": None if found is None else id_of(found.new),
                "chosen": {name: list(values) for name, values in self._choice.items()},
            }

    @property
    def comparison(self) -> Comparison | None:
        """All events and the account of both lists; None until they are found."""
        found = self._compared
        return None if found is None else found.comparison

    @property
    def events(self) -> ResultTable | None:
        """The chosen events, ids as they are; None until they are found."""
        return self.list.table

    def choose(self, dimension: str, values: Sequence[str | None]) -> None:
        """Choose events by ``kind``, ``bank`` or ``expiry``, as clicks do; all with none.

        Raises
        ------
        UsageError
            Events are not told apart by it, or have no such kind.
        """
        with self._clicks.lock:
            self._choice = drilldown.read_choice({**self._choice, dimension: list(values)})
            self._show_choice()

    def clear(self) -> None:
        """Take all choices back."""
        with self._clicks.lock:
            self._choice = {}
            self._show_choice()

    def compare(self) -> None:
        """Compare the two snapshots that are chosen from the store.

        Raises
        ------
        UsageError
            There is no store, both are the same, or a comparison is running.
        """
        if self.pair is None:
            raise UsageError("There is no store to choose from; nothing was compared; give one.")
        if not self.pair.is_ready:
            raise UsageError(self.pair.why_not)
        self._start(self.pair.old.value, self.pair.new.value)

    def wait(self, timeout_seconds: float | None = 60) -> bool:
        """Wait until comparison, list and export have caught up; say whether they have."""
        return self._worker.join(timeout_seconds) and self.list.join(timeout_seconds)

    def static_html(self) -> str:
        """Return the account, the events by kind, bank and month, and the first masked rows."""
        with self._clicks.lock:
            if self._compared is None:
                return as_html([("text", self._progress.text)])
            rows = rows_html(self.list.table, LISTED, PAGE_ROWS)
            return self._compared.figures_html() + rows

    # The work beside the kernel.

    def _start(self, old: ArrowStream | str, new: ArrowStream | str) -> None:
        def work(job: Job[str]) -> Compared:
            return compare_beside(
                job,
                old,
                new,
                store=self._store,
                environment=self._environment,
                banks=self._names,
            )

        if not self._worker.start(work):
            raise UsageError("A comparison is running; wait for its end, then compare again.")

    def _tell(self, said: str) -> None:
        self._progress.show(said)

    def _ended(self, ended: Any) -> None:
        with self._clicks.lock:
            if isinstance(ended, BaseException):
                self._progress.show(in_a_sentence(ended), tone="warning")
                return
            self._compared = ended
            try:
                self._show_found(ended)
            except Exception as error:  # noqa: BLE001  a thread has nobody else to tell
                self._progress.show(in_a_sentence(error), tone="warning")

    # The page.

    def _build(self, export_to: str) -> None:
        self._progress = named(ProgressView(label="Comparison"), "progress")
        self._headline = named(Prose(), "headline")
        self._account = named(TableView(caption="Every row of both lists, once"), "account")
        self.bars = {
            name: named(Bars(title=drilldown.TITLES[name], unit="events"), name)
            for name in DIMENSIONS
        }
        self.bars["expiry"].form = "columns"
        self.bars["expiry"].note = "Drag, or Shift and arrows, for a stretch of months"
        for name, bars in self.bars.items():
            bars.observe(self._chooses(name), "chosen")
        self.list = ListPane(
            "events",
            columns=LISTED,
            path=export_to,
            unit="event",
            empty="Nothing of the kind has happened.",
        )
        self._code = named(Prose(), "choice")
        self._said = named(Prose(is_live=True), "said")
        clear = named(
            ipywidgets.Button(description="Clear the choice", layout={"width": "auto"}), "clear-all"
        )
        clear.on_click(self._clicks.guarded(lambda _: self.clear()))
        flat = [self._account, self.bars["kind"], self.bars["bank"]]
        self._found = (
            *(self._headline, named(ipywidgets.Box(flat), "grid"), self.bars["expiry"]),
            *(named(ipywidgets.Box([clear]), "row"), self.list, self._code),
        )

    def _show_found(self, found: Compared) -> None:
        with self._clicks.setting():
            for name, bars in self.bars.items():
                values = found.drilldown.values[name]
                with bars.hold_sync():
                    bars.chosen, bars.labels = [], found.drilldown.names(name)
                    bars.missing = len(values) - 1 if values and values[-1] is None else -1
        self._headline.show(*found.blocks())
        self._account.show(found.account.table(), note="")
        self._show_choice()
        self._progress.show("", tone="good")
        first = () if self.pair is None else (self.pair,)
        self.children = (*first, self._progress, self._said, *self._found)

    def _show_choice(self) -> None:
        """Show what was chosen; nothing that is set here counts as a click."""
        if self._compared is None:
            return
        found = self._compared.drilldown
        for name in DIMENSIONS:
            found.choose(name, self._choice.get(name, ()))
        choice = self._choice = found.choice
        with self._clicks.setting():
            for name, bars in self.bars.items():
                with bars.hold_sync():
                    bars.counts, bars.chosen = found.counts(name), found.places(name)
                    bars.total = sum(bars.counts)
        self._code.show(
            ("subheading", "The choice, to take along"),
            ("text", f"What is listed: {drilldown.words(choice) or 'all events'}."),
            ("code", drilldown.code_of(choice)),
        )
        self._said.show()
        self.list.ask(lambda: found.rows(choice), caption="Looking for the chosen events")

    # What is clicked.

    def _chooses(self, name: str) -> Callable[[Any], None]:
        def act(change: Mapping[str, Any]) -> None:
            if self._compared is not None:
                values = self._compared.drilldown.values[name]
                self.choose(name, [values[at] for at in change["new"]])

        return self._clicks.guarded(act)
