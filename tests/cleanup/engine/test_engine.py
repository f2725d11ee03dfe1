"""The engine against a simulated vault: faults, drift, other hands, and death at any moment."""

import shutil
import tempfile
from pathlib import Path

import pytest
from campaign_simulation import (
    DELETE_FAULTS,
    FETCH_FAULTS,
    LIST_FAULTS,
    Watching,
    World,
    check,
    finish,
    make_plan,
    raw_card,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tokenvault_data.cleanup.engine.engine import CONCURRENCY
from tokenvault_data.client.retries import Attempt

PLOTS = st.tuples(
    st.integers(1, 60),
    st.sampled_from(
        ["stop", "sleep", "clock", "hold", "copy", "removed", "expires", "uid", "INACTIVE"]
    ),
    st.sampled_from([1.5, 8.0]),
    st.integers(0, 9),
)
"""After how many steps what happens, for how long, to which card."""


@pytest.fixture
def world(tmp_path):
    made = []

    def make(remembered=None, **settings):
        plan, vault = make_plan(**settings)
        folder = tmp_path / f"world-{len(made)}"
        folder.mkdir()
        made.append(World(plan, vault, folder, remembered))
        return made[-1]

    yield make
    for one in made:
        one.loop.close()


def finals(world):
    return {final: count for final, count in world.standing().finals.items() if count}


def through(world, **faults):
    """Apply to the end with some faults, a person going on after each stop."""
    for name, value in faults.items():
        setattr(world, name, value)
    for _ in range(6):
        world.run()
        if world.standing().is_sealed:
            break
    check(world)
    return world


def test_a_plain_campaign_holds_after_the_canary_and_deletes_all(world):
    """Canary, hold, run: each card costs a check, a delete and two looks, and is proven gone."""
    one = world(cards=20, canary=2)
    assert one.run() == "held"
    assert finals(one) == {"deleted": 2}
    assert one.run() == "completed"
    assert finals(one) == {"deleted": 20}
    assert one.standing().is_sealed
    reads = sum(ids[0].startswith("k") for _, _, ids in one.wire)
    assert len(one.wire) == 4 * 20 + reads
    assert reads <= 6
    check(one)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("applied_then_500", {"gone_after_attempt": 3}),
        ("applied_then_lost", {"gone_after_attempt": 3}),
        ("applied_then_garbage", {"gone_after_attempt": 3}),
        ("late", {"deleted": 3}),
        ("409_gone", {"unresolved": 3}),
        ("lied", {"unresolved": 3}),
        ("400", {"rejected": 3}),
        ("429", {"unresolved": 3}),
    ],
)
def test_an_answer_to_a_delete_is_never_believed(world, fault, expected):
    """What a delete answers decides nothing; what a later fetch shows does."""
    one = world(cards=3, canary=3, failures_in_row=100, failure_share=1.0)
    through(one, fault_rate=1.0, delete_faults=(fault,), fetch_faults=("",))
    assert finals(one) == expected


def test_a_deletion_that_takes_effect_late_is_sent_once(world):
    """Thirty seconds between the answer and the effect bring no second delete."""
    one = through(
        world(cards=3, canary=3), fault_rate=1.0, delete_faults=("late",), fetch_faults=("",)
    )
    assert set(one.deletes.values()) == {1}


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("302", "halted"),
        ("422", "halted"),
        ("other_id", "halted"),
        ("401", "paused"),
        ("409", "paused"),
    ],
)
def test_what_nobody_expects_stops_everything(world, fault, state):
    """Redirects, other cards and reused keys halt; denied access and odd conflicts pause."""
    one = world(cards=30, canary=30)
    one.fault_rate, one.delete_faults, one.fetch_faults = 1.0, (fault,), ("",)
    assert one.run() == state
    assert sum(one.deletes.values()) <= CONCURRENCY
    finish(one)
    check(one)


def forbid(one, *customers, operations, after_deletes=0):
    """Let some questions about some customers be refused, of all customers where none is named."""
    before = one.answer

    def answer(call):
        if len(one.sent) < after_deletes:
            return before(call)
        if call.operation in operations and call.customer_id in (customers or (call.customer_id,)):
            return Attempt("answered", 403, {}, b"{}", "r", None, "forbidden (403)")
        return before(call)

    one.answer = answer


