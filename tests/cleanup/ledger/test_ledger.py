"""What was sent for an account, whatever becomes of clocks, journals and one of two files."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.ledger import ledger as ledger_module
from tokenvault_data.cleanup.ledger.ledger import (
    DAY_SECONDS,
    DayUse,
    Ledger,
    Mark,
    account_name,
    ledger_folder,
    used_today,
)
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.errors import CampaignHalted, Locked

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
HOUR = 3600.0
CAPS = Limits(per_day=3, vault_share=1.0)


class Machine:
    """A machine with a wall clock that can be set, and a store."""

    def __init__(self, folder):
        self.config, self.store = folder / "config", folder / "store"
        self.boot_id, self.boot, self.wall = "boot-1", 500.0, 0.0

    def clock(self):
        return Clock(
            now=lambda: START + timedelta(seconds=self.wall),
            monotonic=lambda: self.boot,
            boot=lambda: self.boot,
        )

    def passes(self, seconds):
        self.boot += seconds
        self.wall += seconds

    def restarts(self, seconds=0.0):
        self.wall += seconds
        self.boot, self.boot_id = 1.0, f"{self.boot_id}-again"

    def places(self, store=None):
        return {"store": store or self.store, "config_dir": self.config, "clock": self.clock()}

    def open(self, store=None):
        ledger_module.boot_id = lambda: self.boot_id
        return Ledger.open("emulator", "abc", **self.places(store))

    def read(self, store=None):
        ledger_module.boot_id = lambda: self.boot_id
        return Ledger.read("emulator", "abc", **self.places(store))

    def sends(self, *cards, campaign="plan", store=None, instance="", mark=Mark(5, "h")):  # noqa: B008  frozen
        with self.open(store) as ledger:
            for card in cards:
                attempt = f"{campaign}-{card}-{self.boot_id}-{self.boot}"
                ledger.intents(campaign, instance, [("customer", card, attempt)], mark)
        return attempt

    def use(self, instance="", store=None):
        return self.read(store).use(instance)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_module, "boot_id", ledger_module.boot_id)
    return Machine(tmp_path)


def room(ledger, card="new", caps=CAPS, vault_cards=100, **more):
    return ledger.seconds_until_room("customer", card, "", caps, vault_cards, **more)


def test_what_was_sent_is_remembered_in_both_places(machine):
    """By an account's file below the settings, and by a copy in the store."""
    machine.sends("a", "b")
    name = f"{account_name('emulator', 'abc')}.jsonl"
    home = machine.config / "ledger" / name
    assert home.read_bytes() == (machine.store / "ledger" / name).read_bytes()
    assert machine.use() == DayUse(2, 2)


