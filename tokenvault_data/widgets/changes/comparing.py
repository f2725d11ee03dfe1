"""Comparing two lists of cards as a job that tells how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import ipywidgets
import pandas as pd

from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.dataset.snapshots import Snapshot, list_snapshots, open_snapshot
from tokenvault_data.dataset.tables import result_table
from tokenvault_data.text import counted, percent
from tokenvault_data.widgets.changes.drilldown import DIMENSIONS, TITLES, ChangeDrilldown
from tokenvault_data.widgets.parts.layout import named
from tokenvault_data.widgets.parts.static_html import bars_html, rows_html
from tokenvault_data.widgets.parts.text import as_html, partial_blocks

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from tokenvault_data.analysis.changes.compare import Comparison
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.snapshots import SnapshotListing
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.parts.text import Block
    from tokenvault_data.widgets.parts.threads import Job


_LINES: Final = (
    ("unchanged", "unchanged", "unchanged"),
    ("changed", "changed", "changed"),
    ("replaced by another id", "replaced", "replaced"),
    ("gone", "gone", None),
    ("added", None, "added"),
    ("unknown, not fetched twice", "unknown_old", "unknown_new"),
    ("without an id", "without_id_old", "without_id_new"),
    ("further rows of an id", "repeated_old", "repeated_new"),
)
_APART: Final = ("customers_only_old", "customers_only_new", "customers_not_fetched")


class ChangeAccount:
    """What became of every row of both lists.

    Parameters
    ----------
    comparison : Comparison
    """

    def __init__(self, comparison: Comparison) -> None:
        summary = comparison.summary
        self._doubt = comparison.another_vault
        self._title = comparison.summary.title.removeprefix(f"{self._doubt} ")
        self._cards = _by_line(summary, "cards")
        self._customers = _by_line(summary, "customers")

    @property
    def adds_up(self) -> bool:
        """Whether the lines are all rows, on either side."""
        sides = {
            "rows_old": [old for _, old, _ in _LINES if old is not None],
            "rows_new": [new for *_, new in _LINES if new is not None],
        }
        return all(
            sum(self._cards[line] for line in lines) == self._cards[rows]
            for rows, lines in sides.items()
        )

    def table(self) -> ResultTable:
        """Return a row a line with its rows in the old and in the new list, and their sum."""
        lines = [
            (name, *(None if one is None else self._cards[one] for one in (old, new)))
            for name, old, new in _LINES
        ]
        lines.append(("all rows", self._cards["rows_old"], self._cards["rows_new"]))
        frame = pd.DataFrame(lines, columns=["what became of it", "old list", "new list"])
        frame = frame.astype({"old list": "Int64", "new list": "Int64"})
        return result_table(frame, title="Every row of both lists, once")

    def blocks(self) -> list[Block]:
        """Return the finding, the figures, and of whom nothing can be said."""
        cards = self._cards
        before = cards["rows_old"]
        kept = f" ({percent(cards['unchanged'] / before)})" if before else ""
        lead = (
            f"{cards['unchanged']:,} of {counted(before, 'card')}{kept} are as they were;"
            f" {cards['changed']:,} changed, {cards['replaced']:,} came back under another id,"
            f" {cards['gone']:,} went and {cards['added']:,} came."
        )
        kinds = ("added", "gone", "replaced", "status_changed", "renewed")
        figures = [(f"{cards[kind]:,}", kind.replace("_", " ")) for kind in kinds]
        figures += [
            (f"{cards['expiry_changed']:,}", "expiry changed"),
            (f"{cards['details_changed']:,}", "details changed"),
            (f"{cards['unknown_old'] + cards['unknown_new']:,}", "unknown"),
        ]
        blocks: list[Block] = [("heading", self._title)]
        if self._doubt is not None:
            blocks.append(("warning", self._doubt))
        blocks += [("lead", lead), ("figures", figures)]
        apart = sum(self._customers[line] for line in _APART)
        if apart:
            cards_apart = cards["unknown_old"] + cards["unknown_new"]
            said = (
                f"{counted(apart, 'customer')} {'was' if apart == 1 else 'were'} not fetched both"
                f" times. What became of their {counted(cards_apart, 'card')} is unknown: none of"
                " these counts as gone or added."
            )
            blocks.append(("note", said))
        if not self.adds_up:
            wrong = (
                "The account does not add up, which is a mistake in the toolkit; rely on none of"
                " these figures, and report it."
            )
            blocks.append(("warning", wrong))
        return blocks


def _by_line(summary: ResultTable, figure: str) -> dict[str, int]:
    pairs = zip(summary["what"], summary[figure], strict=True)
    return {str(what): 0 if pd.isna(value) else int(value) for what, value in pairs}


class SnapshotPair(ipywidgets.Box):
    """Two lists of the snapshots of a store, and a button that compares.

    Parameters
    ----------
    store : str or path
    old, new : str, optional
        Ids of those chosen to begin with; the newest and the one before it when not given.
    environment : str, optional
        Only snapshots of this environment.

    Attributes
    ----------
    old, new : ipywidgets.Dropdown
        Their values are ids.
    compare : ipywidgets.Button
    """

    def __init__(
        self,
        store: str | Path,
        *,
        old: str | None = None,
        new: str | None = None,
        environment: str | None = None,
    ) -> None:
        super().__init__()
        self._store = store
        options = [
            (_label(one), one.id)
            for one in list_snapshots(store)
            if one.manifest is not None
            and one.damage is None
            and environment in {None, one.manifest.environment}
        ]
        known = [value for _, value in options]
        # One that is asked for and not there is chosen all the same: opening it says why not.
        options += [(one, one) for one in (old, new) if one is not None and one not in known]
        later = new or next(iter(known), None)
        before = known[known.index(later) + 1 :] if later in known else known
        earlier = old or next(iter(before), None)
        self.old = _dropdown("Earlier", options, earlier, "earlier")
        self.new = _dropdown("Later", options, later, "later")
        self.compare = named(
            ipywidgets.Button(description="Compare", layout={"width": "auto"}), "compare"
        )
        self.children = [self.old, self.new, self.compare]
        named(self, "row")

    @property
    def is_ready(self) -> bool:
        """Whether two different snapshots are chosen."""
        return self.old.value is not None and self.new.value not in {None, self.old.value}

    @property
    def why_not(self) -> str:
        """What has to be done before they can be compared."""
        if len(self.new.options) < 2:
            return (
                f"There are fewer than two snapshots in {self._store}, so nothing was compared;"
                " collect again later, or name another store."
            )
        return "Both are the same snapshot, or one is missing; nothing was compared; choose two."


def _dropdown(
    text: str, options: list[tuple[str, str]], value: str | None, name: str
) -> ipywidgets.Dropdown:
    return named(
        ipywidgets.Dropdown(
            options=options,
            value=value,
            description=text,
            style={"description_width": "initial"},
            layout={"width": "auto"},
        ),
        name,
    )


def _label(one: SnapshotListing) -> str:
    assert one.manifest is not None  # noqa: S101  those without one are not listed
    state = "" if one.manifest.complete else ", partial"
    return f"{one.id}: {one.manifest.instruments:,} cards{state}"


_MOST_BANKS: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Two lists and what was found between them.

    Attributes
    ----------
    old, new : Snapshot, or object with ``__arrow_c_stream__``
    comparison : Comparison
    account : ChangeAccount
    drilldown : ChangeDrilldown
    """

    old: ArrowStream
    new: ArrowStream
    comparison: Comparison
    account: ChangeAccount
    drilldown: ChangeDrilldown

    def blocks(self) -> list[Block]:
        """Return the finding, the figures, and of whom nothing is known."""
        return [*self.account.blocks(), *partial_blocks(self.old, self.new)]

    def figures_html(self) -> str:
        """Return the account, and the events by kind, bank and month, as HTML without script."""
        lines = self.account.table()
        columns = [str(name) for name in lines.columns]
        parts = [as_html(self.blocks()), rows_html(lines, columns, len(lines))]
        for name in DIMENSIONS:
            bars = zip(self.drilldown.names(name), self.drilldown.counts(name), strict=True)
            some = [bar for bar in bars if bar[1] or name == "kind"]
            shown = some[:_MOST_BANKS] if name == "bank" else some
            parts.append(bars_html(f"Events: {TITLES[name].lower()}", shown))
        return "".join(parts)