def test_refusals_without_end_pause_the_campaign(world):
    """A quarter of an hour of nothing but 429 is borne, and not more; applied again, it goes on."""
    one = world(cards=20, canary=2)
    assert one.run() == "held"
    before = one.answer
    one.answer = lambda call: Attempt("answered", 429, {}, b"{}", "r", None, "refused (429)")
    assert one.run(patience=3000.0) == "paused"
    assert "nothing was answered but 429" in one.standing().reason
    one.answer = before
    finish(one)
    assert finals(one) == {"deleted": 20}
    check(one)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("list", "not_attempted"), ("delete", "rejected"), ("fetch", "unresolved")],
)
def test_a_403_of_one_customer_is_about_that_customer(world, operation, expected):
    """A control card still answers, so the campaign goes on; what is said of the card is true."""
    one = world(cards=20, canary=1)
    forbid(one, "c7", operations=[operation])
    assert one.run() == "held"
    assert one.run() == "completed_with_exceptions"
    assert finals(one) == {"deleted": 19, expected: 1}
    check(one)


def test_lists_that_are_refused_one_after_the_other_pause(world):
    """Credentials that may fetch and not list do not use the whole plan up."""
    one = world(cards=60, canary=1)
    assert one.run() == "held"
    forbid(one, operations=["list"])
    assert one.run() == "paused"
    assert "not list them" in one.standing().reason
    assert finals(one)["not_attempted"] <= CONCURRENCY + 5


def test_what_forbids_to_go_on_is_heeded_by_cards_that_wait_for_their_slots(world, monkeypatch):
    """Revoked while the last cards stand in line for the rate limit: none of them is deleted."""
    one = world(cards=12, canary=1)
    assert one.run() == "held"
    one.slot_seconds = 6.0
    revoked_at = one.loop.now + 7.0
    monkeypatch.setattr(
        Watching,
        "may_go_on",
        lambda watching: "revoked" if watching.world.loop.now >= revoked_at else None,
    )
    assert one.run() == "paused"
    assert one.standing().reason == "revoked"
    assert not [at for at, _ in one.sent if at > revoked_at + 1.0]
    assert sum(one.deletes.values()) < 12
    check(one)


def test_a_403_of_a_control_card_is_no_refusal_of_the_account(world):
    """The other one answers."""
    one = world(cards=5, canary=5)
    forbid(one, "k0", operations=["fetch"])
    assert one.run() == "completed"
    check(one)


def test_a_403_of_everybody_pauses(world):
    """No control card answers, so the account is refused: no card ends for that."""
    one = world(cards=60, canary=1)
    assert one.run() == "held"
    forbid(one, operations=["list", "fetch", "delete"], after_deletes=5)
    assert one.run() == "paused"
    assert "403" in one.standing().reason
    assert sum(one.deletes.values()) <= 5 + CONCURRENCY
    assert set(finals(one)) == {"deleted"}


def test_deletes_that_are_refused_one_after_the_other_pause(world):
    """Credentials that may read and not delete cost a few cards, not all of them."""
    one = world(cards=60, canary=1)
    assert one.run() == "held"
    forbid(one, operations=["delete"])
    assert one.run() == "paused"
    assert "not delete them" in one.standing().reason
    assert finals(one)["rejected"] <= CONCURRENCY + 5


def test_garbage_three_times_in_a_row_pauses(world):
    """A captive portal answers everything with 200; that is no outage and no proof."""
    one = world(cards=30, canary=30)
    one.fault_rate, one.fetch_faults = 1.0, ("garbage",)
    assert one.run() == "paused"
    assert "200" in one.standing().reason
    assert not one.deletes


def test_an_outage_pauses_probes_and_goes_on(world):
    """Five failures in a row rest the campaign; a probe that finds the vault back resumes it."""
    one = world(cards=30, canary=30)
    one.fault_rate, one.delete_faults, one.fetch_faults = 1.0, ("500",), ("500",)
    one.loop.call_later(75, lambda: setattr(one, "fault_rate", 0.0))
    assert one.run() == "completed"
    assert finals(one) == {"deleted": 30}
    check(one)


