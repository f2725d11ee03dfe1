"""A vault that fails, lies in its lists, or gives cards back: what campaigns say stays true."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
from checker import left_without, violations
from driver import state_of
from small_vault import body, failing, lost, rows, shop, some
from stories import about, evidence_of, finals

GONE = {"deleted", "gone_after_attempt"}


def half_failing(stage, seed):
    """Let half of the fetches fail for 20 s; with odd seeds there is a kill in the middle.

    With every third and fourth seed lists fail as well, and with every second and third some
    deletes are lost on their way.
    """
    vault = stage.vault(shop(30), announced=1200)
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    operations = ("fetch",) if seed % 4 < 2 else ("fetch", "list")
    process = world.apply(plan)
    vault.on(*operations, act=failing(0.5, seed), seconds=20)
    if seed % 4 in {1, 2}:
        vault.on("delete", act=lost, chosen=some(0.2, seed), instead=True, seconds=20)
    if seed % 2:
        sent = len(vault.deletes())
        vault.wait_until(lambda: len(vault.deletes()) >= sent + 3, 15)
        time.sleep(seed % 5)
        process.kill()
    world.runs.append(process.ended(400))
    if world.can_go_on(plan):
        world.carry_out(plan)
    state = state_of(plan)
    return SimpleNamespace(**locals())


def seeds(numbers):
    """Give a case of the story for each."""
    return [pytest.param(n, id=f"seed-{n}", marks=about(half_failing, n)) for n in numbers]


def completed(told):
    assert told.state == "completed"
    assert len(finals(told.plan)) == 30
    assert set(finals(told.plan).values()) <= GONE
    assert violations(evidence_of(told)) == []


@pytest.mark.parametrize("seed", seeds(range(4)))
def test_a_campaign_completes_after_half_of_the_fetches_failed(told, seed):
    """Half of the fetches failing for 20 s, and a kill meanwhile, do not stop a campaign."""
    completed(told)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", seeds(range(4, 20)))
def test_sixteen_campaigns_complete_after_half_of_the_fetches_failed(told, seed):
    """The same sixteen times over: each one completes."""
    completed(told)


def comes_back(stage, times):
    """Let two cards be there again 3 s after their delete, the first time or every time."""
    vault = stage.vault(shop(6))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    cards = plan.instruments[1:3]
    for instrument in cards:
        vault.comes_back(instrument, 3, times=times)
    last = world.carry_out(plan, timeout=900)
    return SimpleNamespace(**locals())


@pytest.mark.chaos
@about(comes_back, None)
def test_a_card_that_always_comes_back_is_not_called_deleted(told):
    """A card that is there again 3 s after its delete is not gone, however often it is deleted."""
    for instrument in told.cards:
        assert told.vault.has(instrument)
        assert finals(told.plan)[instrument] == "unresolved"
    assert violations(evidence_of(told)) == []


@about(comes_back, 1)
def test_a_card_that_came_back_once_is_deleted_for_good(told):
    """A card that came back once is called deleted only when it is gone in the end."""
    ends = finals(told.plan)
    for instrument in told.cards:
        assert ends[instrument] in GONE
        assert not told.vault.has(instrument)
    assert violations(evidence_of(told)) == []


def twice(cards):
    """List the first card a second time, with another expiry."""
    other = json.loads(json.dumps(cards[0]))
    other["instrument_meta"]["card_token_details"]["expiry_year"] = "2039"
    return [*cards, other]


ODD_LISTS = {
    "cust_00": rows(lambda _: []),
    "cust_01": body(b"null"),
    "cust_02": body(None, 204),
    "cust_03": rows(lambda cards: [c for c in cards if c["instrument_id"].startswith("visa")]),
    "cust_04": rows(lambda cards: [c for c in cards if c["instrument_id"].startswith("master")]),
    "cust_05": rows(twice),
    "cust_06": body(b'[{"customer_id": "cust_06", "instrument_id": "visa-cust_06", "instru'),
}


def odd_lists(stage):
    """Answer the lists of some customers wrongly, for as long as the campaign runs."""
    vault = stage.vault(shop(12))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    first = {name for name in vault.customers() if vault.usable(name) < 2}  # the canary's
    for customer, act in ODD_LISTS.items():
        vault.on("list", act=act, customers=[customer])
    last = world.carry_out(plan, times=4)
    return SimpleNamespace(**locals())


@pytest.mark.parametrize("customer", ODD_LISTS)
@about(odd_lists)
def test_no_card_is_deleted_by_a_list_that_proves_nothing(told, customer):
    """`[]`, null, 204, a missing row, one id twice, or half a body: that customer is left alone."""
    if customer in told.first:
        return
    assert told.vault.usable(customer) == 2
    assert finals(told.plan).get(f"visa-{customer}") not in {
        *GONE,
        "already_gone",
        "gone_unattributed",
    }


@about(odd_lists)
def test_odd_lists_make_nothing_untrue(told):
    """Whatever was made of odd lists, nothing that the campaign's files say is false."""
    assert violations(evidence_of(told), ended=False) == []
    assert left_without(told.vault, told.vault.customers()) == []


