"""The one description of a plan: everything is in it, and nothing that only its planner says."""

import re
from dataclasses import fields, replace

import pytest
from cleanup_plans import make_cards, make_plan
from cleanup_vaults import ALL_OPEN, DAY

from tokenvault_data.analysis.filters.filters import where
from tokenvault_data.cleanup.plan.summary import BankShare, describe, shown_sentence
from tokenvault_data.cleanup.selection import exclusions, rules
from tokenvault_data.cleanup.selection.cards import BankTotal, HoldUsed
from tokenvault_data.cleanup.selection.limits import Limits

TIGHT = make_plan(limits=Limits(per_customer=3))


def test_every_limit_is_said():
    """Caps with what a share of the vault allows per day, ages, bounds and stops, with figures."""
    told = describe(make_plan(vault_cards=45_210, limits=Limits()))
    for key, text in {
        "caps": "1,000 cards; 1% of the vault; 5% of each bank; 3 of a customer",
        "per_day": "for 452 different cards at most (1% of the vault)",
        "evidence": "2 seconds old at most",
        "settle": "60 seconds after its delete",
        "validity": "2026-11-23 11:00 UTC (24 hours after it was made)",
        "approval": "by someone other than the planner: needed; valid for 24 hours",
        "snapshot_age": "fetched 2026-11-22 10:00 UTC, 1.0 hours before",
        "drift_stop": "3 changed cards in the canary, or over 2% of the last 200 cards",
        "failure_stop": "5 failures in a row, or over 20% of the last 50 calls",
        "rate": "50% of the account's at most; 30% of each window",
        "attempts": "4 deletes",
        "canary": "1 card first (10 at most)",
        "share": "3 of 45,210 (under 0.1%)",
        "biggest_bank": "HDFC Bank: 3 of 50 (6%)",
        "merchant": "abcdef012345",
        "api_version": "2025-01-01",
        "windows": "at any time of the day",
        "last_usable": "kept",
    }.items():
        assert text in told.fact(key), key
    assert told.fact("phrase") == make_plan(vault_cards=45_210, limits=Limits()).phrase
    assert told.warnings == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("keep_last_usable", False, "last usable card is NOT kept"),
        ("window_reserve", 0.0, "No part of the rate limit's window is left to others"),
        ("window_reserve", 0.1, "10%, by default 30% (window_reserve)"),
        ("rows", 5000, "5,000, by default 1,000 (rows)"),
        ("vault_share", 0.015, "1.5%, by default 1% (vault_share)"),
        ("bank_share", 1.0, "100%, by default 5% (bank_share)"),
        ("per_customer", 9, "9, by default 3 (per_customer)"),
        ("per_day", 2000, "2,000, by default 1,000 (per_day)"),
        ("plan_hours", 25.0, "25 hours, by default 24 hours (plan_hours)"),
        ("snapshot_hours", 48.0, "(snapshot_hours)"),
        ("approval_hours", 48.0, "(approval_hours)"),
        ("rate_share", 1.0, "100%, by default 50% (rate_share)"),
        ("canary", 50, "(canary)"),
        ("drift_canary", 9, "The drift stop is loosened in the canary: 9"),
        ("drift_share", 1.0, "The drift stop is loosened: 100%"),
        ("drift_window", 9999, "(drift_window)"),
        ("failures_in_row", 9, "(failures_in_row)"),
        ("failure_share", 1.0, "(failure_share)"),
        ("failure_window", 500, "(failure_window)"),
        ("attempts", 10, "(attempts)"),
        ("settle_seconds", 0.0, "sooner: 0 seconds, by default 60 seconds"),
    ],
)
def test_what_is_off_or_looser_is_a_warning(name, value, said):
    """Each limit that lets more happen than by default is told; one that lets less is not."""
    limits = replace(Limits(), **{name: value})
    until = "2026-11-23T12:00:00+00:00" if name == "plan_hours" else TIGHT.expires_at
    (warning,) = describe(replace(TIGHT, limits=limits, expires_at=until)).warnings
    assert said in warning