def test_an_outage_without_end_aborts(world):
    """Three failed probes end the campaign; what was never attempted is said to be so."""
    one = world(cards=10, canary=10)
    one.fault_rate, one.delete_faults, one.fetch_faults = 1.0, ("500",), ("500",)
    assert one.run() == "aborted"
    assert finals(one) == {"not_attempted": 10}
    assert not one.deletes


def test_a_wrong_account_finalises_nothing(world):
    """When the controls are gone as well, the account is wrong and no card is gone."""
    one = world(cards=30, canary=30)
    one.wrong_in = 10
    assert one.run() == "paused"
    assert "account looks wrong" in one.standing().reason
    check(one)
    finish(one)
    check(one)


@pytest.mark.parametrize("hides", [True, False])
def test_a_404_that_is_contradicted_proves_nothing(world, hides):
    """Told of every card now that there is none, and now that there is, it believes neither."""
    one = world(cards=12, canary=12, failures_in_row=100, failure_share=1.0)
    one.hides_deleted = hides
    through(one, fault_rate=0.5, delete_faults=("lied", "404", ""), fetch_faults=("404",))
    assert finish(one).is_all_final
    check(one)


def test_a_vault_that_says_both_is_not_asked_for_ever(world):
    """A card that each check misses and each look finds is left alone after its second turn."""
    one = world(cards=1, canary=1)
    one.fetch_faults = ("404",)
    answered = one.answer

    def answer(call):
        one.fault_rate = float(call.customer_id == "c0")
        return answered(call)

    one.answer = answer
    one.run()
    assert finals(one) == {"not_attempted": 1}
    assert [method for _, method, ids in one.wire if ids == ("c0", "card-0")] == ["GET"] * 4
    check(one)


def test_one_lost_control_card_is_no_wrong_account(world):
    """A control card that somebody else deleted is passed over for the next one."""
    one = world(cards=5, canary=5)
    del one.cards["k0", "kept-0"]
    assert one.run() == "completed"
    assert finals(one) == {"deleted": 5}


def test_nothing_leaves_before_a_control_card_was_seen(world):
    """While the first reads of control cards are not answered, no other request is made."""
    one = world(cards=5, canary=5)
    answered, troubles = one.answer, iter(range(4))

    def answer(call):
        is_control = call.customer_id.startswith("k")
        if is_control and next(troubles, None) is not None:
            return Attempt("lost", None, {}, b"", "r", None, "lost")
        return answered(call)

    one.answer = answer
    one.run()
    before = [ids for _, _, ids in one.wire[:5]]
    assert all(customer.startswith("k") for customer, _ in before)
    check(one)


def test_changed_cards_are_left_alone_and_three_stop_the_canary(world):
    """A renewed, a re-issued and a blocked card are drift; the third one stops."""
    one = world(cards=30, canary=30)
    one.cards["c0", "card-0"] = raw_card("c0", "card-0", expires="2031-03")
    one.cards["c1", "card-1"] = raw_card("c1", "card-1", uid="f" * 64)
    one.cards["c2", "card-2"] = raw_card("c2", "card-2", status="INACTIVE")
    assert one.run() == "paused"
    assert finals(one)["skipped_drift"] == 3
    assert not {("c0", "card-0"), ("c1", "card-1"), ("c2", "card-2")} & set(one.deletes)
    check(one)


@pytest.mark.parametrize("change", [{"status": "EXPIRED"}, {"expires": "2031-03"}])
def test_a_card_that_changed_after_an_attempt_is_not_gone(world, change):
    """Another status than INACTIVE, or another expiry, is drift and never a proof."""
    one = world(cards=1, canary=1)
    one.fault_rate, one.delete_faults, one.fetch_faults = 1.0, ("lied",), ("",)

    def change_it(name=None):
        if name == "after_send":
            one.cards["c0", "card-0"] = raw_card("c0", "card-0", **change)

    one.live = change_it
    one.run()
    assert finals(one) == {"drift_after_attempt": 1}
    assert one.deletes["c0", "card-0"] == 1
    check(one)