def foreign_list(stage):
    """Answer one customer's list with another customer's."""
    vault = stage.vault(shop(8))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    left = sorted(name for name in vault.customers() if vault.usable(name) == 2)
    asked, shown = left[0], left[1]
    foreign = json.dumps(vault.cards(shown)).encode()
    vault.on("list", act=body(foreign), customers=[asked])
    last = world.carry_out(plan, times=3)
    return SimpleNamespace(**locals())


@about(foreign_list)
def test_another_customer_s_list_deletes_nothing(told):
    """Whose list shows another customer's cards keeps all cards."""
    assert told.vault.usable(told.asked) == 2
    assert violations(evidence_of(told), ended=False) == []


FORBIDDEN = body(b'{"type": "authentication_error", "message": "forbidden"}', 403)


def one_is_forbidden(stage):
    """Forbid the list of one customer, and the deletes of another."""
    vault = stage.vault(shop(12))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    list_, delete = [name for name in vault.customers() if vault.usable(name) == 2][:2]
    vault.on("list", act=FORBIDDEN, customers=[list_])
    vault.on("delete", act=FORBIDDEN, customers=[delete], instead=True)
    last = world.apply(plan).ended(400)
    return SimpleNamespace(**locals())


@about(one_is_forbidden)
def test_a_403_of_one_customer_does_not_pause_the_campaign(told):
    """It ends in one go, and says of those cards what is true of them."""
    ends = finals(told.plan)
    assert state_of(told.plan) == "completed_with_exceptions"
    assert ends.pop(f"visa-{told.list_}") == "not_attempted"
    assert ends.pop(f"visa-{told.delete}") == "rejected"
    assert set(ends.values()) <= GONE
    assert violations(evidence_of(told)) == []


def all_deletes_are_forbidden(stage):
    """Let credentials read everything and delete nothing."""
    vault = stage.vault(shop(40))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    vault.on("delete", act=FORBIDDEN, instead=True)
    last = world.apply(plan).ended(400)
    return SimpleNamespace(**locals())


@about(all_deletes_are_forbidden)
def test_credentials_that_may_not_delete_pause_the_campaign(told):
    """A person is told after a few cards, and not when all of them were refused."""
    assert state_of(told.plan) == "paused"
    assert "403" in told.last.text
    assert list(finals(told.plan).values()).count("rejected") < 30
    assert violations(evidence_of(told), ended=False) == []


def everything_is_forbidden(stage):
    """Take all rights away in the middle, as when a key is withdrawn."""
    vault = stage.vault(shop(40))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    sent = len(vault.log)
    vault.on(act=FORBIDDEN, instead=True)
    last = world.apply(plan).ended(400)
    asked = len(vault.log) - sent
    vault.forget_rules()
    world.carry_out(plan)
    return SimpleNamespace(**locals())


@about(everything_is_forbidden)
def test_an_account_that_is_refused_pauses_the_campaign(told):
    """No control card answers, so it is about the account; and it goes on once that is mended."""
    assert "403" in told.last.text
    assert told.asked < 60
    assert state_of(told.plan) == "completed"
    assert violations(evidence_of(told)) == []
