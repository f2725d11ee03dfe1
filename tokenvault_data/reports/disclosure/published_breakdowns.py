"""Breakdowns of a report: the largest groups, the others together, and no small one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import pandas as pd

from tokenvault_data.analysis.breakdown import breakdown
from tokenvault_data.analysis.filters.filters import Not, where
from tokenvault_data.dataset.labels import OTHER
from tokenvault_data.reports.disclosure.counted_groups import ALL, add_group, cards_of, divide, line
from tokenvault_data.reports.disclosure.small_groups import HIDDEN, SMALL_GROUPS, Folded, fold_small
from tokenvault_data.reports.labels import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from tokenvault_data.analysis.cube.cube import Cube
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.reports.disclosure.suppression import Figures

BREAKDOWNS: Final = ("card_network", "bank", "card_type", "card_country", "instrument_status")

MOST_GROUPS: Final = 13
"""Rows of a breakdown that have a name; the last of more is ``(other)``."""

_Line = TypeVar("_Line")

_LAST: Final = (OTHER, SMALL_GROUPS, None)
"""Values that stand behind all others."""

_WEIGHT: Final = 30.0
_FOLD: Final = "fold"


def count_breakdown(
    cube: Cube, name: str, smallest_cell: int, banks: BankNames | None = None
) -> Folded:
    """Break cards down by one column, small groups folded together."""
    groups = largest_groups(cube, name, banks)
    return fold_small(groups, name, smallest_cell, total_customers=cube.customers)


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


def add_breakdown(figures: Figures, name: str, folded: Folded) -> None:
    """Add a breakdown's groups, those in the fold too, which the page does not show."""
    inside: list[Hashable] = [(name, value) for value in folded.inside]
    for group, (cards, customers) in zip(inside, folded.inside.values(), strict=True):
        add_group(figures, group, cards, customers)
    lines = _lines(folded, name)
    if all(group != (name, None) for group in (*inside, *lines)):
        add_group(figures, (name, None), 0, 0)
    for group, one in lines.items():
        cards = int(one["cards"])
        if group != (_FOLD, name):
            customers = int(one["customers"])
            add_group(figures, group, cards, customers, shown=_WEIGHT, customers=customers)
            continue
        others = figures.value(cards_of(ALL)) - cards
        certain = figures.people(cards_of(ALL)) - others
        people = max(certain, *(customers for _, customers in folded.inside.values()))
        add_group(figures, group, cards, people, shown=_WEIGHT)
        divide(figures, group, inside)
    divide(figures, ALL, list(lines) or inside)


def publish_breakdown(figures: Figures, name: str, folded: Folded) -> pd.DataFrame | None:
    """Return the table with what may be shown of it: `name`, figures, ``hidden``."""
    if folded.table is None:
        return None
    lines = [
        {name: one[name], **line(figures, group)} for group, one in _lines(folded, name).items()
    ]
    return finished(in_order(lines, lambda one: one[name], lambda one: one["cards"]))


def in_order(
    lines: Iterable[_Line],
    value_of: Callable[[_Line], str | None],
    cards_of_line: Callable[[_Line], int | None],
) -> list[_Line]:
    """Put lines in an order that tells nothing of hidden figures, whose lines come after others."""

    def place(one: _Line) -> tuple[bool, bool, int, str]:
        value, cards = value_of(one), cards_of_line(one)
        return value in _LAST, cards is None, -(cards or 0), str(value)

    return sorted(lines, key=place)


def _lines(folded: Folded, name: str) -> dict[Hashable, dict[str, Any]]:
    """Return the lines of a table by their groups; a value may be called as the others are."""
    lines: dict[Hashable, dict[str, Any]] = {}
    for place, values in enumerate(shown_lines(folded)):
        value = None if is_missing(values[name]) else str(values[name])
        group: Hashable = (name, value)
        if is_missing(values["customers"]):
            group = (_FOLD, name)
        elif group in lines:
            group = (name, value, place)
        lines[group] = values | {name: value}
    return lines


def shown_lines(folded: Folded) -> list[dict[str, Any]]:
    """Return the lines of a table, none where there is no table."""
    if folded.table is None:
        return []
    return [
        {str(key): value for key, value in one.items()} for one in folded.table.to_dict("records")
    ]


def finished(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """Return lines with figures as a table in which null figures are called hidden."""
    table = pd.DataFrame(lines)
    for name in ("cards", "customers"):
        if name in table:
            table[name] = table[name].astype("Int64")
    if "share" in table:
        table["share"] = table["share"].astype("Float64")
    table[HIDDEN] = table["cards"].isna()
    return table


def shown_alone(folded: Folded, name: str) -> list[str | None]:
    """Return the values that stand for themselves: no fold, and not the others together."""
    values = [one[name] for one in _lines(folded, name).values()]
    return [one for one in values if one not in (OTHER, SMALL_GROUPS)]