def test_the_cap_on_rows_holds_at_run_time(world):
    """Once as many cards as the cap were attempted, the rest are not."""
    one = world(cards=20, canary=1, rows=12)
    one.run()
    assert one.run() == "completed_with_exceptions"
    assert finals(one) == {"deleted": 12, "not_attempted": 8}
    zero = finals(one)
    assert zero["deleted"] + zero["not_attempted"] == 20


def test_zero_rows_means_zero(world):
    """A cap of nothing lets nothing through."""
    one = world(cards=3, canary=3, rows=0)
    one.run()
    assert finals(one) == {"not_attempted": 3}
    assert not one.deletes


def test_where_deleted_cards_stay_inactive_they_are_proven_gone(world):
    """INACTIVE after an attempt on an active card is proof, without any control read."""
    one = world(cards=5, canary=5)
    one.hides_deleted = False
    assert one.run() == "completed"
    assert finals(one) == {"deleted": 5}


def test_a_process_that_stood_still_checks_again(world):
    """When the clock has jumped between check and delete, the intent is withdrawn."""
    one = world(cards=1, canary=1)
    jumps = iter([100.0])

    def stand_still(name):
        if name == "after_intent_commit":
            one.wall_ahead += next(jumps, 0.0)

    one.live = lambda name=None: stand_still(name)
    assert one.run() == "completed"
    item = one.standing().items[0]
    assert (item.final, item.intents, item.sends) == ("deleted", 2, 1)
    check(one)


@pytest.mark.parametrize("fault", ["", "applied_then_500", "late", "lost"])
def test_death_at_every_moment_costs_nothing(world, tmp_path, fault):
    """Killed at each step in turn, and again while recovering, it still ends in the truth."""
    for step in range(1, 200):
        folder = tmp_path / str(step)
        folder.mkdir()
        plan, vault = make_plan(cards=2, canary=2)
        one = World(plan, vault, folder)
        one.fault_rate, one.delete_faults, one.fetch_faults = 1.0, (fault,), ("",)
        one.crash_in = step
        one.run(patience=30)
        is_over = one.standing().state != "canary"
        check(one)
        one.crash_in = step % 9 + 1
        one.run()
        check(one)
        assert finish(one).is_all_final
        check(one)
        one.loop.close()
        if is_over:
            return
    raise AssertionError("it never came to its end without dying")


@pytest.mark.parametrize("nth", range(1, 22))
def test_a_full_disk_stops_everything_and_loses_nothing(world, nth):
    """Whichever write fails, nothing is sent that is not written down, and it goes on later."""
    one = world(cards=4, canary=1, settle_seconds=20.0)
    one.full_in = nth
    one.run()
    check(one)
    one.run()
    check(one)
    assert finish(one).is_all_final
    assert finals(one)["deleted"] + finals(one).get("gone_after_attempt", 0) == 4
    check(one)


# -- memory, age, customers, caps, holds ----------------------------------------------------------


def test_with_half_of_the_fetches_failing_for_a_while_all_campaigns_complete(tmp_path):
    """Eight sound campaigns, twenty seconds of trouble each: none halts, each deletes all."""
    for seed in range(8):
        folder = tmp_path / str(seed)
        folder.mkdir()
        one = World(*make_plan(cards=12, per_customer=2), folder)
        one.draws.seed(seed)
        one.fault_rate, one.fetch_faults, one.delete_faults = 0.5, ("500", "lost"), ("",)
        one.loop.call_later(20, lambda one=one: setattr(one, "fault_rate", 0.0))
        for _ in range(4):
            if one.run() == "completed":
                break
            assert one.standing().state in ("held", "paused"), (seed, one.standing().reason)
        check(one)
        assert finals(one) == {"deleted": 12}, seed
        one.loop.close()


