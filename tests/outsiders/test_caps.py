"""Caps of the account, the lock of the store, and numbers and names that nobody should believe."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest
from driver import FAKETIME
from small_vault import shop
from stories import about, quick, short_and_long

PER_DAY = 6


def beyond(vault, process, deletes):
    """Whether there were more deletes, or none will follow."""
    return len(vault.deletes()) > deletes or not process.running


def slices(stage):
    """Apply three plans of one snapshot where the day's cap allows one and a half of them."""
    networks = ("visa", "mastercard", "rupay", "amex")
    vault = stage.vault(shop(4, networks))
    world = stage.world(vault)
    cap = ("--max-per-day", str(PER_DAY))
    first, second, third = (
        world.plan("--where", f"card_network={network}", *cap) for network in networks[:3]
    )
    world.carry_out(first)
    screens = [world.apply(second).ended(300)]
    world.runs += screens
    waited = []
    jumps = (None, None, "-2d", "+25h") if FAKETIME else (None, None)
    for plan, jump in zip((second, third, third, third), jumps, strict=False):
        if jump:
            world.clock.write_text(jump + "\n")
        process = world.apply(plan, faked=jump is not None)
        process.saw(r"> delete", 60)  # the phrase has been typed
        vault.wait_until(partial(beyond, vault, process, PER_DAY - 1), 90 if plan is second else 0)
        vault.wait_until(partial(beyond, vault, process, PER_DAY), 10)
        waits = process.running
        if waits:
            process.interrupt()
        ran = process.ended(300)
        world.runs.append(ran)
        waited.append(SimpleNamespace(waits=waits, ran=ran, deletes=len(vault.deletes())))
    return SimpleNamespace(**locals())


@about(slices)
def test_the_cap_of_a_day_holds_across_plans(told):
    """Slices of one snapshot share the account's day: no delete leaves beyond its cap."""
    assert len(told.vault.deletes()) == PER_DAY


@about(slices)
def test_a_reached_cap_of_a_day_waits(told):
    """A campaign that has reached the day's cap waits; it neither fails nor ends."""
    assert told.waited[0].waits
    assert told.waited[0].ran.code == 130
    assert told.waited[1].waits


@pytest.mark.skipif(FAKETIME is None, reason="needs Debian's package faketime")
@about(slices)
def test_a_clock_put_back_or_on_frees_no_deletes(told):
    """Two days back or 25 hours on, the clock of the machine does not make room in a day."""
    assert [one.deletes for one in told.waited] == [PER_DAY] * 4


def two_folders(stage):
    """Apply one plan of one store twice at once, under two folders of settings."""
    vault = stage.vault(shop(6))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    other = world.folder / "other-config"
    shutil.copytree(world.config, other)
    gate = vault.hold("list", "fetch")
    winner = world.apply(plan)
    at_work = gate.wait_for(1, 120)
    second = world.begin("cleanup", "apply", plan.path, config=other)
    vault.wait_until(lambda: not second.running, 30)
    raced = second.running
    if raced:
        second.kill()
    loser = second.ended(10)
    world.runs.append(loser)
    gate.open()
    won = winner.ended(300)
    world.runs.append(won)
    return SimpleNamespace(**locals())


@about(two_folders)
def test_the_loser_of_a_race_is_told_so(told):
    """The second process at one campaign ends with 75, and the first one is not disturbed."""
    assert told.at_work
    assert not told.raced, "two processes work on one campaign"
    assert told.loser.code == 75, told.loser.text
    assert "damaged" not in told.loser.text
    assert told.won.code == 3, told.won.text


@quick
def a_snapshot(stage):
    """Collect a vault that some cards may be planned of."""
    vault = stage.vault(shop(6))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa", planner="asha")
    return SimpleNamespace(vault=vault, world=world, plan=plan)


@about(a_snapshot)
def test_what_is_on_hold_is_not_planned(told, tmp_path):
    """Customers and cards of a hold list are left out of a plan."""
    customers, cards = tmp_path / "customers.txt", tmp_path / "cards.csv"
    customers.write_text("cust_00\n")
    cards.write_text("customer_id,instrument_id\ncust_01,visa-cust_01\ncust_02,another\n")
    held = ("--hold", str(customers), "--hold", str(cards))
    plan = told.world.plan("--where", "card_network=visa", *held)
    assert sorted(plan.instruments) == [f"visa-cust_0{number}" for number in range(2, 6)]


HUGE = "1" + "0" * 40
NUMBERS = [
    ("--max-age", "1e300"),
    ("--max-age", "nan"),
    ("--max-age", "inf"),
    ("--max-age", "-1"),
    ("--max-cards", HUGE),
    ("--max-vault-share", "nan"),
    ("--max-vault-share", "1e300"),
    ("--max-bank-share", "-0.5"),
    ("--max-per-customer", HUGE),
    ("--share", "1e300"),
    ("--share", "nan"),
    ("--expired-for", HUGE),
]


@pytest.mark.parametrize(("option", "number"), short_and_long(NUMBERS, 6))
@about(a_snapshot)
def test_absurd_numbers_are_refused_by_a_sentence(told, option, number):
    """A number that no guard rail can mean is wrong usage, not a plan and not a traceback."""
    ran = told.world.run(
        "cleanup", "plan", "latest", "--where", "card_network=visa", option, number
    )
    assert ran.code in {2, 4}, ran.text
    assert "Traceback" not in ran.text
    assert "OverflowError" not in ran.text


LIMITS = """
import itertools, sys
import tokenvault_data as tv
snapshot = tv.open_snapshot(sys.argv[1], "latest")
names = ["plan_hours", "approval_hours", "snapshot_hours", "settle_seconds", "evidence_seconds"]
for name, number in itertools.product(names, ["1e300", "inf", "nan", "-1e300"]):
    try:
        limits = tv.Limits(**{name: float(number)})
        tv.plan_cleanup(snapshot, tv.expired("2026-01-01"), limits=limits)
    except Exception as error:
        print(name, number, type(error).__module__.partition(".")[0], type(error).__name__)
    else:
        print(name, number, "accepted")
"""


@about(a_snapshot)
def test_absurd_limits_are_refused_in_python_too(told):
    """From Python as well: an error of the toolkit's own, never a bare `OverflowError`."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITS, str(told.world.store)],
        capture_output=True,
        text=True,
        check=False,
        env=told.world.env(),
    )
    assert len(done.stdout.splitlines()) == 20, done.stderr
    assert [line for line in done.stdout.splitlines() if "tokenvault_data" not in line] == []


LOOK_ALIKES = ["Asha", "ASHA", "\uff41\uff53\uff48\uff41", "\u0430sha", "asha\u200b", "a\u017fha"]


@pytest.mark.parametrize("name", LOOK_ALIKES, ids=ascii)
@about(a_snapshot)
def test_a_look_alike_of_the_planner_cannot_approve(told, name, tmp_path):
    """Whoever only looks like another person than the planner is refused as an approver."""
    config = tmp_path / "config"
    config.mkdir()
    made = told.world.run("cleanup", "keygen", name, "--json", config=config)
    if made.code == 0:
        approved = told.world.approve(told.plan.id, name, config=config)
        assert approved.code == 4, approved.text
    else:
        assert made.code in {2, 4}, made.text
    assert not list(told.plan.folder.glob("approval-*"))
