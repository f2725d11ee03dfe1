"""What a collection will cost, said before it begins."""

import pytest

from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.collect.estimate import Estimate, read_limit


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate(100_000, 0.5, 100), "100,000 customers at 50 a minute: about 33 h 20 min"),
        (Estimate(100_000, 1.0, 100), "100,000 customers at 100 a minute: about 16 h 40 min"),
        (Estimate(3_000, 0.5, 18_000), "3,000 customers at 9,000 a minute: about 20 s"),
        (Estimate(3_000, 0.5, 100), "3,000 customers at 50 a minute: about 1 h"),
        (Estimate(200, 0.5, 100), "200 customers at 50 a minute: about 4 min"),
        (Estimate(1, 0.05, 100), "1 customer at 5 a minute: about 12 s"),
        (Estimate(1_000_000, 0.5, 100), "1,000,000 customers at 50 a minute: about 13 days 21 h"),
        (Estimate(7, 0.25, 10), "7 customers at 2.5 a minute: about 2 min 48 s"),
        (Estimate(1, 1.0, 60_000), "1 customer at 60,000 a minute: about a second"),
    ],
)
def test_how_much_and_how_long(estimate, said):
    """Customers over our share of the limit."""
    assert estimate.headline() == said


@pytest.mark.parametrize(
    ("told", "stated", "limit", "ground"),
    [
        (None, None, 100, "assumed"),
        (6_000, None, 6_000, "told"),
        (None, 300, 300, "stated"),
        (6_000, 300, 300, "stated"),
        (300, 6_000, 300, "told"),
    ],
)
def test_the_lower_limit_holds(told, stated, limit, ground):
    """As it does for the client, whose ceiling is what was stated."""
    estimate = Estimate(1, 0.5, told, stated)
    assert (estimate.limit_per_minute, estimate.ground) == (limit, ground)


@pytest.mark.parametrize(
    ("share", "left"),
    [(0.5, "half of it is left"), (0.8, "20% of it is left"), (1.0, "nothing of it is left")],
)
def test_what_is_left_to_the_checkout_is_said(share, left):
    """Whatever the share."""
    assert f"{left} to the checkout" in Estimate(1, share, 100).explanation()


def test_an_assumption_is_called_one():
    """Nobody takes it for what the account has said."""
    assert "not known yet" in Estimate(1, 0.5).explanation()


@pytest.mark.parametrize(
    ("typed", "limit"), [("", None), (" ", None), ("100", 100), ("6,000 ", 6000)]
)
def test_limits_as_people_type_them(typed, limit):
    """Nothing is no limit."""
    assert read_limit(typed) == limit


@pytest.mark.parametrize("typed", ["0", "-5", "fast", "1.5", "²", "1e3"])
def test_what_is_no_limit_is_refused(typed):
    """With what to type instead."""
    with pytest.raises(UsageError, match="such as 100"):
        read_limit(typed)