def test_a_card_taken_up_and_planned_again_is_met_once(world):
    """Looked at first, then planned again and not answered for: the queue does not meet it too."""
    one = world(cards=120, canary=120, failures_in_row=1000, failure_share=1.0)
    answered, lows = one.answer, {f"c{number}" for number in range(100)}
    one.list_faults, one.fetch_faults, one.delete_faults = ("500",), ("",), ("lied",)
    is_begun, well_at = False, 0.0

    def answer(call):
        is_low = call.customer_id in lows
        if not is_begun:  # the first ones cannot be checked, and nothing comes of the others'
            one.fault_rate = float(call.method == "DELETE" or is_low)
        else:  # the first ones take long, and the others cannot be checked for a while
            is_list = call.operation == "list"
            one.fault_rate = float(is_list and not is_low and one.loop.now < well_at)
            one.takes_seconds = 25.0 if call.method == "DELETE" and is_low else 0.02
        return answered(call)

    one.answer = answer
    assert one.run(patience=12) == "paused"
    assert sum(one.deletes.values()) == 20
    is_begun, well_at = True, one.loop.now + 155
    assert one.run() == "completed"
    check(one)


def test_what_another_campaign_deleted_is_not_already_gone(world):
    """Whoever finds a card gone that another campaign of the account deleted says so."""
    one = world(cards=6, canary=6)
    assert one.run() == "completed"
    later = world(cards=6, canary=6, spares=1, remembered=one.remembered)
    for ids in one.planned:
        later.change(ids)
    assert later.run() == "completed"
    assert finals(later) == {"gone_unattributed": 6}


def test_what_a_probe_found_does_not_prove_what_was_seen_before(world):
    """Cards seen gone before an outage are fetched again after the probe that ends it."""
    one = world(cards=6, canary=6)
    answered, troubled = one.answer, set()

    def answer(call):
        ids = (call.customer_id, call.instrument_id)
        is_first = not one.is_wrong_account and len(one.deletes) == 6 and not troubled
        if is_first and call.method == "GET" and not ids[0].startswith("k"):
            troubled.add(True)
            one.fault_rate, one.fetch_faults = 1.0, ("500",)
            one.loop.call_later(20, lambda: setattr(one, "fault_rate", 0.0))
        return answered(call)

    one.answer = answer
    assert one.run() == "completed"
    assert troubled
    check(one)


def test_the_cards_of_a_customer_go_one_after_another(world):
    """Nothing of a customer is in flight while another card of theirs is decided on."""
    one = world(cards=24, canary=24, per_customer=6)
    assert one.run() == "completed"
    assert finals(one) == {"deleted": 24}
    check(one)


def test_of_two_last_usable_cards_one_is_spared(world):
    """Both are planned and either could go; once one is, the other is the last."""
    one = world(cards=12, canary=12, per_customer=2, expires="2030-01")
    assert one.run() == "completed_with_exceptions"
    assert finals(one) == {"deleted": 6, "not_attempted": 6}
    assert any("last card" in (item.reason or "") for item in one.standing().items)
    check(one)


def test_a_card_removed_since_the_plan_makes_the_other_the_last(world):
    """The spare card that the plan relied on was removed, or blocked, before it was applied."""
    one = world(cards=2, canary=2, spares=2, expires="2030-01")
    one.change(("c0", "spare-0"))
    one.change(("c1", "spare-1"), status="INACTIVE")
    assert one.run() == "completed_with_exceptions"
    assert finals(one) == {"not_attempted": 2}
    assert not one.deletes


def test_a_list_that_still_shows_what_was_deleted_keeps_nobody_able_to_pay(world):
    """A list that lags behind our own delete does not make a second card expendable."""
    one = world(cards=2, canary=2, per_customer=2, expires="2030-01")
    one.fault_rate, one.delete_faults, one.fetch_faults = 1.0, ("",), ("lags",)
    one.run()
    assert sum(one.deletes.values()) == 1
    check(one)


def test_a_card_that_comes_back_is_not_deleted(world):
    """Gone at once and there again three seconds later: it ends as what it is."""
    one = world(cards=1, canary=1, attempts=1)
    card = one.cards["c0", "card-0"]
    removed = one.remove

    def remove(ids):
        removed(ids)
        one.loop.call_later(3, lambda: one.cards.setdefault(ids, card))

    one.remove = remove
    one.run()
    assert finals(one) == {"unresolved": 1}
    check(one)


