"""Caps: what each lets through and what it does not, one either side of every figure."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cleanup.selection.limits import (
    Limits,
    PlannedFigures,
    VaultFigures,
    check_caps,
)
from tokenvault_data.errors import UsageError
from tokenvault_data.text import percent

VAULT = VaultFigures(100_000, 40_000, {"HDFC Bank": 20_000, "Small Bank": 19, None: 100})
NAMES = [field.name for field in fields(Limits)]
SHARES = ["vault_share", "bank_share", "rate_share", "window_reserve", "drift_share"]
WHOLE = ["rows", "per_customer", "canary", "drift_canary", "drift_window", "failures_in_row"]
HOURS = ["plan_hours", "snapshot_hours", "approval_hours"]


def planned(cards=0, banks=None, most=0, without=0):
    return PlannedFigures(cards, banks or {}, most, without)


OPEN = {"rows": 10**6, "vault_share": 1, "bank_share": 1, "per_customer": 100}


def caps(figures, **limits):
    return [one.cap for one in check_caps(figures, VAULT, Limits(**OPEN | limits))]


@pytest.mark.parametrize(
    ("cap", "at_the_cap", "one_over"),
    [
        ({"rows": 1000}, planned(1000), planned(1001)),
        ({"vault_share": 0.005}, planned(500), planned(501)),
        ({"bank_share": 0.05}, planned(9, {"HDFC Bank": 1000}), planned(9, {"HDFC Bank": 1001})),
        ({"bank_share": 0.05}, planned(9, {None: 5}), planned(9, {None: 6})),
        ({"per_customer": 3}, planned(9, most=3), planned(9, most=4)),
        ({"keep_last_usable": True}, planned(9), planned(9, without=1)),
    ],
)
def test_a_cap_holds_exactly(cap, at_the_cap, one_over):
    """What a cap allows passes, and one card more is a violation of that cap and no other."""
    assert caps(at_the_cap, **cap) == []
    assert caps(one_over, **cap) == list(cap)


@pytest.mark.parametrize(
    ("cap", "figures"),
    [
        ("rows", planned(1)),
        ("vault_share", planned(1)),
        ("bank_share", planned(1, {"HDFC Bank": 1})),
        ("per_customer", planned(1, most=1)),
    ],
)
def test_zero_means_zero(cap, figures):
    """A cap of zero lets not a single card through, and nothing when there is nothing."""
    assert caps(figures, **{cap: 0}) == [cap]
    assert caps(planned(), **{cap: 0}) == []


def test_caps_hold_together():
    """Every broken cap is named, in the order of the limits, each with its figures."""
    found = check_caps(
        planned(5000, {"HDFC Bank": 4000, None: 100}, 7, 2), VAULT, Limits(rows=1000)
    )
    assert [one.cap for one in found] == [
        *("rows", "vault_share", "bank_share", "per_customer", "keep_last_usable"),
    ]
    assert (
        found[0].sentence
        == "5,000 cards would be deleted, and the cap on rows (--max-cards) is 1,000"
    )
    assert found[1].sentence == (
        f"5,000 cards are {percent(0.05)} of the vault's 100,000, and the cap on vault_share "
        f"(--max-vault-share), {percent(0.01)}, allows 1,000"
    )
    assert f"4,000 cards of HDFC Bank are {percent(0.2)} of 20,000" in found[2].sentence
    assert found[2].sentence.endswith("allows 1,000; so with 1 other bank")


def test_keeping_last_usable_cards_can_be_given_up_in_so_many_words():
    """Only keep_last_usable=False lets customers lose their last usable card."""
    assert caps(planned(9, without=3), keep_last_usable=False) == []


def test_a_bank_that_the_vault_does_not_have_allows_nothing():
    """A card of a bank with no cards in the vault is over every share."""
    assert caps(planned(1, {"Ghost Bank": 1}), bank_share=1.0) == ["bank_share"]


@given(st.integers(0, 100), st.integers(1, 400))
def test_shares_are_decimal_fractions(percent, hundreds):
    """Exactly n % of a vault is within n %, whatever n is in binary; one card more is not."""
    vault = VaultFigures(hundreds * 100, 1, {})
    limits = Limits(rows=10**9, vault_share=percent / 100)
    exactly = percent * hundreds
    assert check_caps(planned(exactly), vault, limits) == []
    assert [one.cap for one in check_caps(planned(exactly + 1), vault, limits)] == ["vault_share"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1, -0.5, "3", [1], b"1"])
def test_what_is_no_limit_is_refused(name, value):
    """A missing, negative, infinite or textual limit is an error that names it."""
    with pytest.raises(UsageError, match=name):
        Limits(**{name: value})


@pytest.mark.parametrize("name", [name for name in NAMES if name != "keep_last_usable"])
@pytest.mark.parametrize("value", [True, False])
def test_truth_is_no_number(name, value):
    """True is not a cap of one, and False is not a cap of zero."""
    with pytest.raises(UsageError, match=name):
        Limits(**{name: value})


@pytest.mark.parametrize("value", [0, 1, 0.0, "yes"])
def test_a_number_is_no_truth(value):
    """Whether last cards are kept is said by True or False alone."""
    with pytest.raises(UsageError, match="keep_last_usable"):
        Limits(keep_last_usable=value)


@pytest.mark.parametrize("name", SHARES)
def test_shares_end_at_one(name):
    """A share of 1 is all there is; more is a percentage taken for a share."""
    assert getattr(Limits(**{name: 1}), name) == 1.0
    with pytest.raises(UsageError, match="share from 0 to 1"):
        Limits(**{name: 1.01})


@pytest.mark.parametrize("name", WHOLE)
def test_counts_are_whole(name):
    """Half a card is no cap, not even one that happens to be whole."""
    with pytest.raises(UsageError, match="whole number"):
        Limits(**{name: 5.0})


@pytest.mark.parametrize("name", ["canary", "drift_window", "failure_window"])
def test_what_cannot_be_empty_begins_at_one(name):
    """A campaign without a canary, or a share among no calls, has no meaning."""
    assert getattr(Limits(**{name: 1}), name) == 1
    with pytest.raises(UsageError, match="1 or more"):
        Limits(**{name: 0})


@pytest.mark.parametrize("name", HOURS)
def test_hours_may_be_nothing(name):
    """Zero hours is a limit as well."""
    assert getattr(Limits(**{name: 0}), name) == 0.0


def test_limits_are_written_and_read():
    """A plan gives the same limits back; a missing or unknown one is refused."""
    limits = Limits(rows=7, vault_share=1, plan_hours=2)
    assert Limits.from_dict(limits.to_dict()) == limits
    assert Limits.from_dict(limits.to_dict()).to_dict() == limits.to_dict()
    assert repr(limits.to_dict()["vault_share"]) == "1.0"
    for form in ({}, None, limits.to_dict() | {"more": 1}, [("rows", 1)]):
        with pytest.raises(UsageError, match="limits"):
            Limits.from_dict(form)
    short = limits.to_dict()
    del short["rows"]
    with pytest.raises(UsageError, match="not complete"):
        Limits.from_dict(short)


def test_defaults_are_the_documented_ones():
    """What holds when nobody sets anything: 1,000 cards, 1 %, 5 %, 3, a day, half the rate."""
    limits = Limits()
    assert (limits.rows, limits.vault_share, limits.bank_share) == (1000, 0.01, 0.05)
    assert (limits.per_customer, limits.keep_last_usable, limits.canary) == (3, True, 10)
    assert {getattr(limits, name) for name in HOURS} == {24.0}
    assert (limits.rate_share, limits.window_reserve, limits.attempts) == (0.5, 0.3, 4)
    assert replace(limits, rows=0).rows == 0
