"""One-way tables whose small groups are folded together into one that is not small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from tokenvault_data.reports.disclosure.suppression import SMALLEST_CELL, check_smallest_cell

if TYPE_CHECKING:
    from collections.abc import Hashable

SMALL_GROUPS: Final = "(small groups together)"
"""Name of the fold; it may hold a group that is not small, so that no small one is alone in it."""

HIDDEN: Final = "hidden"
"""Column of tables of a report: true where a line's figures must not be shown."""

CUSTOMERS_HIDDEN: Final = "customers_hidden"
"""Column that is true where a line's customers are counted and must not be shown."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A table whose small groups are folded together.

    Attributes
    ----------
    table : pandas.DataFrame or None
        None when not even the fold may be shown.
    inside : dict
        Cards and customers of the groups in the fold, by their values.
    sentence : str
        Why there is no table; empty when there is one.
    """

    table: pd.DataFrame | None
    inside: dict[Hashable, tuple[int, int]]
    sentence: str = ""


def fold_small(
    table: pd.DataFrame,
    label: str,
    smallest_cell: int = SMALLEST_CELL,
    *,
    total_customers: int | None = None,
) -> Folded:
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
    Folded
        The same columns. The fold stands last; its ``customers`` are null, because one customer
        may be in several of its groups.
    """
    check_smallest_cell(smallest_cell)
    groups = table[[label, "cards", "customers", "share"]].reset_index(drop=True)
    groups = groups[groups["cards"] > 0]
    whole = total_customers if total_customers is not None else _at_least(groups["customers"])
    ranked = groups.sort_values(["customers", "cards"], kind="stable")
    if whole < smallest_cell:
        few = f"Not shown: there are fewer than {smallest_cell} customers in it."
        return Folded(None, _members(ranked, label), few)
    small = int((ranked["customers"] < smallest_cell).sum())
    if not small:
        return Folded(_plain(groups, label), {})
    for count in range(small, len(ranked) + 1):
        fold, rest = ranked.iloc[:count], ranked.iloc[count:]
        certain = max(_at_least(fold["customers"]), whole - int(rest["cards"].sum()))
        if certain >= smallest_cell:
            break
    if rest.empty:
        return Folded(
            None,
            _members(ranked, label),
            "Not shown: no part of it could be shown without giving away a group of fewer than"
            f" {smallest_cell} customers.",
        )
    last = pd.DataFrame(
        {
            label: [SMALL_GROUPS],
            "cards": [int(fold["cards"].sum())],
            "customers": pd.array([None], dtype="Int64"),
            "share": [float(fold["share"].sum())],
        }
    )
    kept = groups.loc[sorted(rest.index)]
    folded = pd.concat([_plain(kept, label), _plain(last, label)], ignore_index=True)
    return Folded(folded, _members(fold, label))


def _members(groups: pd.DataFrame, label: str) -> dict[Hashable, tuple[int, int]]:
    return {
        _name(value): (int(cards), int(customers))
        for value, cards, customers in zip(
            groups[label], groups["cards"], groups["customers"], strict=True
        )
    }


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
