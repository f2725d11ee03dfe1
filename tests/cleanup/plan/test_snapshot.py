"""A plan against the snapshot that it names: whatever it says of that has to be true."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cleanup_vaults import ALL_OPEN, DAY, FETCHED, NOW, expired_vault, publish_vault, raw_card

from tokenvault_data.analysis.filters.filters import where
from tokenvault_data.cleanup.plan.plan_file import parse_plan, plan_bytes
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.plan.snapshot import check_against_snapshot
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.cleanup.selection.cards import BankTotal, ControlCard
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.errors import PlanDamaged, RefusedByGuardRail

EXPIRED = rules.expired(DAY)


def vault():
    cards = expired_vault(4)
    cards["cust_0000"].append(raw_card("twice", "2025-01"))
    cards["cust_0000"].append(raw_card("twice", "2025-01"))
    cards["no-bank"] = [raw_card("i", "2025-01", bank=None), raw_card("usable", "2029-01")]
    return cards


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one snapshot; not to be changed."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def snapshot(store):
    return publish_vault(store, vault())


@pytest.fixture(scope="module")
def plan(snapshot):
    return planned(snapshot)


def planned(snapshot, rule=EXPIRED, **given):
    return plan_cleanup(snapshot, rule, limits=ALL_OPEN, planner="Asha", now=NOW, **given)


@pytest.mark.parametrize(
    "rule",
    [
        EXPIRED,
        EXPIRED & where(card_country="IN"),
        rules.banks("HDFC BANK") & EXPIRED,
        rules.as_rule(where(bank=None)) & EXPIRED,
        rules.listed([("cust_0001", "old-0001")]),
    ],
)
def test_what_was_planned_is_true(snapshot, store, rule):
    """A plan that was made from the snapshot passes, also when it was written and read."""
    made = planned(snapshot, rule)
    check_against_snapshot(made, store)
    check_against_snapshot(parse_plan(plan_bytes(made)), store)


def test_a_snapshot_that_is_not_there_says_nothing(plan, tmp_path):
    """On another machine, or once it was removed, only the plan's own checks hold."""
    check_against_snapshot(plan, tmp_path)


def lasts(plan, card, **changes):
    return tuple(replace(one, **changes) if one.number == card else one for one in plan.cards)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (lambda _: {"snapshot_digest": "e" * 64}, "has a different digest"),
        (lambda _: {"environment": "production"}, "has a different environment"),
        (lambda _: {"merchant": "0123456789ab"}, "has a different account"),
        (lambda _: {"merchant": None}, "has a different account"),
        (lambda _: {"api_version": "2026-01-01"}, "has a different API version"),
        (lambda p: {"snapshot_created_at": p.created_at}, "has a different time"),
        (lambda p: {"vault_cards": 10**9}, "has 11 cards, the plan says 1,000,000,000"),
        (lambda p: {"vault_customers": p.vault_customers - 1}, "the snapshot has 9 customers"),
        (
            lambda p: {"oldest_fetched_at": (FETCHED - timedelta(seconds=1)).isoformat()},
            "has a different oldest fetch",
        ),
        (lambda p: {"cards": lasts(p, 1, expires_on="2024-01-31")}, "1 of the planned cards are"),
        (lambda p: {"cards": lasts(p, 1, instrument_id="new")}, "not in it as sealed"),
        (lambda p: {"cards": lasts(p, 1, par="P")}, "not in it as sealed"),
        (lambda p: {"cards": lasts(p, 1, afa_reference="9")}, "not in it as sealed"),
        (
            lambda p: {"cards": lasts(p, 1, created_at=p.created_at)},
            "not in it as sealed",
        ),
        (
            lambda p: {
                "bank_totals": tuple(replace(t, cards=max(1, t.cards - 1)) for t in p.bank_totals)
            },
            "it has 6 cards of a bank, the plan says 5",
        ),
        (lambda _: {"rule": EXPIRED & where(card_country="US")}, "the rule does not select 6"),
        (lambda _: {"controls": (ControlCard("nobody", "i"),)}, "1 of the control cards"),
    ],
)
def test_what_is_not_true_is_refused(plan, store, changes, problem):
    """Whatever was changed consistently, the snapshot says otherwise, in one sentence."""
    other = replace(plan, **changes(plan))
    with pytest.raises(PlanDamaged, match=problem) as error:
        check_against_snapshot(other, store)
    assert "\n" not in str(error.value)
    assert "cust_" not in str(error.value)


def test_an_expired_control_card_is_none(plan, store, snapshot):
    """A control card has to be usable in the snapshot, or it would prove nothing."""
    one = planned(snapshot, rules.listed([("cust_0001", "old-0001")]))
    with pytest.raises(PlanDamaged, match="control"):
        check_against_snapshot(
            replace(one, controls=(ControlCard("cust_0002", "old-0002"),)), store
        )


def test_names_of_banks_of_ones_own_are_bounded(snapshot, store, tmp_path):
    """A plan made with other names passes; a total less than its own spellings have does not."""
    own = tmp_path / "banks.csv"
    own.write_text("spelling,bank,note\nHDFC BANK,Our Bank,\nICICI BANK,Our Bank,\n")
    made = planned(snapshot, rules.banks("Our Bank") & EXPIRED, banks=load_bank_names(own))
    assert {card.bank for card in made.cards} == {"Our Bank"}
    check_against_snapshot(made, store)
    with pytest.raises(PlanDamaged, match="it has 10 cards of a bank, the plan says 9"):
        check_against_snapshot(replace(made, bank_totals=(BankTotal("Our Bank", 9),)), store)
    with pytest.raises(PlanDamaged, match="more than its vault_cards"):
        replace(made, bank_totals=(BankTotal("Our Bank", 12),))


def test_a_damaged_snapshot_proves_nothing(snapshot, plan, tmp_path):
    """What cannot be compared is refused, with the way out, and no byte is believed."""
    copy = tmp_path / "snapshots" / snapshot.id
    shutil.copytree(snapshot.path, copy)
    check_against_snapshot(plan, tmp_path)
    part = next(copy.glob("instruments/*.parquet"))
    part.chmod(0o600)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(RefusedByGuardRail, match="cannot be compared with its snapshot"):
        check_against_snapshot(plan, tmp_path)


def test_another_snapshot_in_its_place_is_met(plan, snapshot, tmp_path):
    """A snapshot under the plan's name that is another one."""
    other = publish_vault(tmp_path, expired_vault(5), fetched=FETCHED + timedelta(seconds=5))
    (tmp_path / "snapshots" / snapshot.id).symlink_to(other.path)
    with pytest.raises((PlanDamaged, RefusedByGuardRail)):
        check_against_snapshot(plan, tmp_path)


def test_times_are_compared_as_instants(plan, store):
    """The same instant in another zone is the same."""
    here = datetime.fromisoformat(plan.oldest_fetched_at).astimezone().isoformat()
    check_against_snapshot(replace(plan, oldest_fetched_at=here), store)
