"""SIGKILL at every step and with every answer to a delete; the server's own log is the witness."""

import random
import shutil
from collections import Counter

import pytest
from cleanup_mortals import CRASH_POINTS, mortal, zygote

ANSWERS = {
    "200": "",
    "200 that lied": "unapplied@delete#first=2",
    "applied late": "late=0.3@delete#first=2",
    "applied, then 500": "applied-then-500@delete#first=2",
    "500 that is replayed": "500@delete#first=2",
    "reset before the answer": "reset-before@delete#first=2",
    "applied, then reset": "applied-then-reset-before@delete#first=2",
    "reset in the middle": "reset-inside@delete#first=2",
    "HTML": "garbage@delete#first=1",
    "applied, then HTML": "applied-then-garbage@delete#first=1",
    "404": "404@delete#first=2",
    "409": "409@delete#first=2",
    "a storm of 429": "429@delete#first=2;limit-headers=nan",
    "timeout": "hang@delete#first=1",
    "timeout, and applied": "applied-then-hang@delete#first=1",
}
BY_DEFAULT = {"applied, then 500"}
"""An answer that is not clear; `make chaos` has all of them."""


@pytest.fixture(scope="module")
def forked_from():
    with zygote() as made:
        yield made


@pytest.mark.parametrize(
    "answer",
    [
        name if name in BY_DEFAULT else pytest.param(name, marks=pytest.mark.chaos)
        for name in ANSWERS
    ],
)
def test_killed_at_every_step_whatever_deletes_were_answered(forked_from, tmp_path, answer):
    """Killed at each named moment in turn, nothing is lost, sent twice, or called gone wrongly."""
    with mortal(forked_from, tmp_path, more={"timeout_seconds": 0.3}) as one:
        one.emulator.set_faults(ANSWERS[answer])
        missed = []
        for at in CRASH_POINTS:
            if not one.run_until_killed(at):
                missed.append(at)
            assert not one.found(), at
        one.finish()
        assert not one.found(is_over=True)
        assert not missed
        assert one.kills == len(CRASH_POINTS)


@pytest.mark.parametrize(
    "answer",
    ["applied, then 500", *(pytest.param(n, marks=pytest.mark.chaos) for n in ("200", "404"))],
)
def test_killed_while_it_recovers(forked_from, tmp_path, answer):
    """Killed right after a send, then while taking that up, again and again: once more, no loss."""
    with mortal(forked_from, tmp_path) as one:
        one.emulator.set_faults(ANSWERS[answer])
        for at in ("after_intent_commit", "before_outcome_commit", "before_verify"):
            assert one.run_until_killed(at)
            for nth in (1, 2, 1):
                assert one.run_until_killed("in_recovery", nth=nth, tries=1)
                assert not one.found()
        one.finish()
        assert not one.found(is_over=True)


@pytest.mark.parametrize("has_attempts", [False, True])
def test_killed_while_it_is_aborted(forked_from, tmp_path, has_attempts):
    """An abort that dies, its last record included, is taken up again and sends no delete."""
    with mortal(forked_from, tmp_path) as one:
        one.emulator.set_faults("applied-then-500@delete")
        assert one.run_until_killed("after_send" if has_attempts else "before_check")
        sent = one.deletes()
        ats = ("in_recovery", "before_verify", "before_final_commit", "after_final_commit")
        for at in ats if has_attempts else ("in_recovery",):
            assert one.run_until_killed(at, abort=True, tries=1)
        assert one.run_until_killed("in_recovery", nth=2, abort=True, tries=1)
        assert not one.found()
        answer = one.finish(abort=True)
        assert answer["state"] == "aborted"
        assert one.deletes() == sent
        assert answer["finals"]["not_attempted"] > 0
        assert not one.found(is_over=True)


@pytest.mark.parametrize("after_delete", ["gone", "inactive"])
def test_an_untrue_404_is_never_believed(forked_from, tmp_path, after_delete):
    """Fetches of cards that are there answer 404, half of all that may: none is called gone."""
    with mortal(forked_from, tmp_path, customers=40, after_delete=after_delete) as one:
        for deletes in ("404:0.5@delete", "unapplied:0.5@delete"):
            one.emulator.set_faults(f"{deletes};404:0.5@fetch#apart")
            one.run(kill_after_seconds=2.0)
            assert not one.found(deleted_stay_inactive=after_delete == "inactive")
        one.finish()
        assert not one.found(is_over=True, deleted_stay_inactive=after_delete == "inactive")


def test_a_copy_of_a_killed_campaign_sends_nothing_again(forked_from, tmp_path):
    """A copied folder is behind what the account's ledger remembers: it only reads."""
    with mortal(forked_from, tmp_path / "first") as one:
        one.more["config"] = str(tmp_path / "config")
        assert one.run_until_killed("after_outcome_commit", nth=3)
        shutil.copytree(one.store, tmp_path / "second")
        one.finish()
        assert not one.found(is_over=True)
        sent = one.deletes()
        one.more["store"] = str(tmp_path / "second")
        one.more["plan"] = str(tmp_path / "second" / "campaigns" / one.plan.id)
        assert one.run()["error"] == "CampaignHalted"
        assert one.run(abort=True)["error"] == "CampaignHalted"
        answer = one.run(recover=True)
        assert one.deletes() == sent
        assert set(answer["finals"]) == {"deleted", "gone_unattributed"}
        assert sum(answer["finals"].values()) == len(one.ids)