def test_real_accounts_are_remembered_where_no_variable_leads(tmp_path, monkeypatch):
    """Below the home that the user database names; only emulators follow the settings."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    for name in ("HOME", "TOKENVAULT_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for environment in ("production", "sandbox"):
        folder = ledger_folder(environment, tmp_path)
        assert str(folder) == f"{home}/.local/state/tokenvault-data/ledger"
    assert ledger_folder("emulator") == tmp_path / "ledger"


def test_accounts_are_kept_apart(machine):
    """Another merchant, or environment, is another file."""
    names = {account_name(*one) for one in (("a", "x"), ("a", "y"), ("b", "x"), ("a", None))}
    assert len(names) == 4
    machine.sends("a")
    assert Ledger.read("emulator", "other", **machine.places()).use("") == DayUse(0, 0)
    assert Ledger.read("sandbox", "abc", **machine.places()).use("") == DayUse(0, 0)


@pytest.mark.parametrize("lost", ["config", "store"])
def test_one_file_makes_up_for_the_other(machine, lost):
    """A lost file is begun again, with the key of the other; nothing is forgotten."""
    attempt = machine.sends("a")
    shutil.rmtree(getattr(machine, lost))
    machine.sends("b")
    ledger = machine.read()
    assert ledger.use("") == DayUse(2, 2)
    assert ledger.attempt_on("customer", "a", "").attempt == attempt
    assert len(ledger.hashes("customer", "a")) == 1


def test_damage_of_either_file_halts(machine):
    """The other one is not taken for the whole truth."""
    machine.sends("a", "b")
    for folder in (machine.config, machine.store):
        (path,) = (folder / "ledger").glob("*.jsonl")
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"plan", b"plum"))
        with pytest.raises(CampaignHalted, match="damaged"):
            machine.read()
        path.write_bytes(whole)
    assert machine.use() == DayUse(2, 2)


def test_two_processes_do_not_add_at_once(machine):
    """The second is told so, from whichever store it comes; who only reads is not held up."""
    with machine.open():
        for store in (machine.store, machine.store.with_name("other")):
            with pytest.raises(Locked):
                machine.open(store)
        assert machine.use() == DayUse(0, 0)
    machine.sends("a", store=machine.store.with_name("other"))
    assert machine.use() == DayUse(1, 1)


_HOLD = """
import sys
from pathlib import Path
from tokenvault_data.cleanup.ledger.ledger import Ledger
kept = Ledger.open("emulator", "abc", store=Path(sys.argv[1]), config_dir=Path(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_store_that_is_taken_lets_the_account_go(machine):
    """What was opened first is closed when the second file is locked."""
    other = machine.store.with_name("other")
    command = [sys.executable, "-c", _HOLD, str(machine.store), str(machine.config.parent / "c2")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked):
            machine.open()
        machine.sends("a", store=other)
        holder.kill()


# Daily caps


def test_sends_of_all_campaigns_count(machine):
    """In doubt or not, and several of one card each for itself; the card counts once."""
    machine.sends("a", "b", campaign="one")
    machine.passes(60)
    machine.sends("a", campaign="two")
    ledger = machine.read()
    assert ledger.use("") == DayUse(3, 2)
    assert room(ledger) == pytest.approx(DAY_SECONDS - 60)
    assert room(ledger, caps=Limits(per_day=4, vault_share=1.0)) == 0


def test_one_either_side_of_each_cap(machine):
    """Deletes, and different cards: a share of the vault, of which parts do not count."""
    machine.sends("a", "b")
    ledger = machine.read()

    def may(card, per_day, share, vault):
        return room(ledger, card, Limits(per_day=per_day, vault_share=share), vault) == 0

    assert [may("c", cap, 1.0, 100) for cap in (2, 3)] == [False, True]
    assert [may("c", 10, 0.03, vault) for vault in (99, 100)] == [False, True]
    assert [may("a", 10, 0.02, vault) for vault in (99, 100)] == [False, True]
    assert [may("c", 10, share, 10**6) for share in (0.0, 0.000002, 0.000003)] == [
        False,
        False,
        True,
    ]
    assert not may("c", 0, 1.0, 100)


def test_a_day_is_over_after_24_hours_of_the_ledgers_time(machine):
    """Not a second earlier."""
    machine.sends("a")
    machine.passes(DAY_SECONDS - 1)
    assert machine.use() == DayUse(1, 1)
    assert room(machine.read(), caps=Limits(per_day=1)) == pytest.approx(1.0)
    machine.passes(1)
    assert machine.use() == DayUse(0, 0)


@pytest.mark.parametrize("jump", [-30 * HOUR, -HOUR, HOUR, 30 * HOUR, 9000 * HOUR])
def test_setting_the_clock_frees_nothing(machine, jump):
    """Put on or back by any time, before a send or after it, also across processes."""
    machine.sends("a")
    machine.wall += jump
    machine.passes(HOUR)
    machine.sends("b")
    machine.wall -= 2 * jump
    assert machine.use() == DayUse(2, 2)
    assert room(machine.read(), caps=Limits(per_day=2, vault_share=1.0)) == pytest.approx(
        DAY_SECONDS - HOUR
    )
    machine.passes(DAY_SECONDS - HOUR)
    assert machine.use() == DayUse(1, 1)


def test_over_a_restart_the_wall_clock_counts_and_never_backwards(machine):
    """Ten hours off are ten hours; put back by a year meanwhile, no time has passed."""
    machine.sends("a")
    machine.restarts(10 * HOUR)
    assert room(machine.read(), caps=Limits(per_day=1)) == pytest.approx(14 * HOUR)
    machine.sends("b")
    machine.restarts(-9000 * HOUR)
    ledger = machine.read()
    assert ledger.use("") == DayUse(2, 2)
    assert ledger.now() == pytest.approx(10 * HOUR)
    machine.sends("c")
    machine.passes(13 * HOUR)
    assert machine.use() == DayUse(3, 3)
    machine.passes(1 * HOUR)
    assert machine.use() == DayUse(2, 2)


def test_where_the_machine_does_not_say_when_it_started(machine):
    """The wall clock counts, and put back it frees nothing."""
    machine.boot_id = ""
    machine.sends("a")
    machine.wall -= 30 * HOUR
    machine.sends("b")
    machine.wall += 23 * HOUR
    assert machine.use() == DayUse(2, 2)


def test_another_emulator_is_another_account(machine):
    """Each forgets everything when it ends, so its deletes are none of the next one's."""
    machine.sends("a", "b", instance="one")
    machine.passes(1)
    machine.sends("c", instance="two")
    ledger = machine.read()
    assert [ledger.use(one) for one in ("one", "two", "")] == [(2, 2), (1, 1), (0, 0)]
    assert ledger.use(None) == DayUse(1, 1)
    assert ledger.attempt_on("customer", "a", "one") is not None
    assert ledger.attempt_on("customer", "a", "two") is None


def test_what_was_sent_today_can_be_asked_for(tmp_path):
    """With the clocks of the system; of emulators, the one that was used last."""
    places = {"store": tmp_path / "store", "config_dir": tmp_path}
    assert used_today("emulator", None, **places) == DayUse(0, 0)
    with Ledger.open("emulator", None, **places) as ledger:
        ledger.intents("plan", "one", [("c", "i", "a"), ("c", "i", "b")], Mark(5, "h"))
    assert used_today("emulator", None, **places) == DayUse(2, 1)
    assert not (tmp_path / "other").exists()
    assert used_today("emulator", None, store=tmp_path / "other", config_dir=tmp_path).sends == 2
    assert not (tmp_path / "other").exists()


def test_what_was_surely_not_sent_does_not_count(machine):
    """Withdrawn it takes no room, and nobody attempted the card."""
    attempt = machine.sends("a")
    with machine.open() as ledger:
        ledger.withdrawn("plan", "", [attempt], Mark(7, "w"))
        assert ledger.use("") == DayUse(0, 0)
    ledger = machine.read()
    assert ledger.use("") == DayUse(0, 0)
    assert ledger.attempt_on("customer", "a", "") is None
    assert ledger.attempts_of("plan") == {}
    assert ledger.mark("plan") == Mark(7, "w")


def test_what_is_about_to_be_written_down_takes_room_for_a_moment(machine):
    """Others wait a second and no day, since it may not be sent; a card that counts adds none."""
    machine.sends("a", "b")
    ledger, about = machine.read(), [("customer", "x")]
    assert room(ledger, also=about) == 1.0
    assert room(ledger, caps=Limits(per_day=4, vault_share=1.0), also=about) == 0
    shares = Limits(per_day=10, vault_share=0.03)
    assert room(ledger, caps=shares, also=about) == 1.0
    assert room(ledger, caps=shares, also=[("customer", "a")]) == 0
    assert room(ledger, caps=Limits(per_day=2, vault_share=1.0), also=about) > 23 * HOUR


def test_ledgers_with_times_of_their_own_are_read_on_one_scale(machine):
    """What a store's copy holds of another machine counts by how long ago it was."""
    theirs = Machine(machine.store.with_name("theirs"))
    theirs.store, theirs.boot_id = machine.store, "elsewhere"
    theirs.sends("a", "b")
    theirs.passes(HOUR)
    machine.wall = theirs.wall - 300 * HOUR
    machine.sends("z", store=machine.store.with_name("other"))
    machine.passes(300 * HOUR)
    assert machine.use() == DayUse(2, 2)
    machine.sends("c")
    assert machine.use() == DayUse(3, 3)
    assert room(machine.read()) == pytest.approx(23 * HOUR)
    theirs.passes(HOUR)
    assert theirs.use() == DayUse(3, 3)
    machine.passes(23 * HOUR)
    assert machine.use() == DayUse(1, 1)


# Campaigns and their journals


def test_marks_move_on_and_begin_anew_with_a_recovery(machine):
    """The furthest record counts, until a recovery says where the history starts again."""
    assert machine.read().mark("plan") is None
    with machine.open() as ledger:
        ledger.opened("plan")
    assert machine.read().mark("plan") == Mark(0, "")
    machine.sends("a", mark=Mark(9, "nine"))
    machine.sends("b", mark=Mark(12, "twelve"))
    machine.sends("c", campaign="other", mark=Mark(40, "other"))
    assert machine.read().mark("plan") == Mark(12, "twelve")
    with machine.open() as ledger:
        ledger.recovered("plan", Mark(3, "three"))
        assert ledger.mark("plan") == Mark(3, "three")
    assert machine.read().mark("plan") == Mark(3, "three")
    machine.sends("d", mark=Mark(6, "six"))
    assert machine.read().mark("plan") == Mark(6, "six")
    assert machine.read().mark("other") == Mark(40, "other")


def test_attempts_of_a_campaign_survive_its_recovery(machine):
    """They are what a recovery asks for, in which file ever they are."""
    first = machine.sends("a")
    shutil.rmtree(machine.store)
    second = machine.sends("b")
    machine.sends("c", campaign="other")
    ledger = machine.read()
    assert set(ledger.attempts_of("plan")) == {first, second}
    (card,) = ledger.hashes("customer", "a")
    assert ledger.attempts_of("plan")[first] == card
    assert ledger.attempt(first).campaign == "plan"
    with pytest.raises(KeyError):
        ledger.attempt("unknown")


def test_the_last_attempt_on_a_card_is_found(machine):
    """By any campaign, or of the last hours only."""
    machine.sends("a", campaign="one")
    machine.passes(2 * HOUR)
    ledger = machine.read()
    assert ledger.attempt_on("customer", "a", "").campaign == "one"
    assert ledger.attempt_on("customer", "a", "", within_seconds=HOUR) is None
    assert ledger.attempt_on("customer", "a", "", within_seconds=3 * HOUR) is not None
    assert ledger.attempt_on("customer-", "a", "") is None
    machine.sends("a", campaign="two")
    assert machine.read().attempt_on("customer", "a", "").campaign == "two"


def test_a_crash_between_the_two_files_forgets_nothing(machine):
    """What only one of them has counts once, as what both have does."""
    machine.sends("a")
    (copy,) = (machine.store / "ledger").glob("*.jsonl")
    before = copy.read_bytes()
    machine.passes(5)
    machine.sends("b")
    copy.write_bytes(before)
    assert machine.use() == DayUse(2, 2)
    machine.sends("c")
    assert machine.use() == DayUse(3, 3)


class Account(RuleBasedStateMachine):
    """The ledger of an account beside a list of all that was sent and when."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.boot_id = ledger_module.boot_id
        self.machine = Machine(self.folder)
        self.sent = []  # attempts, cards and times by a clock that nobody sets
        self.lost = None
        self.number = 0

    def teardown(self):
        ledger_module.boot_id = self.boot_id
        shutil.rmtree(self.folder)

    def counted(self, at):
        return [(card, when) for _, card, when in self.sent if when > at - DAY_SECONDS]

    @rule(cards=st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True))
    def send(self, cards):
        attempts = [("customer", card, f"{self.number}-{card}") for card in cards]
        self.number += 1
        with self.machine.open() as ledger:
            ledger.intents("plan", "", attempts, Mark(self.number, "h"))
        self.sent += [(attempt, card, self.machine.boot) for _, card, attempt in attempts]

    @rule()
    def send_elsewhere(self):
        self.machine.sends("a", "x", "y", "z", instance="another")

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def withdraw(self, data):
        one = data.draw(st.sampled_from(self.sent))
        with self.machine.open() as ledger:
            ledger.withdrawn("plan", "", [one[0]], Mark(self.number, "h"))
        self.sent.remove(one)

    @rule(seconds=st.sampled_from([0, 1, 3600, 40_000, 86_399, 86_400, 86_401]))
    def wait(self, seconds):
        self.machine.passes(float(seconds))

    @rule(seconds=st.integers(-200_000, 200_000))
    def set_the_clock(self, seconds):
        self.machine.wall += seconds

    @rule(lost=st.sampled_from(["config", "store"]))
    def lose(self, lost):
        if self.lost in (None, lost):  # both cannot be made up for
            self.lost = lost
            shutil.rmtree(getattr(self.machine, lost), ignore_errors=True)

    @rule(
        card=st.sampled_from("abcdef"),
        per_day=st.integers(1, 6),
        share=st.sampled_from([0.01, 0.02, 0.029, 0.03, 0.05]),
    )
    def ask_for_room(self, card, per_day, share):
        caps = Limits(per_day=per_day, vault_share=share)
        found = room(self.machine.read(), card, caps)
        now, allowed = self.machine.boot, floor(Fraction(str(share)) * 100)
        for wait in sorted({0.0, *(at + DAY_SECONDS - now for _, _, at in self.sent)}):
            counted = self.counted(now + wait)
            cards = {one for one, _ in counted} - {card}
            if wait >= 0 and len(counted) + 1 <= per_day and len(cards) + 1 <= allowed:
                assert found == pytest.approx(wait, abs=0.01)
                return
        raise AssertionError("a day later there is always room")

    @invariant()
    def counts_what_was_sent(self):
        counted = self.counted(self.machine.boot)
        assert self.machine.use() == DayUse(len(counted), len({card for card, _ in counted}))


TestAccount = Account.TestCase
TestAccount.settings = settings(
    max_examples=15, stateful_step_count=20, suppress_health_check=list(HealthCheck)
)
