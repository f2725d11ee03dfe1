"""The engine against a simulated vault: faults, drift, other hands, and death at any moment."""

import shutil
import tempfile
from pathlib import Path

import pytest
from campaign_simulation import (
    DELETE_FAULTS,
    FETCH_FAULTS,
    World,
    check,
    finish,
    make_plan,
    raw_card,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tokenvault_data.cleanup.engine import CONCURRENCY
from tokenvault_data.vault_api.attempts import Attempt


@pytest.fixture
def world(tmp_path):
    made = []

    def make(**settings):
        plan, vault = make_plan(**settings)
        made.append(World(plan, vault, tmp_path))
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
    one = world(cards=4, canary=1)
    one.full_in = nth
    one.run()
    check(one)
    one.run()
    check(one)
    assert finish(one).is_all_final
    assert finals(one)["deleted"] + finals(one).get("gone_after_attempt", 0) == 4
    check(one)


class Campaigns(RuleBasedStateMachine):
    """Any mix of faults, deaths, drift, other hands and pauses, and then peace."""

    @initialize(
        cards=st.integers(1, 7),
        canary=st.integers(1, 2),
        rows=st.integers(0, 8),
        attempts=st.integers(1, 4),
        in_row=st.sampled_from([2, 5, 50]),
        hides=st.booleans(),
    )
    def begin(self, *, cards, canary, rows, attempts, in_row, hides):
        self.folder = Path(tempfile.mkdtemp())
        plan, vault = make_plan(
            cards=cards,
            canary=min(cards, canary),
            rows=rows,
            attempts=attempts,
            failures_in_row=in_row,
            failure_share=1.0,
        )
        self.world = World(plan, vault, self.folder)
        self.world.hides_deleted = hides

    @rule(
        seed=st.integers(0, 2**32),
        rate=st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0]),
        deletes=st.lists(st.sampled_from(DELETE_FAULTS), min_size=1, max_size=4),
        fetches=st.lists(st.sampled_from(("", *FETCH_FAULTS)), min_size=1, max_size=2),
        crash_in=st.none() | st.integers(1, 60),
        wrong_in=st.none() | st.integers(1, 20),
        patience=st.sampled_from([0.05, 5.0, 200.0]),
    )
    def work(self, *, seed, rate, deletes, fetches, crash_in, wrong_in, patience):
        world = self.world
        world.draws.seed(seed)
        world.fault_rate, world.delete_faults, world.fetch_faults = rate, deletes, fetches
        world.crash_in, world.wrong_in = crash_in, wrong_in
        world.run(patience=patience)
        world.is_wrong_account = False

    @rule(number=st.integers(0, 6), how=st.sampled_from(["expiry", "uid", "status", "deleted"]))
    def other_hands(self, number, how):
        ids = (f"c{number}", f"card-{number}")
        if ids not in self.world.cards:
            return
        if how == "deleted":
            del self.world.cards[ids]
            return
        change = {"expiry": {"expires": "2031-01"}, "uid": {"uid": "e" * 64}}
        changed = raw_card(*ids, **change.get(how, {"status": "EXPIRED"}))
        if not self.world.is_gone(ids):
            self.world.cards[ids] = changed

    @rule(number=st.integers(0, 1))
    def lose_a_control(self, number):
        if number:  # the other one stays, or no absence can ever be proven
            self.world.cards.pop(("k1", "kept-1"), None)

    @rule(seconds=st.sampled_from([1.0, 40.0, 4000.0]), wall=st.sampled_from([0.0, 90.0, -90.0]))
    def time_passes(self, seconds, wall):
        self.world.loop.now += seconds
        self.world.wall_ahead += wall

    @precondition(lambda self: hasattr(self, "world"))
    @rule(crash_in=st.none() | st.integers(1, 30))
    def end_it(self, crash_in):
        self.world.crash_in = crash_in
        if self.world.standing().state in ("halted", "paused"):
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
    max_examples=60,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestCampaigns = Campaigns.TestCase
