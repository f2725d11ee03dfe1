"""The rule of small cells, judged by real people behind every cell and by exact arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.errors import UsageError
from tokenvault_data.reports.suppression import (
    TOTAL,
    Cell,
    Mark,
    Sum,
    add_totals,
    check_smallest_cell,
    may_be_published,
)

SMALLEST = 5
PRIME = 2**61 - 1
CARDS = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("abcd"), st.integers(0, 40)), max_size=120
)


def people_behind(cards):
    """Return the customers of every cell of a two-way table, from (row, column, customer)."""
    people = {}
    for row, column, customer in cards:
        people.setdefault((row, column), []).append(customer)
    return people


def rank(rows):
    """Return the rank of a matrix of whole numbers, modulo a prime so large that it is the same."""
    rows = [[value % PRIME for value in row] for row in rows]
    found = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        inverse = pow(rows[found][column], -1, PRIME)
        for i in range(found + 1, len(rows)):
            times = rows[i][column] * inverse
            if times:
                rows[i] = [
                    (a - times * b) % PRIME for a, b in zip(rows[i], rows[found], strict=True)
                ]
        found += 1
    return found


def told(hidden, sums):
    """Return the hidden figures that the published ones fix: those whose unit adds no rank."""
    order = sorted(hidden, key=str)
    matrix = [
        [one.parts.count(name) - (one.total == name) for name in order]
        for one in sums
        if any(name in one.parts or name == one.total for name in order)
    ]
    before = rank(matrix)
    units = {key: [int(name == key) for name in order] for key in order}
    return {key for key in order if matrix and rank([*matrix, units[key]]) == before}


@settings(deadline=None, max_examples=60)
@given(CARDS)
def test_no_small_cell_can_be_worked_out(cards):
    """No figure of fewer than five customers follows from all that is published."""
    people = people_behind(cards)
    cells = {key: Cell(len(found), len(set(found))) for key, found in people.items()}
    sums = add_totals(cells)
    marks = may_be_published(cells, sums, SMALLEST)
    hidden = {key for key, mark in marks.items() if mark is not Mark.PUBLISHED}
    fixed = told(hidden, sums)
    for key, found in people.items():
        if len(set(found)) < SMALLEST:
            assert key in hidden
            assert key not in fixed


@settings(deadline=None, max_examples=60)
@given(CARDS)
def test_what_is_hidden_of_a_published_total_stands_for_enough_people(cards):
    """What a reader gets by taking the published parts from a total is no small group either."""
    people = people_behind(cards)
    cells = {key: Cell(len(found), len(set(found))) for key, found in people.items()}
    sums = add_totals(cells)
    marks = may_be_published(cells, sums, SMALLEST)
    hidden = {key for key, mark in marks.items() if mark is not Mark.PUBLISHED}
    secret = hidden - told(hidden, sums)
    for one in sums[:-2]:
        if one.total in secret:
            continue
        behind = {
            customer for key in one.parts if key in secret for customer in cells_people(key, people)
        }
        assert not behind or len(behind) >= SMALLEST


def cells_people(key, people):
    """Return the customers behind a cell or a total."""
    row, column = key
    return [
        customer
        for (one_row, one_column), found in people.items()
        if row in (one_row, TOTAL) and column in (one_column, TOTAL)
        for customer in found
    ]


@settings(deadline=None, max_examples=60)
@given(CARDS)
def test_nothing_is_hidden_where_nothing_is_small(cards):
    """A table without small cells is published whole."""
    cells = {}
    for key, found in people_behind(cards).items():
        cells[key] = Cell(len(found) + SMALLEST, len(set(found)) + SMALLEST)
    marks = may_be_published(cells, add_totals(cells), SMALLEST)
    assert set(marks.values()) <= {Mark.PUBLISHED}


def test_a_bridge_between_two_blocks_is_not_left_open():
    """Two hidden cells in every row and column do not suffice: a cell between blocks is fixed."""
    block = {("A", "a"), ("A", "b"), ("B", "a"), ("B", "b")}
    other = {("C", "c"), ("C", "d"), ("D", "c"), ("D", "d")}
    small = {*block, *other, ("B", "c")}
    cells = {
        (row, column): Cell(2, 2) if (row, column) in small else Cell(50, 50)
        for row in "ABCD"
        for column in "abcd"
    }
    sums = add_totals(cells)
    assert ("B", "c") in told(small, sums)
    marks = may_be_published(cells, sums, SMALLEST)
    hidden = {key for key, mark in marks.items() if mark is not Mark.PUBLISHED}
    assert not small & told(hidden, sums)


def test_what_is_not_shown_anyway_counts_as_unknown():
    """A small rest beside a large part that is not shown needs no further figure hidden."""
    cells = {"all": Cell(100, 90), "large": Cell(98, 88), "small": Cell(2, 2)}
    sums = [Sum("all", ("large", "small"))]
    assert may_be_published(cells, sums)["large"] is Mark.WITHHELD
    marks = may_be_published(cells, sums, unpublished=["large"])
    assert marks == {"all": Mark.PUBLISHED, "large": Mark.WITHHELD, "small": Mark.SMALL}


def test_only_a_cell_whose_customers_are_known_is_called_small():
    """Of a sum over groups it is not known how many customers it has, so it is only withheld."""
    cells = {"exact": Cell(9, 3), "summed up": Cell(9, 3, exact=False)}
    assert may_be_published(cells, []) == {"exact": Mark.SMALL, "summed up": Mark.WITHHELD}


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "5", None])
def test_a_smallest_cell_is_a_whole_number_from_one(size):
    """Anything else is refused before a figure is shown."""
    with pytest.raises(UsageError, match="no smallest cell"):
        check_smallest_cell(size)
