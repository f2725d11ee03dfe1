"""Comparing two lists of cards as a job that tells how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.dataset.snapshots import Snapshot, open_snapshot
from tokenvault_data.widgets.changes.drilldown import DIMENSIONS, TITLES, ChangeDrilldown
from tokenvault_data.widgets.changes.reconciliation import ChangeAccount
from tokenvault_data.widgets.parts.snapshot_facts import partial_blocks
from tokenvault_data.widgets.parts.static_html import bars_html, rows_html
from tokenvault_data.widgets.parts.text import as_html

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from tokenvault_data.analysis.cards.source import ArrowStream
    from tokenvault_data.analysis.changes.compare import Comparison
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.widgets.parts.text import Block
    from tokenvault_data.widgets.parts.threads import Job

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
    job.tell(text)
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