@pytest.mark.parametrize("how", ["stop", "sleep"])
def test_a_process_that_read_its_answers_late_deletes_nothing_renewed(world, how):
    """Stopped with answers unread, or asleep, while cards are renewed: each is asked for again."""
    for step in range(5, 60, 2):
        one = world(cards=2, canary=2, settle_seconds=0.0)

        def renew_and(one=one):
            for ids in one.planned:
                one.change(ids, expires="2031-01")
            getattr(one, how)(8.0)

        one.plot(step, renew_and)
        one.run(patience=100)
        check(one)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_wall_clock_that_is_set_costs_time_and_nothing_else(world, hours):
    """Set while cards are between check and delete, they are checked again."""
    one = world(cards=6, canary=6)
    one.plot(30, lambda: setattr(one, "wall_ahead", 3600.0 * hours))
    assert one.run() == "completed"
    assert finals(one) == {"deleted": 6}
    check(one)


@pytest.mark.parametrize("how", ["removed", "emptied", "older"])
def test_a_lost_journal_leads_to_a_recovery(world, how):
    """Without it nothing is sent; recovered, what it had deleted is not called already gone."""
    one = world(cards=40, canary=2)
    assert one.run() == "held"
    one.copy_journal()
    one.crash_in = 100
    one.run()
    sent = dict(one.deletes)
    assert 2 < len(sent) < 40
    one.lose_journal(how)
    requests = len(one.wire)
    assert one.run() == "unfit"
    assert len(one.wire) == requests
    one.recover()
    assert one.run() == "completed_with_exceptions"
    assert one.deletes == sent
    known = finals(one)
    assert 0 < known.pop("not_attempted") <= 40 - len(sent)
    assert known["gone_unattributed"] > 0
    assert known.keys() <= {"deleted", "gone_unattributed", "unresolved"}
    check(one)


def test_a_daily_cap_makes_a_campaign_wait(world):
    """Reached, nothing more leaves that day, whatever the wall clock says; then it goes on."""
    one = world(cards=9, canary=9, per_day=4)
    assert one.run(patience=100) == "paused"
    assert sum(one.deletes.values()) == 4
    one.wall_ahead += 2 * 86_400
    one.run(patience=100)
    assert sum(one.deletes.values()) == 4
    assert finish(one).finals["deleted"] == 9
    check(one)


def test_what_other_campaigns_sent_today_is_part_of_the_cap(world):
    """Two campaigns of an account, each with a cap of seven: seven deletes, and no more."""
    one = world(cards=6, canary=6, per_day=7)
    one.run()
    later = world(cards=6, canary=6, per_day=7, spares=1, remembered=one.remembered)
    later.run(patience=100)
    assert sum(later.deletes.values()) == 1


def test_a_card_put_on_hold_meanwhile_is_left_alone(world):
    """A hold that appears while it runs counts from then on."""
    one = world(cards=30, canary=30)
    one.plot(100, lambda: [one.hold_card((f"c{n}", f"card-{n}")) for n in range(20, 30)])
    assert one.run() == "completed_with_exceptions"
    assert finals(one) == {"deleted": 20, "not_attempted": 10}
    check(one)


