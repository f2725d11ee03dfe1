"""The rule of small cells: which figures of tables with totals may be published.

A cell is small when it holds at least one customer and fewer than the smallest cell size. A small
cell is not published, and neither is anything from which it could be had by subtraction. Sums
("these parts make that total") are taken as linear equations, and it is asked, exactly, whether the
published figures determine a hidden one. The rule, and the words primary and secondary suppression
for it, are those of the *Handbook on Statistical Disclosure Control* (Hundepool and others),
chapter 4; bounds that follow from figures not being negative are not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

SMALLEST_CELL: Final = 5
"""Customers a published group has at least, where nothing else is asked for."""

TOTAL: Final = "(total)"
"""Name of the row, and of the column, of totals."""


class Mark(StrEnum):
    """What is said of a cell in place of, or beside, its figure."""

    PUBLISHED = "published"
    SMALL = "small"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure and how many people stand behind it.

    Attributes
    ----------
    cards : int
        What is added up; at least the number of customers.
    customers : int
        Distinct customers, or a number that they certainly reach.
    exact : bool
        Whether `customers` is their number.
    """

    cards: int
    customers: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Sum:
    """A total and the parts whose cards make it up, by their keys."""

    total: Hashable
    parts: tuple[Hashable, ...]


def check_smallest_cell(smallest_cell: int) -> int:
    """Return `smallest_cell`, or raise UsageError when it is not a whole number from 1."""
    if type(smallest_cell) is not int or smallest_cell < 1:
        raise UsageError(
            f"{smallest_cell!r} is no smallest cell; nothing was written; give a whole number of"
            " customers from 1."
        )
    return smallest_cell


def may_be_published(
    cells: Mapping[Hashable, Cell],
    sums: Sequence[Sum],
    smallest_cell: int = SMALLEST_CELL,
    *,
    unpublished: Iterable[Hashable] = (),
) -> dict[Hashable, Mark]:
    """Decide for every cell, totals included, whether its figure is published.

    Parameters
    ----------
    cells : mapping of key to Cell
    sums : sequence of Sum
        Every relation that a reader knows; keys are those of `cells`.
    smallest_cell : int
        Customers.
    unpublished : iterable of keys
        Cells that are not shown anyway, and could be worked out from those that are.

    Returns
    -------
    dict of key to Mark
        ``small`` cells are below the size, ``withheld`` ones are not, but would give one away:
        published figures determine no small cell, and no sum of the hidden parts of a total that
        may stand for fewer than `smallest_cell` customers. Cells of no cards are published.
    """
    check_smallest_cell(smallest_cell)
    small = frozenset(
        key for key, cell in cells.items() if cell.cards and cell.customers < smallest_cell
    )
    hidden = {*small, *unpublished}
    not_shown_anyway = frozenset(unpublished) - small
    while True:
        lonely = _lonely(sums, hidden, not_shown_anyway)
        given_away = lonely[:1] or _given_away(cells, sums, small, hidden, smallest_cell)
        if not given_away:
            break
        hidden.add(_next_to_hide(cells, sums, hidden, given_away, lonely))
    return {
        key: Mark.PUBLISHED
        if key not in hidden
        else Mark.SMALL
        if key in small and cell.exact
        else Mark.WITHHELD
        for key, cell in cells.items()
    }


def _lonely(
    sums: Sequence[Sum], hidden: set[Hashable], not_shown_anyway: frozenset[Hashable]
) -> list[Sum]:
    """Return the sums of which a single figure is hidden, in vain, because the others tell it."""
    lonely = []
    for one in sums:
        inside = [key for key in (*one.parts, one.total) if key in hidden]
        if len(inside) == 1 and inside[0] not in not_shown_anyway:
            lonely.append(one)
    return lonely


