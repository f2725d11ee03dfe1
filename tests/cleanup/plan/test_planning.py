"""From snapshot and rule to a plan, or to one sentence that says why there is none."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cleanup_vaults import (
    ALL_OPEN,
    DAY,
    FETCHED,
    NOW,
    expired_vault,
    publish_vault,
    raw_card,
    selecting_once,
)

from tokenvault_data.analysis.filters.filters import expired, where
from tokenvault_data.cleanup.plan.plan_file import parse_plan, plan_bytes
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.selection import exclusions, rules
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.errors import RefusedByGuardRail, UsageError

EXPIRED = rules.expired(DAY)


def plan(snapshot, rule=EXPIRED, limits=ALL_OPEN, **given):
    return plan_cleanup(snapshot, rule, limits=limits, **{"now": NOW, "planner": "Asha"} | given)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Four expired cards of four customers, and four usable ones of others."""
    return publish_vault(tmp_path_factory.mktemp("store"), expired_vault(4))


@pytest.fixture
def selects_once():
    with selecting_once():
        yield


def test_a_plan_holds_what_was_decided(snapshot):
    """Header and cards say what will be deleted, from which snapshot, until when, by whose rule."""
    made = plan(snapshot, note="  after the \n audit ", as_of=DAY)
    assert made.created_at == "2026-11-22T11:00:00+00:00"
    assert made.expires_at == "2026-11-23T11:00:00+00:00"
    assert (made.planner, made.note) == ("Asha", "after the audit")
    assert (made.environment, made.merchant) == ("emulator", "abcdef012345")
    assert (made.api_version, made.as_of) == ("2025-01-01", "2026-11-22")
    assert (made.snapshot, made.snapshot_digest) == (snapshot.id, snapshot.digest)
    assert made.oldest_fetched_at == FETCHED.isoformat()
    assert made.rule == EXPIRED
    assert (made.vault_cards, made.vault_customers, made.left_out) == (8, 8, {})
    assert [(one.bank, one.cards) for one in made.bank_totals] == [
        ("HDFC Bank", 4),
        ("ICICI Bank", 4),
    ]
    assert [(card.number, card.customer_id, card.instrument_id) for card in made.cards] == [
        (at, f"cust_{at:04d}", f"old-{at:04d}") for at in range(4)
    ]
    card = made.cards[1]
    assert (card.bank, card.card_bank, card.card_type) == ("ICICI Bank", "ICICI BANK", "debit")
    assert (card.expires_on, card.fetched_at) == ("2025-06-30", FETCHED.isoformat())
    assert {one.customer_id for one in made.controls} == {f"live_{at:04d}" for at in range(4)}
    assert parse_plan(plan_bytes(made)) == made


def test_the_same_moment_makes_the_same_plan(snapshot):
    """A plan depends on snapshot, rule, settings and clock, and on nothing else."""
    assert plan_bytes(plan(snapshot)) == plan_bytes(plan(snapshot))
    assert plan(snapshot).digest != plan(snapshot, now=NOW + timedelta(seconds=1)).digest


def test_a_condition_will_do(snapshot):
    """A condition of the analysis plans what the rule of the same words plans."""
    assert plan(snapshot, expired(DAY)) == plan(snapshot)


def test_the_canary_is_one_in_a_hundred_spread_over_banks(tmp_path):
    """At least one card, at most the limit, of different banks and customers."""
    banks = [f"Bank Number {at}" for at in range(5)]
    vault = expired_vault(210, banks)
    made = plan(publish_vault(tmp_path, vault))
    assert len(made.canary) == 3
    assert len({made.cards[number].bank for number in made.canary}) == 3
    assert made.canary == tuple(sorted(made.canary))
    short = plan(publish_vault(tmp_path, vault), limits=replace(ALL_OPEN, canary=2))
    assert len(short.canary) == 2


def test_a_single_card_is_its_own_canary(snapshot):
    """One per cent of one card is one card."""
    one = rules.listed([("cust_0001", "old-0001")])
    assert plan(snapshot, one).canary == (0,)


@pytest.mark.usefixtures("selects_once")
@pytest.mark.parametrize(
    ("cap", "at_the_cap", "below"),
    [
        ("rows", 4, 3),
        ("vault_share", 0.5, 0.49),
        ("bank_share", 0.5, 0.49),
        ("per_customer", 1, 0),
        ("snapshot_hours", 1.0, 0.999),
    ],
)
def test_every_cap_either_side(snapshot, cap, at_the_cap, below):
    """Exactly at the cap there is a plan; a little less, and the one sentence names that cap."""
    assert len(plan(snapshot, limits=replace(ALL_OPEN, **{cap: at_the_cap})).cards) == 4
    with pytest.raises(RefusedByGuardRail, match=f"No plan was made, because .*{cap}") as error:
        plan(snapshot, limits=replace(ALL_OPEN, **{cap: below}))
    assert "other guard rail" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("selects_once")
@pytest.mark.parametrize(
    "cap", ["rows", "vault_share", "bank_share", "per_customer", "snapshot_hours"]
)
def test_zero_means_zero(snapshot, cap):
    """A cap of zero refuses every plan, even from a snapshot of this very second."""
    limits = replace(ALL_OPEN, **{cap: 0})
    with pytest.raises(RefusedByGuardRail, match=cap):
        plan(snapshot, limits=limits, now=FETCHED)


@pytest.mark.parametrize("value", [None, math.nan, -1, True])
def test_a_missing_cap_refuses(value):
    """No cap at all cannot be asked for."""
    with pytest.raises(UsageError, match="rows"):
        Limits(rows=value)


