"""The figures of a report: everything that will be published, and nothing that must not be.

All that a report says is made from `ReportFacts`. Every number stands in one register, which
decides about all of them together (see `suppression`); what is made from published numbers alone,
such as a share, a sum or a verdict, tells nothing more than they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import pandas as pd

from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.analysis.quality.quality import quality
from tokenvault_data.dataset.partial import not_fetched
from tokenvault_data.dataset.today import day_of
from tokenvault_data.reports.disclosure.counted_groups import WITHOUT_ID, check_groups, start
from tokenvault_data.reports.disclosure.published_breakdowns import (
    BREAKDOWNS,
    add_breakdown,
    count_breakdown,
    publish_breakdown,
    shown_alone,
)
from tokenvault_data.reports.disclosure.published_changes import ChangeFigures, PublishedChanges
from tokenvault_data.reports.disclosure.published_expiry import ExpiryFigures, PublishedExpiry
from tokenvault_data.reports.disclosure.published_quality import (
    CheckShown,
    QualityFigures,
    add_not_fetched,
    not_fetched_of,
)
from tokenvault_data.reports.disclosure.suppression import (
    SMALLEST_CELL,
    Figures,
    check_smallest_cell,
)
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.manifest import Manifest

_NEEDED: Final = (
    *("customer_id", "card_network", "card_bank", "card_type", "card_country"),
    *("instrument_status", "expires_on"),
)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a report is made of.

    Attributes
    ----------
    about : Manifest or None
        What the snapshot says of itself; None when rows come from a table.
    as_of : date
        The day on which expiry is judged.
    smallest_cell : int
        Customers.
    figures : Figures or None
        The register of all numbers of the page; None when there are fewer customers than a cell
        needs, and nothing may be published.
    breakdowns : dict
        For each of `BREAKDOWNS`, its table, or None where there is none that may be shown.
    expiry : PublishedExpiry or None
    checks : tuple of CheckShown
    changes : PublishedChanges or None
        None when there is nothing to compare with, or nothing may be published.
    partial : tuple of str
        What the snapshots lack that are partial, a sentence each.
    """

    about: Manifest | None
    as_of: date
    smallest_cell: int
    figures: Figures | None
    breakdowns: dict[str, pd.DataFrame | None]
    expiry: PublishedExpiry | None = None
    checks: tuple[CheckShown, ...] = ()
    changes: PublishedChanges | None = None
    partial: tuple[str, ...] = ()


def gather(
    source: ArrowStream,
    *,
    against: ArrowStream | None = None,
    as_of: date | datetime | str | None = None,
    smallest_cell: int = SMALLEST_CELL,
    banks: BankNames | None = None,
) -> ReportFacts:
    """Count what a report says, and protect it.

    Parameters
    ----------
    source, against, as_of, smallest_cell, banks
        As `tokenvault_data.reports.page.html_report.report` takes them.

    Raises
    ------
    UsageError
        One of them cannot be used.
    """
    check_smallest_cell(smallest_cell)
    opened = open_source(source, needs=_NEEDED)
    day = day_of(as_of)
    cube = cube_of(opened)
    about = None if opened.snapshot is None else opened.snapshot.manifest
    older = None if against is None else open_source(against)
    partial = _partial_of(opened, older)
    if cube.customers < smallest_cell:
        return ReportFacts(
            about, day, smallest_cell, None, dict.fromkeys(BREAKDOWNS), partial=_said(partial, None)
        )
    figures = start(smallest_cell, cube.cards, cube.customers)
    folded = {name: count_breakdown(cube, name, smallest_cell, banks) for name in BREAKDOWNS}
    for name, one in folded.items():
        add_breakdown(figures, name, one)
    banks_alone = shown_alone(folded["bank"], "bank")
    expiry = ExpiryFigures(figures, cube, as_of=day, banks_alone=banks_alone, banks=banks)
    quality_figures = QualityFigures(
        figures,
        pd.DataFrame(quality(opened, against=older, as_of=as_of, banks=banks)),
        opened,
        as_of=as_of,
        about=about,
        old_customers=None if older is None else _customers(older),
    )
    changes = None
    if older is not None:
        changes = ChangeFigures(
            figures,
            compare(_stream(older), _stream(opened), banks=banks),
            older.name,
            banks_alone=banks_alone,
            old_people=_people_of_lines(older, smallest_cell),
        )
    for facts in partial:
        if not_fetched_of(facts) not in figures:
            add_not_fetched(figures, facts)
    figures.protect()
    return ReportFacts(
        about=about,
        as_of=day,
        smallest_cell=smallest_cell,
        figures=figures,
        breakdowns={name: publish_breakdown(figures, name, one) for name, one in folded.items()},
        expiry=expiry.published(),
        checks=quality_figures.published(),
        changes=None if changes is None else changes.published(),
        partial=_said(partial, figures),
    )


def _partial_of(*sources: Source | None) -> list[Manifest]:
    manifests = [one.snapshot.manifest for one in sources if one is not None and one.snapshot]
    return [facts for facts in manifests if not_fetched(facts)]


def _said(partial: Sequence[Manifest], figures: Figures | None) -> tuple[str, ...]:
    """Say which snapshots are partial, with the number of customers where it is published."""
    said = []
    for facts in partial:
        missing = None if figures is None else figures.published(not_fetched_of(facts))
        who = "some customers" if missing is None else counted(missing, "customer")
        said.append(
            f"Snapshot {facts.id} is partial: {who} {'was' if missing == 1 else 'were'} not"
            " fetched, and what they have saved is not known"
        )
    return tuple(said)


def _stream(source: Source) -> ArrowStream:
    """Return what can be read again: a stream that was given may be read once only."""
    return source.snapshot or cast("ArrowStream", source.table)


def _customers(source: Source) -> int:
    """Return the customers that cards per customer are counted by."""
    if source.snapshot is not None:
        outcomes = source.snapshot.manifest.outcomes
        return outcomes.get("fetched", 0) + outcomes.get("empty", 0)
    with source.connection() as connection:
        row = connection.execute("SELECT count(DISTINCT customer_id) FROM instruments").fetchone()
    return int(row[0]) if row else 0


def _people_of_lines(older: Source, smallest_cell: int) -> dict[str, int]:
    """Return how many customers are behind lines of an older list that are counted in rows."""
    with check_groups(older, ["repeated_id"], None) as groups:
        conditions = {
            "repeated_old": groups.conditions["repeated_id"],
            "without_id_old": WITHOUT_ID,
        }
        return groups.people(conditions, smallest_cell)
