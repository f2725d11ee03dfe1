"""The figures of a report: everything that will be published, and nothing that must not be.

All that a report says is made from `Facts`. The protection of small groups happens here, so that no
sentence, title or table further on can say what is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from tokenvault_data.analysis.breakdown import OTHER, breakdown
from tokenvault_data.analysis.changes import compare
from tokenvault_data.analysis.cube import cube_of
from tokenvault_data.analysis.predicate import Not, where
from tokenvault_data.analysis.quality import quality
from tokenvault_data.analysis.source import open_source
from tokenvault_data.analysis.today import day_of
from tokenvault_data.reports.chart_text import is_missing
from tokenvault_data.reports.published_changes import PublishedChanges, published_changes
from tokenvault_data.reports.published_expiry import PublishedExpiry, published_expiry
from tokenvault_data.reports.published_quality import Check, published_checks
from tokenvault_data.reports.small_cells import Protected, fold_small
from tokenvault_data.reports.suppression import SMALLEST_CELL, check_smallest_cell

if TYPE_CHECKING:
    from datetime import date, datetime

    from tokenvault_data.analysis.bank_names import BankNames
    from tokenvault_data.analysis.cube import Cube
    from tokenvault_data.analysis.source import ArrowStream
    from tokenvault_data.dataset.manifest import Manifest

BREAKDOWNS: Final = ("card_network", "bank", "card_type", "card_country", "instrument_status")

MOST_GROUPS: Final = 13
"""Rows of a breakdown that have a name; the last of more is ``(other)``."""

_NEEDED: Final = (
    *("customer_id", "card_network", "card_bank", "card_type", "card_country"),
    *("instrument_status", "expires_on"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report is made of.

    Attributes
    ----------
    about : Manifest or None
        What the snapshot says of itself; None when rows come from a table.
    as_of : date
        The day on which expiry is judged.
    smallest_cell : int
        Customers.
    cards, customers : int or None
        All of them; None when there are fewer customers than a cell needs.
    breakdowns : dict
        For each of `BREAKDOWNS`, the protected table.
    expiry : PublishedExpiry or None
        None when nothing of it may be published.
    checks : tuple of Check
    changes : PublishedChanges or None
        None when there is nothing to compare with, or nothing may be published.
    """

    about: Manifest | None
    as_of: date
    smallest_cell: int
    cards: int | None
    customers: int | None
    breakdowns: dict[str, Protected]
    expiry: PublishedExpiry | None = None
    checks: tuple[Check, ...] = ()
    changes: PublishedChanges | None = None


def gather(
    source: ArrowStream,
    *,
    against: ArrowStream | None = None,
    as_of: date | datetime | str | None = None,
    smallest_cell: int = SMALLEST_CELL,
    banks: BankNames | None = None,
) -> Facts:
    """Count what a report says, and protect it.

    Parameters
    ----------
    source, against, as_of, smallest_cell, banks
        As `tokenvault_data.reports.html_report.report` takes them.

    Raises
    ------
    UsageError
        One of them cannot be used.
    """
    check_smallest_cell(smallest_cell)
    opened = open_source(source, needs=_NEEDED)
    if opened.snapshot is None and opened.table is not None:
        source = opened.table  # a stream may be read once only
    day = day_of(as_of)
    cube = cube_of(opened)
    breakdowns = {
        name: fold_small(
            largest_groups(cube, name, banks), name, smallest_cell, total_customers=cube.customers
        )
        for name in BREAKDOWNS
    }
    if cube.customers < smallest_cell:
        return Facts(
            about=None if opened.snapshot is None else opened.snapshot.manifest,
            as_of=day,
            smallest_cell=smallest_cell,
            cards=None,
            customers=None,
            breakdowns=breakdowns,
        )
    expiry = published_expiry(
        cube,
        as_of=day,
        smallest_cell=smallest_cell,
        shown_banks=_shown(breakdowns["bank"], "bank"),
        shown_statuses=_shown(breakdowns["instrument_status"], "instrument_status"),
        banks=banks,
    )
    hidden_elsewhere: dict[str, int | None] = {
        f"missing:{_column(name)}": missing_cards(protected, name)
        for name, protected in breakdowns.items()
    }
    hidden_elsewhere["missing:expires_on"] = expiry.unknown
    hidden_elsewhere["expired_but_active"] = expiry.expired_active
    changes = None
    if against is not None:
        comparison = compare(against, source, banks=banks)
        changes = published_changes(
            comparison,
            open_source(against).name,
            smallest_cell,
            shown_banks=_shown(breakdowns["bank"], "bank"),
        )
    found = quality(opened, against=against, as_of=as_of, banks=banks)
    return Facts(
        about=None if opened.snapshot is None else opened.snapshot.manifest,
        as_of=day,
        smallest_cell=smallest_cell,
        cards=cube.cards,
        customers=cube.customers,
        breakdowns=breakdowns,
        expiry=expiry,
        checks=published_checks(found, hidden_elsewhere, smallest_cell),
        changes=changes,
    )


def largest_groups(cube: Cube, name: str, banks: BankNames | None = None) -> pd.DataFrame:
    """Break cards down by one column: the largest groups, the others together, the missing apart.

    Returns
    -------
    pandas.DataFrame
        `name`, ``cards``, ``customers`` (distinct, of the others too), ``share``.
    """
    groups = pd.DataFrame(breakdown(cube, name, banks=banks))
    groups = groups.astype({name: "object", "cards": "int64", "customers": "int64"})
    missing = groups[name].isna()
    named = groups[~missing]
    if len(named) <= MOST_GROUPS:
        return groups
    kept = named.head(MOST_GROUPS - 1)
    others = named.iloc[MOST_GROUPS - 1 :]
    condition = Not(where(**{name: [*kept[name], None]}))
    together = cube.counts([], condition, banks=banks).to_pylist()[0]
    line = {
        name: OTHER,
        "cards": together["cards"],
        "customers": together["customers"],
        "share": float(others["share"].sum()),
    }
    return pd.concat([kept, pd.DataFrame([line]), groups[missing]], ignore_index=True)


def missing_cards(protected: Protected, column: str) -> int | None:
    """Return how many cards have no value, 0 when none; None when that is not shown."""
    if protected.table is None:
        return None
    missing = protected.table[protected.table[column].isna()]
    if len(missing):
        return int(missing["cards"].iloc[0])
    return None if protected.sentence else 0


def _shown(protected: Protected, column: str) -> list[str | None]:
    if protected.table is None:
        return []
    return [None if is_missing(value) else str(value) for value in protected.table[column]]


def _column(name: str) -> str:
    return "card_bank" if name == "bank" else name
