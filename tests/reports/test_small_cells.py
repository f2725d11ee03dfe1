"""Folding and hiding, judged by the people behind every group."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.reports.small_cells import MARK, MIXED_GROUPS, fold_small, hide_small
from tokenvault_data.reports.suppression import TOTAL, Mark

SMALLEST = 5
CARDS = st.lists(
    st.tuples(st.sampled_from([*"ABCDEFGH", None]), st.integers(0, 60)), min_size=1, max_size=120
)


def counts_of(cards):
    """Count (group, customer) pairs as a breakdown does."""
    people = {}
    for group, customer in cards:
        people.setdefault(group, []).append(customer)
    frame = pd.DataFrame(
        {
            "bank": pd.Series(list(people), dtype="object"),
            "cards": [len(found) for found in people.values()],
            "customers": [len(set(found)) for found in people.values()],
            "share": [len(found) / len(cards) for found in people.values()],
        }
    )
    return frame, people


@settings(deadline=None)
@given(CARDS)
def test_no_published_group_and_no_rest_is_small(cards):
    """Every group has five customers or more, the fold too, and all cards are still there."""
    frame, people = counts_of(cards)
    customers = {customer for _, customer in cards}
    protected = fold_small(frame, "bank", SMALLEST, total_customers=len(customers))
    if protected.table is None:
        assert protected.sentence
        return
    assert protected.table["cards"].sum() == len(cards)
    assert protected.table["share"].sum() == pytest.approx(1)
    names = [None if pd.isna(name) else name for name in protected.table["bank"]]
    folded = {
        customer for group, found in people.items() if group not in names for customer in found
    }
    for name in names:
        if name in people:
            assert len(set(people[name])) >= SMALLEST
        else:
            assert len(folded) >= SMALLEST
    assert bool(protected.sentence) == any(name not in people for name in names)


def test_a_single_small_group_takes_the_next_one_with_it():
    """One small group alone could be had from the total, so the next smallest is folded in."""
    frame = pd.DataFrame(
        {
            "card_network": ["visa", "rupay", "diners"],
            "cards": [900, 80, 3],
            "customers": [700, 70, 3],
            "share": [0.9, 0.08, 0.02],
        }
    )
    protected = fold_small(frame, "card_network", SMALLEST)
    assert protected.table["card_network"].tolist() == ["visa", MIXED_GROUPS]
    assert protected.table["cards"].tolist() == [900, 83]
    assert protected.table["customers"].isna().tolist() == [False, True]
    assert "2 groups are shown together" in protected.sentence


def test_small_groups_that_are_enough_together_say_that_each_is_small():
    """Where the total proves that the fold has enough customers, no large group is taken in."""
    frame = pd.DataFrame(
        {
            "bank": ["A", "B", "C"],
            "cards": [50, 4, 4],
            "customers": [50, 4, 4],
            "share": [50 / 58, 4 / 58, 4 / 58],
        }
    )
    protected = fold_small(frame, "bank", SMALLEST, total_customers=58)
    assert protected.table["bank"].tolist() == ["A", "(fewer than 5 each)"]


def test_a_table_of_too_few_customers_is_withheld():
    """Not even the total of fewer than five customers is shown."""
    frame, _ = counts_of([("A", 1), ("A", 2), ("B", 3)])
    protected = fold_small(frame, "bank", SMALLEST, total_customers=3)
    assert protected.table is None
    assert "fewer than 5 customers" in protected.sentence
    cells = frame.assign(expiry="2027-01")[["bank", "expiry", "cards", "customers"]]
    assert hide_small(cells, "bank", "expiry", SMALLEST).table is None


def test_a_hidden_cell_takes_one_beside_it_in_its_row_and_its_column():
    """With row and column totals shown, one hidden cell in a line would be no secret."""
    lines = [
        {"bank": bank, "expiry": month, "cards": cards, "customers": cards}
        for bank, figures in {"A": (2, 30, 40), "B": (20, 31, 41), "C": (21, 32, 42)}.items()
        for month, cards in zip(("01", "02", "03"), figures, strict=True)
    ]
    protected = hide_small(pd.DataFrame(lines), "bank", "expiry", SMALLEST)
    table = protected.table.set_index(["bank", "expiry"])
    assert table.loc[("A", "01"), MARK] == Mark.SMALL
    for one_row in "ABC":
        assert (table.loc[one_row, MARK].drop(TOTAL) != Mark.PUBLISHED).sum() in {0, 2}
    assert table["cards"][table[MARK] != Mark.PUBLISHED].isna().all()
    assert table["cards"][table[MARK] == Mark.PUBLISHED].notna().all()
    assert "4 figures are hidden" in protected.sentence


def test_a_table_without_small_groups_stays_as_it_is():
    """Nothing is folded, nothing is said."""
    frame, _ = counts_of(
        [("A", number) for number in range(9)] + [(None, 77 + n) for n in range(5)]
    )
    protected = fold_small(frame, "bank", SMALLEST)
    assert protected.sentence == ""
    assert protected.table["cards"].tolist() == [9, 5]
