"""What changed since an older snapshot, as a report shows it: no small group of customers.

The lines of a comparison are parts of two sums, the rows of the older and of the newer list, and
the banks of a kind of change are parts of that kind; all are decided upon together. Lines that are
counted in rows only, such as unchanged cards, are judged by their rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tokenvault_data.analysis.breakdown import OTHER
from tokenvault_data.analysis.change_events import KINDS
from tokenvault_data.reports.chart_text import is_missing
from tokenvault_data.reports.small_cells import MARK
from tokenvault_data.reports.suppression import Cell, Mark, Sum, may_be_published

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tokenvault_data.analysis.changes import Comparison

MOST_BANKS: Final = 10
_OLD_ROWS: Final = (
    *("unchanged", "changed", "gone", "replaced"),
    *("unknown_old", "without_id_old", "repeated_old"),
)
_NEW_ROWS: Final = (
    *("unchanged", "changed", "added", "replaced"),
    *("unknown_new", "without_id_new", "repeated_new"),
)
_SHOWN: Final = (*KINDS, "unknown_old", "unknown_new")


@dataclass(frozen=True, slots=True)
class PublishedChanges:
    """Tables of changes; figures are null where ``mark`` is not ``published``.

    Attributes
    ----------
    old_name : str
        What was compared with, such as the id of a snapshot.
    account : pandas.DataFrame
        ``what``, ``cards``, ``customers``, ``share``, ``mark``, ``meaning``: all lines of rows.
    kinds : pandas.DataFrame
        The same, of the lines that a chart shows.
    by_bank : pandas.DataFrame
        ``kind``, ``bank``, ``cards``, ``mark``; empty when nothing changed.
    """

    old_name: str
    account: pd.DataFrame
    kinds: pd.DataFrame
    by_bank: pd.DataFrame


def published_changes(
    comparison: Comparison,
    old_name: str,
    smallest_cell: int,
    *,
    shown_banks: Sequence[str | None],
) -> PublishedChanges:
    """Protect what a comparison found.

    Parameters
    ----------
    comparison : Comparison
    old_name : str
        How the older list is named.
    smallest_cell : int
        Customers.
    shown_banks : sequence of str or None
        Banks that the report names, because they are no small groups; all others are one row.
    """
    lines = [
        line
        for line in pd.DataFrame(comparison.summary).to_dict("records")
        if not is_missing(line["cards"])
    ]
    cells: dict[Hashable, Cell] = {}
    for line in lines:
        in_rows = is_missing(line["customers"])
        customers = line["cards"] if in_rows else line["customers"]
        cells[line["what"]] = Cell(int(line["cards"]), int(customers), exact=not in_rows)
    sums = [Sum("rows_old", _OLD_ROWS), Sum("rows_new", _NEW_ROWS)]
    kinds, banks = _add_banks(cells, sums, comparison.by("bank"), shown_banks)
    marks = may_be_published(cells, sums, smallest_cell)

    def shown(key: Hashable, line: dict[str, Any]) -> dict[str, Any]:
        if marks[key] is Mark.PUBLISHED:
            return line | {MARK: str(marks[key])}
        return line | {MARK: str(marks[key]), "cards": None, "customers": None, "share": None}

    account = [
        shown(line["what"], {str(name): value for name, value in line.items()}) for line in lines
    ]
    tiles = [
        shown((kind, bank), {"kind": kind, "bank": bank, "cards": cells[kind, bank].cards})
        for bank in banks
        for kind in kinds
    ]
    return PublishedChanges(
        old_name,
        _frame(account),
        _frame([line for line in account if line["what"] in _SHOWN]),
        _frame(tiles)[["kind", "bank", "cards", MARK]] if tiles else pd.DataFrame(),
    )


def _add_banks(
    cells: dict[Hashable, Cell],
    sums: list[Sum],
    counts: pd.DataFrame,
    shown_banks: Sequence[str | None],
) -> tuple[list[str], list[str | None]]:
    """Add a cell for each kind and bank; return the kinds that occur, and the banks shown."""
    found = [
        (str(kind), None if is_missing(bank) else str(bank), int(cards), int(customers))
        for kind, bank, cards, customers in zip(
            *(counts[name] for name in ("kind", "bank", "cards", "customers")), strict=True
        )
    ]
    weight: dict[str, int] = {}
    for _, bank, cards, _ in found:
        if bank is not None and bank in shown_banks:
            weight[bank] = weight.get(bank, 0) + cards
    largest = sorted(weight, key=lambda bank: (-weight[bank], bank))[:MOST_BANKS]
    kinds = [kind for kind in KINDS if any(kind == one[0] for one in found)]
    for kind, bank, cards, customers in found:
        row = bank if bank in largest or (bank is None and None in shown_banks) else OTHER
        old = cells.get((kind, row), Cell(0, 0))
        cells[kind, row] = Cell(
            old.cards + cards, max(old.customers, customers), exact=row != OTHER
        )
    rows = _rows(cells, largest)
    for kind in kinds:
        for row in rows:
            cells.setdefault((kind, row), Cell(0, 0))
        sums.append(Sum(kind, tuple((kind, row) for row in rows)))
    return kinds, rows


def _rows(cells: dict[Hashable, Cell], largest: Sequence[str]) -> list[str | None]:
    present = {key[1] for key in cells if isinstance(key, tuple)}
    return [*largest, *(row for row in (OTHER, None) if row in present)]


def _frame(lines: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(lines)
    for name in ("cards", "customers"):
        if name in frame:
            frame[name] = frame[name].astype("Int64")
    return frame