class Campaigns(RuleBasedStateMachine):
    """Any mix of faults, deaths, drift, other hands and pauses, and then peace."""

    @initialize(
        cards=st.integers(1, 7),
        per_customer=st.integers(1, 3),
        spares=st.integers(0, 3),
        expires=st.sampled_from(["2025-03", "2030-01"]),
        canary=st.integers(1, 2),
        rows=st.integers(0, 8),
        attempts=st.integers(1, 4),
        in_row=st.sampled_from([2, 5, 50]),
        per_day=st.sampled_from([2, 5, 1000]),
        vault_share=st.sampled_from([1.0, 0.5]),
        keeps=st.booleans(),
        hides=st.booleans(),
    )
    def begin(self, *, cards, canary, in_row, keeps, hides, **more):
        self.folder = Path(tempfile.mkdtemp())
        plan, vault = make_plan(
            cards=cards,
            canary=min(cards, canary),
            failures_in_row=in_row,
            failure_share=1.0,
            keep_last_usable=keeps,
            **more,
        )
        self.world = World(plan, vault, self.folder)
        self.world.hides_deleted = hides
        self.theirs = [ids for ids in vault if not ids[0].startswith("k")]

    @rule(
        seed=st.integers(0, 2**32),
        rate=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]),
        deletes=st.lists(st.sampled_from(DELETE_FAULTS), min_size=1, max_size=4),
        fetches=st.lists(st.sampled_from(("", *FETCH_FAULTS)), min_size=1, max_size=2),
        lists=st.lists(st.sampled_from(("", *LIST_FAULTS)), min_size=1, max_size=2),
        crash_in=st.none() | st.integers(1, 60),
        wrong_in=st.none() | st.integers(1, 20),
        patience=st.sampled_from([0.05, 5.0, 200.0]),
        ceases=st.none() | st.just(20.0),
        plots=st.lists(PLOTS, max_size=3),
    )
    def work(self, *, seed, rate, deletes, fetches, lists, ceases, plots, patience, **more):
        world = self.world
        world.draws.seed(seed)
        world.fault_rate, world.delete_faults, world.fetch_faults = rate, deletes, fetches
        world.list_faults = lists
        world.crash_in, world.wrong_in = more["crash_in"], more["wrong_in"]
        for steps, what, seconds, place in plots:
            world.plot(steps, lambda what=what, s=seconds, p=place: self.happen(what, s, p))
        if ceases is not None:
            world.loop.call_later(ceases, lambda: setattr(world, "fault_rate", 0.0))
        world.run(patience=patience)
        world.is_wrong_account = False

    def happen(self, what, seconds, place):
        world, ids = self.world, self.theirs[place % len(self.theirs)]
        match what:
            case "stop":
                world.stop(seconds)
            case "sleep":
                world.sleep(seconds)
            case "clock":
                world.wall_ahead += 3 * 3600.0 * (1 if seconds < 3 else -1)
            case "hold":
                world.hold_card(ids)
            case "copy":
                world.copy_journal()
            case "removed":
                world.change(ids)
            case "expires":
                world.change(ids, expires="2031-01")
            case "uid":
                world.change(ids, uid="e" * 64)
            case status:
                world.change(ids, status=status)

    @rule(
        what=st.sampled_from(["removed", "expires", "uid", "EXPIRED", "INACTIVE", "hold", "copy"]),
        place=st.integers(0, 9),
    )
    def other_hands(self, what, place):
        self.happen(what, 0.0, place)

    @rule(how=st.sampled_from(["removed", "emptied", "older"]))
    def lose_the_journal(self, how):
        self.world.lose_journal(how)

    @rule()
    def recover_it(self):
        self.world.recover()

    @rule(number=st.integers(0, 1))
    def lose_a_control(self, number):
        if number:  # the other one stays, or no absence can ever be proven
            self.world.cards.pop(("k1", "kept-1"), None)

    @rule(
        seconds=st.sampled_from([1.0, 40.0, 4000.0, 90_000.0]),
        wall=st.sampled_from([0.0, 90.0, -90.0, 100_000.0]),
    )
    def time_passes(self, seconds, wall):
        self.world.loop.now += seconds
        self.world.wall_ahead += wall

    @precondition(lambda self: hasattr(self, "world"))
    @rule(crash_in=st.none() | st.integers(1, 30))
    def end_it(self, crash_in):
        self.world.crash_in = crash_in
        if self.world.problem() is None and self.world.standing().state in ("halted", "paused"):
            self.world.run(wants="abort")
        self.world.crash_in = None

    @invariant()
    def promises_hold(self):
        if hasattr(self, "world"):
            check(self.world)

    def teardown(self):
        if hasattr(self, "world"):
            try:
                assert finish(self.world).is_all_final
                check(self.world)
            finally:
                self.world.loop.close()
                shutil.rmtree(self.folder)


Campaigns.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestCampaigns = Campaigns.TestCase
