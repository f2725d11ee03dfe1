"""Linked breakdowns of a snapshot: what is chosen in one is what all the others count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets
from ipywidgets import Layout

from tokenvault_data.analysis.cards.rows import PAGE_ROWS, RowPages, SelectedRows
from tokenvault_data.analysis.cube.crossfilter import DEFAULT_DIMENSIONS, EXPIRY
from tokenvault_data.dataset.snapshots import list_snapshots, open_snapshot
from tokenvault_data.dataset.tables import result_table
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.explore.page import (
    code_of,
    figures,
    rule_code,
    static_page,
)
from tokenvault_data.widgets.explore.state import TITLES, Exploration
from tokenvault_data.widgets.parts.bars import Bars
from tokenvault_data.widgets.parts.export_row import ExportRow, ExportRows
from tokenvault_data.widgets.parts.layout import Panel, in_a_sentence, named
from tokenvault_data.widgets.parts.tables import TableView
from tokenvault_data.widgets.parts.text import Prose, partial_blocks, short_name, snapshot_blocks
from tokenvault_data.widgets.parts.threads import Clicks, Latest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.widgets.parts.text import Block

COLUMNS: Final = (
    "customer_id",
    "instrument_id",
    "last_four",
    "card_network",
    "bank",
    "card_type",
    "card_country",
    "instrument_status",
    "expires_on",
    "created_at",
)
"""What the table of rows shows; ids are masked on the way to the page."""

_NO_OTHER: Final = ""


class Explorer(Panel):
    """Breakdowns that filter each other, the rows behind them, and ways to take both along.

    Parameters
    ----------
    snapshot : Snapshot
    filters : mapping, optional
        By dimension the values that are kept, None for missing; for ``expiry`` also ``{"from":
        "2026-12", "through": "2027-03"}``. As `state` gives them.
    against : Snapshot or str, optional
        A snapshot to compare with, or the id of one in the same store.
    dimensions : sequence of str, optional
        Network, bank, type, country, status and expiry when not given.
    as_of : date or str, optional
        What counts as today; today in India when not given.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    export_to : str
        Where an export goes unless another path is typed.

    Raises
    ------
    UsageError
        A filter or a dimension is none.
    SnapshotError
        The snapshot to compare with cannot be opened.

    Examples
    --------
    ::

        explorer = Explorer(tv.open_snapshot("vault-data"))
        explorer                                     # as the last line of a cell
        explorer.choose("card_network", ["visa"])    # what a click does
        tv.expiring(explorer.snapshot, within="90D", where=explorer.predicate)
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        filters: Mapping[str, object] | None = None,
        against: Snapshot | str | None = None,
        dimensions: Sequence[str] = DEFAULT_DIMENSIONS,
        as_of: date | str | None = None,
        banks: BankNames | None = None,
        export_to: str = "cards.parquet",
    ) -> None:
        super().__init__("explorer")
        self._snapshot = snapshot
        self._banks = banks
        self._against = self._opened(against) if isinstance(against, str) else against
        self._exploration = Exploration(
            snapshot,
            filters=filters,
            against=self._against,
            dimensions=dimensions,
            as_of=as_of,
            banks=banks,
        )
        self._clicks = Clicks(self._say_error)
        self._customers: int | None = None
        self._rows = Latest[tuple[RowPages, int]](self._answer, self._say_error)
        self.export = ExportRow(
            self._all_rows, name="rows", path=export_to, unit="card", button="Export these cards"
        )

        self._heading = Prose()
        self._heading.show(*self._heading_blocks())
        self._figures = named(Prose(is_live=True), "figures-shown")
        self._bars = {name: self._bars_of(name) for name in self._exploration.dimensions}
        self._table = named(TableView(caption="Cards, in the order they were fetched"), "rows")
        self._table.empty = "No card passes the filter."
        self._code = named(Prose(), "code-shown")
        self._said = named(Prose(is_live=True), "said")
        self._build()
        self._pages = self._new_pages()
        self._show_all()
        self._table.observe(self._clicks.guarded(lambda _: self._ask()), "page")

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is explored."""
        return self._snapshot

    @property
    def predicate(self) -> Predicate:
        """All filters as one condition, for ``where=``, or for a cleanup rule."""
        with self._clicks.lock:
            return self._exploration.predicate

    @property
    def total(self) -> int:
        """Cards that pass all filters."""
        with self._clicks.lock:
            return self._exploration.total

    @property
    def state(self) -> dict[str, Any]:
        """What was chosen: ``against``, ``filters`` and ``snapshot``, the ids of snapshots."""
        with self._clicks.lock:
            return {
                "snapshot": self._snapshot.id,
                "against": None if self._against is None else self._against.id,
                "filters": self._exploration.filters,
            }

    def choose(self, dimension: str, values: object) -> None:
        """Filter on values of a dimension, as a click on their bars does; None for all.

        Raises
        ------
        UsageError
            There is no such dimension, or the values are no list or range.
        """
        with self._clicks.lock:
            self._exploration.set(dimension, values)
            self._show_filtered()

    def clear(self) -> None:
        """Take all filters away."""
        with self._clicks.lock:
            for name in self._exploration.dimensions:
                self._exploration.set(name, None)
            self._show_filtered()

    def compare_with(self, against: Snapshot | str | None) -> None:
        """Put another snapshot beside this one, under the same filters, or none.

        Raises
        ------
        SnapshotError
            It cannot be opened.
        """
        with self._clicks.lock:
            opened = self._opened(against) if isinstance(against, str) else against
            self._exploration.compare_with(opened)
            self._against = opened
            self._heading.show(*self._heading_blocks())
            self._show_all()

    def selected(self, columns: Sequence[str] | None = None) -> SelectedRows:
        """Return the rows that are shown, ids as they are, as something to export or to read.

        Nothing is read yet; pandas, Polars, DuckDB and `export` take it as it is.
        """
        with self._clicks.lock:
            return SelectedRows(
                self._snapshot,
                self._exploration.predicate if self._exploration.filters else None,
                columns=columns,
                banks=self._banks,
                as_of=self._exploration.as_of,
            )

    def wait(self, timeout_seconds: float | None = 60) -> bool:
        """Wait until table, customers and export have caught up; say whether they have."""
        return self._rows.wait(timeout_seconds) and self.export.join(timeout_seconds)

    def static_html(self) -> str:
        """Return figures, filter and a table of counts a dimension, without script or rows."""
        with self._clicks.lock:
            return static_page(
                self._exploration,
                self._heading_blocks(),
                self._customers,
                self._other_name,
            )

    @property
    def _other_name(self) -> str | None:
        return None if self._against is None else short_name(self._against.manifest)

    def _heading_blocks(self) -> list[Block]:
        return [*snapshot_blocks(self._snapshot.manifest), *partial_blocks(self._against)]

    # The page.

    def _build(self) -> None:
        guarded = self._clicks.guarded
        known = _others(self._snapshot)
        if self._against is not None:
            known[self._against.id] = short_name(self._against.manifest)
        self._other = named(
            ipywidgets.Dropdown(
                options=[("no other snapshot", _NO_OTHER), *((known[one], one) for one in known)],
                value=_NO_OTHER if self._against is None else self._against.id,
                description="Compare with",
                style={"description_width": "initial"},
                layout=Layout(width="auto"),
            ),
            "compare",
        )
        self._other.observe(guarded(self._on_other), "value")
        clear = _button("Clear all filters", "clear-all", guarded(lambda _: self.clear()))
        rule = _button("Make this a cleanup rule", "rule", guarded(self._on_rule))
        taking = Prose()
        taking.show(("subheading", "Take it along"))
        flat = [bars for name, bars in self._bars.items() if name != EXPIRY]
        timeline = [self._bars[EXPIRY]] if EXPIRY in self._bars else []
        self.children = (
            self._heading,
            named(ipywidgets.Box([self._other, clear]), "row"),
            self._figures,
            *timeline,
            named(ipywidgets.Box(flat), "grid"),
            self._table,
            taking,
            self._code,
            self.export,
            named(ipywidgets.Box([rule]), "row"),
            self._said,
        )

    def _bars_of(self, name: str) -> Bars:
        bars = named(Bars(title=TITLES.get(name, name)), name)
        bars.form = "columns" if name == EXPIRY else "list"
        if name == "bank":
            bars.add_class("tv-tall")
        if name == EXPIRY:
            bars.note = "Drag, or Shift and arrows, for a stretch of months"
        bars.observe(
            self._clicks.guarded(lambda change: self._on_bars(name, change["new"])), "chosen"
        )
        return bars

    def _show_all(self) -> None:
        """Show bars that may be others than before, and what is filtered."""
        for name, bars in self._bars.items():
            made = self._exploration.bars[name]
            with bars.hold_sync():
                bars.labels = [bar.label for bar in made]
                bars.past = sum(bar.is_past for bar in made)
                bars.missing = len(made) - 1 if made and made[-1].values == (None,) else -1
        self._show_filtered()

    def _show_filtered(self) -> None:
        """Show what the filters leave: bars at once, rows and customers as they are found."""
        counts, before = self._exploration.counts(), self._exploration.counts_before()
        with self._clicks.setting():
            for name, bars in self._bars.items():
                with bars.hold_sync():
                    bars.counts, bars.compared = counts[name], before[name]
                    bars.total = sum(counts[name])
                    bars.chosen = self._exploration.chosen(name)
            self._pages = self._new_pages()
            self._table.pages = max(1, -(-self._exploration.total // PAGE_ROWS))
            self._table.page = 0
        self._customers = None
        self._show_figures()
        self._code.show(("code", code_of(self._exploration.conditions)))
        self._said.show()
        self._ask()

    def _show_figures(self) -> None:
        shown = figures(self._exploration, self._customers, self._other_name)
        self._figures.show(*shown)

    def _new_pages(self) -> RowPages:
        return RowPages(self.selected(COLUMNS))

    def _ask(self) -> None:
        self._table.busy = True
        self._rows.ask((self._pages, self._table.page))

    def _answer(self, request: tuple[RowPages, int]) -> None:
        """Fetch one page of rows, then count the customers; on the thread of `Latest`."""
        pages, number = request
        rows = pages.page(number, is_overtaken=lambda: self._rows.is_overtaken)
        if rows is None:
            return
        with self._clicks.lock:
            if pages is not self._pages:
                return
            total, first = self._exploration.total, number * PAGE_ROWS
            last = min(first + PAGE_ROWS, total)
            note = f"Rows {first + 1:,} to {last:,} of {total:,}; ids are masked" if total else ""
            self._table.show(result_table(rows), note=note)
            if self._customers is not None or self._rows.is_overtaken:
                return
            counting = self._exploration.customers_counter()
        customers = counting()
        with self._clicks.lock:
            if pages is self._pages:
                self._customers = customers
                self._show_figures()

    # What is clicked.

    def _on_bars(self, name: str, places: Sequence[int]) -> None:
        self._exploration.choose(name, places)
        self._show_filtered()

    def _on_other(self, change: Mapping[str, Any]) -> None:
        self.compare_with(change["new"] or None)

    def _all_rows(self) -> ExportRows:
        with self._clicks.lock:
            return ExportRows(self.selected(), self._exploration.total)

    def _on_rule(self, _: object) -> None:
        if not self._exploration.filters:
            raise UsageError(
                "Nothing is filtered, and a rule for every card is no rule; choose what to clean"
                " up first."
            )
        self._said.show(
            ("text", f"A cleanup rule: {self._exploration.sentence}. Nothing is deleted by it."),
            ("code", rule_code(self._exploration.conditions)),
        )

    def _say_error(self, error: BaseException) -> None:
        self._said.show(("warning", in_a_sentence(error)))

    def _opened(self, snapshot_id: str) -> Snapshot:
        return open_snapshot(self._snapshot.path.parents[1], snapshot_id, verify="quick")


def _others(snapshot: Snapshot) -> dict[str, str]:
    """Return the other snapshots of the same store and environment by id, named, newest first."""
    return {
        one.id: short_name(one.manifest)
        for one in list_snapshots(snapshot.path.parents[1])
        if one.manifest is not None
        and one.damage is None
        and one.id != snapshot.id
        and one.manifest.environment == snapshot.manifest.environment
    }


def _button(text: str, name: str, act: Callable[[Any], None]) -> ipywidgets.Button:
    button = named(ipywidgets.Button(description=text, layout=Layout(width="auto")), name)
    button.on_click(act)
    return button