@pytest.mark.usefixtures("selects_once")
def test_the_first_cap_is_said_and_the_others_counted(snapshot):
    """One sentence for the first, and the number and names of the rest."""
    with pytest.raises(RefusedByGuardRail) as error:
        plan(snapshot, limits=Limits(rows=2), now=NOW + timedelta(days=2))
    assert str(error.value) == (
        "No plan was made, because 4 cards would be deleted, and the cap on rows "
        "(--max-cards) is 2 (and it would meet 3 other guard rails: bank_share "
        "(--max-bank-share), snapshot_hours (--max-age), vault_share (--max-vault-share)); narrow "
        "the rule, collect anew, or set the limit if this is what you mean."
    )


@pytest.mark.usefixtures("selects_once")
def test_default_limits_hold_when_none_are_given(snapshot):
    """Half of a vault is over one per cent of it."""
    with pytest.raises(RefusedByGuardRail, match="vault_share"):
        plan_cleanup(snapshot, EXPIRED, now=NOW)


def test_a_stale_snapshot_is_refused(snapshot):
    """A day after the oldest row was fetched is the last moment for a plan."""
    day = timedelta(hours=24)
    assert plan(snapshot, now=FETCHED + day, as_of=DAY)
    with pytest.raises(RefusedByGuardRail, match="snapshot_hours"):
        plan(snapshot, now=FETCHED + day + timedelta(seconds=1), as_of=DAY)


def test_a_clock_that_lags_is_refused(snapshot):
    """Cards fetched in the future show that no age can be told."""
    assert plan(snapshot, now=FETCHED - timedelta(minutes=4))
    with pytest.raises(RefusedByGuardRail, match="clock"):
        plan(snapshot, now=FETCHED - timedelta(minutes=6))


def test_without_a_control_card_there_is_no_plan(tmp_path):
    """Where nobody else has a usable card, a card that is gone proves nothing."""
    vault = {"c1": [raw_card("a", "2025-01"), raw_card("b")], "c2": [raw_card("c", "2025-01")]}
    with pytest.raises(RefusedByGuardRail, match="control card"):
        plan(publish_vault(tmp_path, vault))


def test_a_rule_that_selects_nothing_is_an_error(snapshot, tmp_path):
    """There is no plan of no cards; what was left out is counted."""
    with pytest.raises(UsageError, match="selects no card"):
        plan(snapshot, rules.networks("amex"))
    vault = {"c1": [raw_card("a")], "c2": [raw_card(None, "2025-01")]}
    with pytest.raises(UsageError, match=f"1 {exclusions.NO_ID}; 1 {exclusions.SPARED}"):
        plan(publish_vault(tmp_path, vault), where())


def test_last_usable_cards_go_only_when_said(tmp_path):
    """keep_last_usable=False plans what the default spares."""
    snapshot = publish_vault(
        tmp_path,
        {
            "c1": [raw_card("a", network="rupay"), raw_card("x", "2025-01", network="rupay")],
            "c2": [raw_card("b")],
        },
    )
    rupay = rules.networks("rupay")
    kept = plan(snapshot, rupay)
    assert [card.instrument_id for card in kept.cards] == ["x"]
    assert kept.left_out == {exclusions.SPARED: 1}
    every = plan(snapshot, rupay, limits=replace(ALL_OPEN, keep_last_usable=False))
    assert [card.instrument_id for card in every.cards] == ["a", "x"]


def test_duplicates_name_what_is_kept(tmp_path):
    """Each duplicate in a plan names the card that stays in its place."""
    vault = {
        "c1": [raw_card("new", "2029-01", par="P"), raw_card("old", "2027-01", par="P")],
        "c2": [raw_card("b")],
    }
    made = plan(publish_vault(tmp_path, vault), rules.duplicates())
    assert [(card.instrument_id, card.keeper) for card in made.cards] == [("old", "new")]


def test_a_partial_snapshot_will_do(tmp_path):
    """Customers who could not be fetched are not in the plan, and do not stop it."""
    snapshot = publish_vault(tmp_path, expired_vault(2), failed=["cust_9999"])
    assert not snapshot.complete
    assert len(plan(snapshot).cards) == 2


def test_usable_is_judged_today_or_earlier(snapshot):
    """The day is today in India at most: in the future, cards in use look unusable."""
    late = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)  # past midnight in India
    assert plan(snapshot, now=late).as_of == "2026-11-23"
    assert plan(snapshot, as_of="2026-11-01").as_of == "2026-11-01"
    with pytest.raises(UsageError, match="future"):
        plan(snapshot, as_of="2026-11-23")


def test_the_planner_is_the_user_of_the_system_by_default(snapshot, monkeypatch):
    """Who is logged in has made the plan, unless a name is given."""
    monkeypatch.setenv("LOGNAME", "asha")
    assert plan(snapshot, planner=None).planner == "asha"


@pytest.mark.parametrize("planner", ["", "  ", "a\x1bb", "x" * 101])
def test_a_planner_has_a_name(snapshot, planner):
    """A name that cannot be shown, or is none, cannot be told from an approver's."""
    with pytest.raises(UsageError, match="planner"):
        plan(snapshot, planner=planner)


def test_a_time_has_a_zone(snapshot):
    """A moment without a zone is another moment in India than in UTC."""
    with pytest.raises(UsageError, match="zone"):
        plan(snapshot, now=datetime(2026, 11, 22, 11, 0))  # noqa: DTZ001 - no zone is the point


def test_messages_name_no_customer(snapshot):
    """What refuses a plan is said in figures."""
    with pytest.raises(RefusedByGuardRail) as error:
        plan(snapshot, limits=replace(ALL_OPEN, per_customer=0, bank_share=0))
    assert "cust_" not in str(error.value)