def _given_away(
    cells: Mapping[Hashable, Cell],
    sums: Sequence[Sum],
    small: frozenset[Hashable],
    hidden: set[Hashable],
    smallest_cell: int,
) -> list[Sum]:
    """Return sums that give a small cell, or a small rest, away; empty when none does."""
    told = determined(sums, hidden)
    if told & small:
        return [one for one in sums if told & {*one.parts, one.total}]
    secret = hidden - told
    for one in sums:
        inside = [cells[key] for key in one.parts if key in secret and cells[key].cards]
        if inside and one.total not in secret:
            outside_cards = sum(cells[key].cards for key in one.parts if key not in secret)
            certain = cells[one.total].customers - outside_cards
            if max(certain, *(cell.customers for cell in inside)) < smallest_cell:
                return [one]
    return []


def determined(sums: Sequence[Sum], hidden: AbstractSet[Hashable]) -> set[Hashable]:
    """Return the hidden figures that follow from the published ones.

    By elimination in exact fractions: a figure follows when an equation is left with it alone.
    """
    pivots: dict[Hashable, dict[Hashable, Fraction]] = {}
    for one in sums:
        row: dict[Hashable, Fraction] = {}
        for key in one.parts:
            if key in hidden:
                row[key] = row.get(key, Fraction(0)) + 1
        if one.total in hidden:
            row[one.total] = row.get(one.total, Fraction(0)) - 1
        for key, pivot in pivots.items():
            _subtract(row, pivot, key)
        row = {key: value for key, value in row.items() if value}
        if not row:
            continue
        leading, scale = next(iter(row.items()))
        row = {key: value / scale for key, value in row.items()}
        for pivot in pivots.values():
            _subtract(pivot, row, leading)
        pivots[leading] = row
    return {key for key, row in pivots.items() if len(row) == 1}


def _subtract(
    row: dict[Hashable, Fraction], pivot: Mapping[Hashable, Fraction], key: Hashable
) -> None:
    """Eliminate a key from a row by an equation in which it stands once."""
    times = row.get(key)
    if not times:
        return
    for other, value in pivot.items():
        left = row.get(other, Fraction(0)) - times * value
        if left:
            row[other] = left
        else:
            row.pop(other, None)


def _next_to_hide(
    cells: Mapping[Hashable, Cell],
    sums: Sequence[Sum],
    hidden: set[Hashable],
    given_away: Sequence[Sum],
    lonely: Sequence[Sum],
) -> Hashable:
    """Choose the figure to hide beside: a part of another sum in need, else the smallest part."""
    in_need = {key for one in lonely[1:] for key in (*one.parts, one.total)}
    parts = [key for one in given_away for key in one.parts]
    totals = [one.total for one in given_away]
    anywhere = [key for one in sums for key in (*one.parts, one.total)]
    for keys in (parts, totals, anywhere):
        open_keys = [key for key in keys if key not in hidden and cells[key].cards]
        if open_keys:
            return min(open_keys, key=lambda key: (key not in in_need, cells[key].cards, str(key)))
    raise AssertionError  # with all hidden, nothing follows from anything


def add_totals(cells: dict[Hashable, Cell]) -> list[Sum]:
    """Complete a two-way table, keyed by (row, column), with empty cells and totals, in place.

    Returns
    -------
    list of Sum
        A sum for every row and column, for the row and the column of totals.
    """
    rows = list(dict.fromkeys(key[0] for key in cells if isinstance(key, tuple)))
    columns = list(dict.fromkeys(key[1] for key in cells if isinstance(key, tuple)))
    for one_row in rows:
        for one_column in columns:
            cells.setdefault((one_row, one_column), Cell(0, 0))
    sums = [
        *(Sum((one, TOTAL), tuple((one, other) for other in columns)) for one in rows),
        *(Sum((TOTAL, other), tuple((one, other) for one in rows)) for other in columns),
        Sum((TOTAL, TOTAL), tuple((one, TOTAL) for one in rows)),
        Sum((TOTAL, TOTAL), tuple((TOTAL, other) for other in columns)),
    ]
    for one_sum in sums:
        parts = [cells[key] for key in one_sum.parts]
        cells[one_sum.total] = Cell(
            sum(part.cards for part in parts),
            max((part.customers for part in parts), default=0),
            exact=False,
        )
    return sums