def compare_beside(
    job: Job[str],
    old: ArrowStream | str,
    new: ArrowStream | str,
    *,
    store: str | Path | None = None,
    environment: str | None = None,
    banks: BankNames | None = None,
) -> Compared:
    """Open both lists, compare them, and number the events; on the thread of a worker.

    Raises
    ------
    SnapshotError
        One is not in the store, or is damaged.
    UsageError
        They cannot be compared.
    """
    _say(job, "Opening and checking both lists.")
    lists = [_opened(one, store, environment) for one in (old, new)]
    sizes = [_size(one) for one in lists]
    _say(job, f"Comparing {sizes[0]} with {sizes[1]}. Other cells can be run meanwhile.")
    comparison = compare(*lists, banks=banks)
    _say(job, f"Counting {len(comparison.events):,} events.")
    account, drilldown = ChangeAccount(comparison), ChangeDrilldown(comparison)
    return Compared(lists[0], lists[1], comparison, account, drilldown)


def id_of(one: object) -> str | None:
    """Return the id of a snapshot, or what is one already; None for a table."""
    if isinstance(one, Snapshot):
        return one.id
    return one if isinstance(one, str) else None


def _say(job: Job[str], text: str) -> None:
    """Pass on what comes next at once: it may take a minute, and nothing follows until then."""
    job.report(text)
    job.tell_held()


def _opened(
    one: ArrowStream | str, store: str | Path | None, environment: str | None
) -> Snapshot | pa.Table:
    if isinstance(one, str):
        return open_snapshot("." if store is None else store, one, environment=environment)
    # A stream can be read once only, so it is read into a table here.
    return one if isinstance(one, Snapshot) else open_source(one).table


def _size(one: Snapshot | pa.Table) -> str:
    return f"{one.manifest.instruments if isinstance(one, Snapshot) else len(one):,} cards"