FAULTS = (
    "",
    "unapplied:0.3@delete",
    "applied-then-500:0.4@delete;500:0.2@delete",
    "reset-before:0.2;reset-inside:0.1",
    "applied-then-reset-before:0.4@delete;truncated:0.1@fetch",
    "garbage:0.1@delete;cut:0.1@fetch",
    "404:0.2@delete;404:0.2@fetch#apart",  # untrue ones, of one card never two in a row
    "409:0.1@delete;503:0.1*4",
    "429=1:0.1*5;limit-headers=negative",
    "hang:0.05@delete;late=0.2:0.5@delete",
    "401:0.01;drip=0.1:0.2",
    "redirect-307:0.02@delete;applied-then-204:0.2@delete",
)
QUICK_FAULTS = FAULTS[:6]
"""Those whose end no client has to wait for."""
WHIMS = 40
LOSSES = 0.4
"""Of campaigns that are not over when nobody is killed any more, how many lose their journal."""


def at_whim(draws):
    """Draw what befalls the next child, and how it dies: at a named moment that is soon, or any."""
    if draws.random() < 0.1:  # stopped for so long that no list read before counts any more
        stop = {"at": draws.choice(CRASH_POINTS[:5]), "stop_seconds": 4.5}
        return {**stop, "kill_after_seconds": 6.0}
    if draws.random() < 0.1:  # set right again once it has died
        return {
            "at": draws.choice(CRASH_POINTS[:5]),
            "wall_step_seconds": draws.choice([-3, 3]) * 3600.0,
            "kill_after_seconds": 0.5,
            "may_fail": True,
        }
    if draws.random() < 0.4:
        at, nth = draws.choice(CRASH_POINTS), draws.randint(1, 8)
        return {"at": at, "nth": nth, "kill_after_seconds": 4.0}
    return {"kill_after_seconds": draws.expovariate(6.0)}


def recovered_from(one, how, older):
    """Lose the journal, and let somebody find out: nothing is sent but what reads."""
    sent = one.deletes()
    one.emulator.set_faults("")
    one.lose_journal(how, older)
    answer = one.run(abort=True, may_fail=True)
    if answer.get("error") not in ("CampaignHalted", "UsageError"):
        one.finish(abort=True)  # nothing was sent since, or nothing at all
        return []
    found = []
    if answer["error"] == "UsageError":
        if sent:
            found.append("P10: nobody remembers what was sent")
        one.finish(abort=False)
        return found
    one.run(recover=True, at="in_recovery")
    if not one.is_over():  # a death in the last step of a recovery leaves nothing to do
        one.finish(recover=True)
    if one.deletes() != sent:
        found.append("P10: something was sent though the journal was lost")
    return found


def killed_at_whim(forked_from, place, draws, kills, faults=FAULTS):
    """Kill one campaign so many times if it lasts, and hold it against the witness each time."""
    with mortal(
        forked_from,
        place,
        customers=draws.choice([20, 40, 90, 200]),
        seed=draws.randrange(10**6),
        after_delete=draws.choice(["gone", "inactive"]),
        latency_ms=draws.choice([0, 0, 3]),
        has_snapshot=True,
        more={"timeout_seconds": 0.5, "concurrency": draws.choice([1, 4, 8])},
    ) as one:
        stays = one.emulator.settings.after_delete == "inactive"
        found, abort, is_right, older = [], False, True, b""
        for _ in range(4 * kills):
            if one.kills >= kills:
                break
            one.emulator.set_faults(draws.choice(faults))
            whim = at_whim(draws)
            is_right = is_right and "wall_step_seconds" not in whim
            answer = one.run(**whim, abort=abort)
            judged = {"deleted_stay_inactive": stays, "clock_is_right": is_right}
            found += one.found(**judged)
            abort = abort or answer.get("error") == "CampaignHalted"
            if answer.get("is_over"):
                break
            if one.kills < kills / 2:
                older = one.journal()
        if not one.is_over() and draws.random() < LOSSES:
            found += recovered_from(one, draws.choice(["removed", "emptied", "older"]), older)
        else:
            one.finish(abort=abort)
        found += one.found(is_over=True, **judged)
        # What is wrong is still wrong after the next kill: it is told, and counted, once.
        return one.kills, len(one.deletes()), list(dict.fromkeys(found))


def test_killed_at_whim(forked_from, tmp_path):
    """Random kills, faults and populations, a few of them; `make chaos` runs many more."""
    seed = random.randrange(10**9)
    _, _, found = killed_at_whim(forked_from, tmp_path, random.Random(seed), 4, QUICK_FAULTS)
    assert not found, seed


PARTS = 8
"""So that several processes share the work."""


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_thousand_kills(forked_from, tmp_path, chaos_seed, record_property, part):
    """A thousand random kills with random faults and populations, and not one promise broken."""
    wanted, totals, broken = 1000 // PARTS, Counter(), []
    while totals["kills"] < wanted:
        name = f"{chaos_seed}/{part}/{totals['runs']}"
        draws, place = random.Random(name), tmp_path / str(totals["runs"])
        kills, deletes, found = killed_at_whim(
            forked_from, place, draws, min(WHIMS, wanted - totals["kills"])
        )
        totals.update(runs=1, kills=kills, deletes=deletes, violations=len(found))
        broken += [f"campaign {name}: {sentence}" for sentence in found]
        if not found:
            shutil.rmtree(place)
    record_property("chaos", dict(totals))
    assert not broken
