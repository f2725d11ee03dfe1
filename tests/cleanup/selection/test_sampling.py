"""A few cards out of many, spread over banks and customers."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cleanup.selection.sampling import Placed, spread

PLACES = st.lists(
    st.builds(Placed, st.sampled_from(["A", "B", "C", None]), st.sampled_from(list("uvwxyz"))),
    max_size=30,
)


def test_banks_take_turns():
    """Each bank gives one card before any gives its second, banks of many cards first."""
    cards = [Placed("Big", f"c{at}") for at in range(9)]
    cards += [Placed("Small", "s"), Placed(None, "n")]
    assert spread(cards, 4, repeat_customers=False) == [0, 9, 10, 1]


def test_a_customer_is_asked_once():
    """Where every card is of one customer, there is one, unless customers may be repeated."""
    cards = [Placed("A", "c"), Placed("B", "c"), Placed("A", "c")]
    assert spread(cards, 3, repeat_customers=False) == [0]
    assert sorted(spread(cards, 3, repeat_customers=True)) == [0, 1, 2]


@given(PLACES, st.integers(0, 40))
def test_repeating_customers_fills_up(cards, count):
    """With repeats allowed there are as many as wanted, or all; none twice."""
    chosen = spread(cards, count, repeat_customers=True)
    assert len(chosen) == len(set(chosen)) == min(count, len(cards))
    assert all(0 <= place < len(cards) for place in chosen)


@given(PLACES, st.integers(0, 40))
def test_no_customer_twice(cards, count):
    """Without repeats no customer is taken twice, and the same cards give the same choice."""
    chosen = spread(cards, count, repeat_customers=False)
    assert len(chosen) <= count
    assert max(Counter(cards[place].customer_id for place in chosen).values(), default=1) == 1
    assert chosen == spread(list(cards), count, repeat_customers=False)
    if count >= 30:
        assert chosen or not cards
