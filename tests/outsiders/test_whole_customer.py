"""The customer's other cards: what the vault lists right before a delete decides."""

from __future__ import annotations

import time
from types import SimpleNamespace

from checker import left_without, violations
from small_vault import card, shop
from stories import about, evidence_of, finals, two_plans

GONE = {"deleted", "gone_after_attempt"}


@about(two_plans)
def test_two_plans_of_one_snapshot_leave_everybody_a_card(told):
    """Visa by one plan, then Mastercard by another of that snapshot: the second spares all."""
    assert left_without(told.vault, told.vault.customers()) == []
    assert set(finals(told.visa).values()) <= GONE
    assert set(finals(told.mastercard).values()) == {"not_attempted"}


@about(two_plans)
def test_two_plans_of_one_snapshot_keep_every_promise(told):
    """Nothing that the vault saw of two campaigns contradicts their files."""
    assert violations(evidence_of(told, told.visa, told.mastercard)) == []


def vanished(stage):
    """Let keepers vanish or expire after planning, and put customers on hold."""
    cards = shop(13)
    cards.append(card("cust_06", "visa-second", network="visa", bank="Second Bank"))
    vault = stage.vault(cards)
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    for customer, happens in [
        *(("cust_00", vault.remove), ("cust_01", vault.remove)),
        *(("cust_02", vault.deactivate), ("cust_03", vault.deactivate)),
        *(("cust_04", vault.expire), ("cust_05", vault.expire)),
        ("cust_06", vault.remove),  # of two planned cards one is now the last
    ]:
        happens(f"mastercard-{customer}")
    holds = world.store / "holds"
    holds.mkdir(exist_ok=True)
    (holds / "disputes.csv").write_text("customer_id\ncust_07\n")
    first = world.apply(plan).ended(300)
    world.runs.append(first)
    (holds / "mandates.csv").write_text("customer_id,instrument_id\ncust_08,visa-cust_08\n")
    on_hold_since = time.monotonic()
    last = world.carry_out(plan)
    return SimpleNamespace(**locals())


@about(vanished)
def test_nobody_is_left_without_a_card_when_keepers_vanish(told):
    """A customer whose other card vanished or expired after planning keeps the planned one."""
    assert left_without(told.vault, told.vault.customers()) == []
    ends = finals(told.plan)
    for number in range(6):
        assert told.vault.has(f"visa-cust_0{number}")
        assert ends[f"visa-cust_0{number}"] == "not_attempted"


@about(vanished)
def test_of_two_planned_cards_that_became_the_last_one_is_spared(told):
    """Of a customer's two planned cards, once they are the only ones, exactly one is deleted."""
    assert told.vault.usable("cust_06") == 1
    ends = finals(told.plan)
    pair = sorted([ends["visa-cust_06"], ends["visa-second"]])
    assert pair[1] == "not_attempted"
    assert pair[0] in GONE


@about(vanished)
def test_what_came_on_hold_after_planning_is_left_alone(told):
    """A customer or a card put on a hold list of the store after planning is not deleted."""
    ends = finals(told.plan)
    assert told.vault.has("visa-cust_07")
    assert ends["visa-cust_07"] == "not_attempted"
    before = [r for r in told.vault.deletes() if r.monotonic < told.on_hold_since]
    if "visa-cust_08" not in [r.instrument for r in before]:  # unless it was the canary
        assert told.vault.has("visa-cust_08")
        assert ends["visa-cust_08"] == "not_attempted"


@about(vanished)
def test_what_nothing_happened_to_is_deleted(told):
    """The campaign ends, and the cards that nothing speaks for are gone."""
    ends = finals(told.plan)
    assert {ends[f"visa-cust_{number:02d}"] for number in range(9, 13)} <= GONE
    assert violations(evidence_of(told)) == []


def changed_meanwhile(stage):
    """Save one card anew under its id, and remove another, between the canary and the rest."""
    vault = stage.vault(shop(8))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    left = [one for one in plan.instruments if vault.has(one)]
    anew, removed = left[0], left[1]
    vault.save_anew(anew)
    vault.remove(removed)
    last = world.carry_out(plan)
    return SimpleNamespace(**locals())


@about(changed_meanwhile)
def test_a_card_saved_anew_is_another_card(told):
    """The same id with another `created_at` and `afa_reference` is drift, not the planned card."""
    assert told.vault.has(told.anew)
    assert finals(told.plan)[told.anew] == "skipped_drift"


@about(changed_meanwhile)
def test_a_card_that_its_customer_removed_is_already_gone(told):
    """Only a card that nobody of us ever asked to delete is called `already_gone`."""
    ends = finals(told.plan)
    assert [card for card, end in ends.items() if end == "already_gone"] == [told.removed]
    assert violations(evidence_of(told)) == []