def test_every_limit_can_be_loosened_with_a_warning_or_not_at_all():
    """Evidence cannot be let grow older than by default, so nothing has to be said of that."""
    told = {"keep_last_usable", "evidence_seconds"}
    from tokenvault_data.cleanup.plan.summary import _DEFAULTS

    assert told | set(_DEFAULTS) == {one.name for one in fields(Limits)}


def test_an_unknown_account_and_a_canary_of_all_are_warnings():
    """A plan that fits every account, or of which nothing is held back, says so."""
    assert any("fits every account" in one for one in describe(make_plan(merchant=None)).warnings)
    assert describe(make_plan(limits=Limits())).warnings == ()


def test_the_note_is_the_planners():
    """What the planner wrote is never taken for the rule, on whatever screen."""
    plan = make_plan(note="expires before 1 January 2020", rule=rules.networks("visa"))
    told = describe(plan)
    assert told.headline.endswith("(3% of the vault): network is visa.")
    assert told.fact("rule") == "Network is visa"
    assert told.fact("note") == (
        '"expires before 1 January 2020" (the planner\'s own words, not verified)'
    )
    assert str(plan).count("1 January 2020") == 1


def test_holds_and_left_out_are_said():
    """Each list with its digest and length, and each reason with its number."""
    told = describe(
        make_plan(
            holds=(HoldUsed("legal.csv", "a" * 64, 12), HoldUsed("one.txt", "b" * 64, 1)),
            left_out={exclusions.HELD: 4, exclusions.SPARED: 1_200},
        )
    )
    assert told.fact("holds") == (
        f"legal.csv (12 entries, sha256 {'a' * 64}); one.txt (1 entry, sha256 {'b' * 64})"
    )
    assert told.fact("left_out") == "4 on hold; 1,200 spared as their customer's last usable card"
    assert describe(TIGHT).fact("holds") == "none"


def test_the_bank_with_the_highest_share_is_named_beside_the_biggest():
    """Half of a small bank is seen, although a large one loses more cards."""
    cards = make_cards(3)
    cards = (*cards[:2], replace(cards[2], bank=None))
    totals = (BankTotal("HDFC Bank", 50), BankTotal(None, 2))
    told = describe(make_plan(cards=cards, bank_totals=totals))
    assert told.fact("biggest_bank") == (
        "HDFC Bank: 2 of 50 (4%); the highest share: cards whose bank is missing: 1 of 2 (50%)"
    )
    assert told.banks == (BankShare("HDFC Bank", 2, 50), BankShare(None, 1, 2))


def test_ids_in_a_rule_are_masked_and_the_rest_is_said():
    """A condition on ids hides no other part of the rule, and two ids never look like one."""
    rule = rules.as_rule(
        (where(customer_id=["cust_0000001", "cust_1000001"]) | where(card_network="visa"))
        & ~where(instrument_uid="abcdefghijkl")
    )
    assert shown_sentence(rule) == (
        '(customer id is "cu…01 (id 1 of 2)" or "cu…01 (id 2 of 2)" or network is visa) and card '
        'identity is not "ab…kl"'
    )
    assert shown_sentence(rules.expired(DAY)) == rules.expired(DAY).sentence()
    assert shown_sentence(rules.listed([("c", "i")])) == "is one of 1 listed card"


def test_shares_are_said_to_the_last_digit():
    """A cap that differs by a hair is not rounded to the one that it is not."""
    hair = replace(ALL_OPEN, vault_share=0.01000001)
    assert "1.000001% of the vault" in describe(make_plan(limits=hair)).fact("caps")
    assert "0% of the vault" in describe(make_plan(limits=Limits(vault_share=0))).fact("caps")


def test_no_id_is_in_a_description():
    """Whoever reads a plan over somebody's shoulder learns nobody's id."""
    told = describe(make_plan())
    words = " ".join([told.headline, *told.warnings, *(one.text for one in told.facts)])
    assert re.search(r"customer-\d|instrument-\d|uid-\d", words) is None
