"""Folding, judged by the people behind every group."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.reports.disclosure.small_groups import SMALL_GROUPS, fold_small

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
    folded = fold_small(frame, "bank", SMALLEST, total_customers=len(customers))
    if folded.table is None:
        return
    assert folded.table["cards"].sum() == len(cards)
    assert folded.table["share"].sum() == pytest.approx(1)
    names = [None if pd.isna(name) else name for name in folded.table["bank"]]
    in_fold = {
        customer for group, found in people.items() if group not in names for customer in found
    }
    for name in names:
        if name in people:
            assert len(set(people[name])) >= SMALLEST
        else:
            assert len(in_fold) >= SMALLEST
    assert set(folded.inside) == people.keys() - set(names)


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
    folded = fold_small(frame, "card_network", SMALLEST)
    assert folded.table["card_network"].tolist() == ["visa", SMALL_GROUPS]
    assert folded.table["cards"].tolist() == [900, 83]
    assert folded.table["customers"].isna().tolist() == [False, True]
    assert folded.inside == {"diners": (3, 3), "rupay": (80, 70)}


def test_small_groups_that_are_enough_together_take_no_large_one_in():
    """Where the total proves that the fold has enough customers, no large group is taken in."""
    frame = pd.DataFrame(
        {
            "bank": ["A", "B", "C"],
            "cards": [50, 4, 4],
            "customers": [50, 4, 4],
            "share": [50 / 58, 4 / 58, 4 / 58],
        }
    )
    folded = fold_small(frame, "bank", SMALLEST, total_customers=58)
    assert folded.table["bank"].tolist() == ["A", SMALL_GROUPS]


def test_a_table_of_too_few_customers_is_withheld():
    """Not even the total of fewer than five customers is shown."""
    frame, _ = counts_of([("A", 1), ("A", 2), ("B", 3)])
    folded = fold_small(frame, "bank", SMALLEST, total_customers=3)
    assert folded.table is None
    assert folded.inside == {"B": (1, 1), "A": (2, 2)}


def test_a_table_without_small_groups_stays_as_it_is():
    """Nothing is folded, nothing is said."""
    frame, _ = counts_of(
        [("A", number) for number in range(9)] + [(None, 77 + n) for n in range(5)]
    )
    folded = fold_small(frame, "bank", SMALLEST)
    assert not folded.inside
    assert folded.table["cards"].tolist() == [9, 5]
