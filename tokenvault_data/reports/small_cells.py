"""Tables of counts made fit to be published: no group of fewer customers than is allowed.

Small groups of a one-way table are folded together, small cells of a two-way table are hidden, and
so are as many others as it takes that nothing can be had by subtraction (see `suppression`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from tokenvault_data.reports.suppression import (
    SMALLEST_CELL,
    TOTAL,
    Cell,
    Mark,
    add_totals,
    check_smallest_cell,
    may_be_published,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

MIXED_GROUPS: Final = "(small groups together)"
"""Name of a fold that had to take in groups that are not small."""

MARK: Final = "mark"
"""Column that says of a figure whether it is published, or why it is not; see `Mark`."""


@dataclass(frozen=True, slots=True)
class Protected:
    """A table that may be published.

    Attributes
    ----------
    table : pandas.DataFrame or None
        None when nothing of it may be published.
    sentence : str
        What was folded, hidden or withheld; empty when nothing was.
    """

    table: pd.DataFrame | None
    sentence: str


def fold_small(
    table: pd.DataFrame,
    label: str,
    smallest_cell: int = SMALLEST_CELL,
    *,
    total_customers: int | None = None,
) -> Protected:
    """Fold the small groups of a one-way table into one group that is not small.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `label`, ``cards``, ``customers``, ``share``: every card in exactly one group.
    label : str
        Column of the groups' names; null is a group like any other.
    smallest_cell : int
        Customers.
    total_customers : int, optional
        Distinct customers of the whole table, where they are known.

    Returns
    -------
    Protected
        The same columns. The fold stands last; its ``customers`` are null, because one customer
        may be in several of its groups.
    """
    check_smallest_cell(smallest_cell)
    groups = table[[label, "cards", "customers", "share"]].reset_index(drop=True)
    groups = groups[groups["cards"] > 0]
    whole = total_customers if total_customers is not None else _at_least(groups["customers"])
    if whole < smallest_cell:
        return Protected(None, _too_few(smallest_cell))
    ranked = groups.sort_values(["customers", "cards"], kind="stable")
    small = int((ranked["customers"] < smallest_cell).sum())
    if not small:
        return Protected(groups.reset_index(drop=True), "")
    for count in range(small, len(ranked) + 1):
        fold, rest = ranked.iloc[:count], ranked.iloc[count:]
        certain = max(_at_least(fold["customers"]), whole - int(rest["cards"].sum()))
        if certain >= smallest_cell:
            break
    if rest.empty:
        return Protected(None, _none_safe(smallest_cell))
    name = f"(fewer than {smallest_cell} each)" if count == small else MIXED_GROUPS
    last = pd.DataFrame(
        {
            label: [name],
            "cards": [int(fold["cards"].sum())],
            "customers": pd.array([None], dtype="Int64"),
            "share": [float(fold["share"].sum())],
        }
    )
    kept = groups.loc[sorted(rest.index)]
    folded = pd.concat([_plain(kept, label), _plain(last, label)], ignore_index=True)
    return Protected(
        folded,
        f"{_counted(count, 'group')} shown together as \N{LEFT DOUBLE QUOTATION MARK}{name}"
        f"\N{RIGHT DOUBLE QUOTATION MARK}, because groups of fewer than {smallest_cell} customers"
        " are not shown alone.",
    )


def hide_small(
    table: pd.DataFrame,
    row: str,
    column: str,
    smallest_cell: int = SMALLEST_CELL,
) -> Protected:
    """Hide the small cells of a two-way table whose row and column totals a reader may know.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `row`, `column`, ``cards``, ``customers``; a line for every cell that is not empty.
    row, column : str
        Columns of the names; null is a name like any other.
    smallest_cell : int
        Customers.

    Returns
    -------
    Protected
        Columns `row`, `column`, ``cards``, ``customers``, ``mark``: a line for every combination,
        totals included, in which `row` or `column` is `TOTAL`. Figures are null unless the mark
        is ``published``.
    """
    cells: dict[Hashable, Cell] = {}
    for one_row, one_column, cards, customers in zip(
        *(table[name] for name in (row, column, "cards", "customers")), strict=True
    ):
        key = (_name(one_row), _name(one_column))
        cells[key] = Cell(int(cards), int(customers))
    sums = add_totals(cells)
    if cells[TOTAL, TOTAL].customers < smallest_cell:
        return Protected(None, _too_few(smallest_cell))
    marks = may_be_published(cells, sums, smallest_cell)
    if marks[TOTAL, TOTAL] is not Mark.PUBLISHED:
        return Protected(None, _none_safe(smallest_cell))
    hidden = sum(mark is not Mark.PUBLISHED for mark in marks.values())
    return Protected(_lines(cells, marks, row, column), hidden_sentence(hidden, smallest_cell))


def hidden_sentence(hidden: int, smallest_cell: int) -> str:
    """Say how many figures of a table are hidden and why; nothing when none is."""
    if not hidden:
        return ""
    return (
        f"{_counted(hidden, 'figure')} hidden: groups of fewer than {smallest_cell} customers, and"
        " those from which such a group could be worked out."
    )


def _lines(
    cells: Mapping[Hashable, Cell], marks: Mapping[Hashable, Mark], row: str, column: str
) -> pd.DataFrame:
    shown = {key: mark is Mark.PUBLISHED for key, mark in marks.items()}
    keys = [key for key in cells if isinstance(key, tuple)]

    def figures(name: str) -> pd.Series[int]:
        values = [getattr(cells[key], name) if shown[key] else None for key in keys]
        return pd.Series(values, dtype="Int64")

    return pd.DataFrame(
        {
            row: pd.Series([key[0] for key in keys], dtype="object"),
            column: pd.Series([key[1] for key in keys], dtype="object"),
            "cards": figures("cards"),
            "customers": figures("customers"),
            MARK: [str(marks[key]) for key in keys],
        }
    )


def _plain(groups: pd.DataFrame, label: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            label: pd.Series([_name(value) for value in groups[label]], dtype="object"),
            "cards": groups["cards"].astype("Int64").array,
            "customers": groups["customers"].astype("Int64").array,
            "share": groups["share"].astype("Float64").array,
        }
    )


def _name(value: object) -> str | None:
    return None if value is None or value is pd.NA or value != value else str(value)  # noqa: PLR0124  NaN


def _at_least(customers: pd.Series[int]) -> int:
    return 0 if customers.empty else int(customers.max())


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun} is" if count == 1 else f"{count:,} {noun}s are"


def _too_few(smallest_cell: int) -> str:
    return f"Not shown: there are fewer than {smallest_cell} customers in it."


def _none_safe(smallest_cell: int) -> str:
    return (
        "Not shown: no part of it could be shown without giving away a group of fewer than"
        f" {smallest_cell} customers."
    )
