"""Campaigns against the emulator over HTTP, and everything that refuses them."""

import asyncio
import contextlib
import dataclasses
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from campaign_bench import AS_OF, WIDE
from campaign_bench import bench as running
from cleanup_plans import make_plan

import tokenvault_data as tv
from tokenvault_data.cleanup.approval.approvals import approve_plan, read_approvals, write_approval
from tokenvault_data.cleanup.approval.keys import keygen, load_signing_key
from tokenvault_data.cleanup.approval.revocation import revoke, write_revocation
from tokenvault_data.cleanup.audit.audit import audit_cleanup
from tokenvault_data.cleanup.campaign.applying import abort_cleanup, apply_cleanup, recover_cleanup
from tokenvault_data.cleanup.campaign.campaign import Campaign
from tokenvault_data.cleanup.campaign.campaign_run import CampaignRun
from tokenvault_data.cleanup.campaign.locking import only_campaign
from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.journal.journal import FILE_NAME, Journal, JournalHead
from tokenvault_data.cleanup.ledger.ledger import Ledger
from tokenvault_data.cleanup.plan.plan_file import seal_plan
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.selection.holds import load_holds
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.cleanup.selection.rules import expired
from tokenvault_data.client.client import AsyncVault
from tokenvault_data.client.pacing.blind_search import Learned
from tokenvault_data.client.pacing.learned_rate import read_learned, write_learned
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.errors import (
    CampaignHalted,
    CampaignPaused,
    Locked,
    PlanDamaged,
    RefusedByGuardRail,
    UsageError,
)


@pytest.fixture
def bench(tmp_path):
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def whole_bench(tmp_path):
    """Also the snapshot that was planned from: a plan is held against it."""
    with running(tmp_path, has_snapshot=True) as made:
        yield made


@pytest.fixture
def long_bench(tmp_path):
    """Several times the cards that are in flight at once: a word left early is met in time."""
    with running(tmp_path, customers=200) as made:
        yield made


def journal_of(bench):
    return bench.store / "campaigns" / bench.plan.id / "journal.sqlite"


def assert_untouched(bench):
    """Nothing was sent, and no journal made."""
    assert not bench.emulator.wire_log.entries()
    assert not journal_of(bench).exists()


def still_there(bench):
    """Planned cards that the vault still lists."""
    with bench.connect() as vault:
        customers = {customer for customer, _ in bench.planned()}
        listed = {
            (customer, card["instrument_id"])
            for customer in customers
            for card in vault.list_instruments(customer)
        }
    return listed & bench.planned()


def test_canary_hold_and_the_rest(whole_bench):
    """Applied once it holds after the canary, applied again it deletes all, and each just once."""
    bench = whole_bench
    seen = []
    status = bench.apply(on_progress=seen.append)
    assert (status.state, status.done) == ("held", len(bench.plan.canary))
    assert len(bench.deletes()) == len(bench.plan.canary)
    status = bench.apply(on_progress=seen.append)
    assert status.state == "completed"
    assert status.finals == {"deleted": len(bench.plan.cards)}
    assert status.is_over
    assert sorted(bench.deletes()) == sorted(bench.planned())
    assert not still_there(bench)
    assert journal_of(bench).with_name("seal.json").exists()
    assert seen[-1] == status
    assert seen[0].state == "canary"


def test_applied_once_more_it_does_nothing(whole_bench):
    """What is over is over, and costs no request."""
    bench = whole_bench
    bench.apply()
    done = bench.apply()
    requests = len(bench.emulator.wire_log.entries())
    again = bench.apply()
    assert (again.state, again.finals) == (done.state, done.finals)
    assert len(bench.emulator.wire_log.entries()) == requests


def test_status_is_read_from_the_journal(bench):
    """What is told from the outside is what the process that worked on it told."""
    assert Campaign.open(bench.plan, bench.store).status().state == "sealed"
    bench.apply()
    told = bench.apply()
    read = Campaign.open(bench.plan, bench.store).status()
    assert read == dataclasses.replace(told, seconds_left=None)


@pytest.mark.parametrize(
    "faults",
    [
        "applied-then-500:0.3@delete;reset-before:0.2@delete",
        "unapplied:0.3@delete",
        "garbage:0.1@delete;truncated:0.1@fetch",
    ],
)
def test_the_vault_agrees_whatever_its_answers_were(tmp_path, faults):
    """Every card that is said to be gone is, and the finals add up to the plan."""
    limits = {"failures_in_row": 50, "failure_share": 1.0, "canary": 3}
    with running(tmp_path, customers=20, limits=limits, has_snapshot=True) as bench:
        bench.emulator.set_faults(faults)
        for _ in range(6):
            try:
                status = bench.apply()
            except CampaignPaused:
                continue
            if status.is_over:
                break
        bench.emulator.set_faults("")
        assert status.is_over
        assert status.done == len(bench.plan.cards)
        assert len(still_there(bench)) == status.exceptions
        keys = [one.idempotency_key for one in bench.emulator.wire_log.entries("delete")]
        assert len(set(keys)) == len(keys)


# -- what refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("confirm", ["", "yes", None, True, "delete"])
def test_no_other_phrase_starts_it(bench, confirm):
    """Only the plan's own phrase does, letter by letter."""
    phrases = [confirm, bench.plan.phrase.upper(), f"{bench.plan.phrase} "]
    for phrase in phrases:
        with pytest.raises(RefusedByGuardRail, match="confirm"):
            bench.apply(confirm=phrase)
    assert_untouched(bench)


def changed(bench, **changes):
    return dataclasses.replace(bench, plan=dataclasses.replace(bench.plan, **changes))


def wide_but(**limits):
    return Limits(**WIDE | limits)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"environment": "sandbox"}, "sandbox"),
        ({"merchant": "0123456789ab"}, "merchant"),
        ({"limits": wide_but(rate_share=0.5)}, "rate limit"),
        ({"limits": wide_but(vault_share=0.01)}, "vault_share"),
        ({"limits": wide_but(bank_share=0.01)}, "bank_share"),
        ({"limits": wide_but(per_customer=0)}, "per_customer"),
        ({"limits": wide_but(rows=1)}, "rows"),
    ],
)
def test_a_plan_that_must_not_be_applied_is_refused(bench, changes, word):
    """For another account, or over a cap: before any request and any journal."""
    other = changed(bench, **changes)
    with pytest.raises(RefusedByGuardRail, match=word):
        other.apply()
    assert_untouched(other)


@pytest.mark.parametrize(
    ("hours", "limits", "word"),
    [
        (25, {}, "was good until"),
        (25, {"plan_hours": 48.0}, "oldest card"),
        (-1, {}, "clock is wrong"),
    ],
)
def test_a_plan_is_refused_when_its_time_has_passed_or_not_come(whole_bench, hours, limits, word):
    """Good until it expires, on cards that are not too old, and not before it was made."""
    bench = whole_bench
    made = plan_cleanup(
        tv.open_snapshot(bench.store), expired(AS_OF), limits=wide_but(**limits), planner="Asha"
    )
    other = dataclasses.replace(bench, plan=made)
    clock = Clock(now=lambda: datetime.now(UTC) + timedelta(hours=hours))

    async def go(connected):
        config = bench.store / "config"
        campaign = Campaign.open(made, bench.store, connected, clock=clock, config_dir=config)
        return await campaign.apply(confirm=made.phrase)

    with bench.connect() as vault, pytest.raises(RefusedByGuardRail, match=word):
        vault.run(go)
    assert_untouched(other)


def test_a_tampered_plan_is_refused(bench):
    """A changed byte of the plan's file is found before anything is sent."""
    bench.apply()
    path = journal_of(bench).with_name("plan.json")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"cust_", b"tsuc_", 1))
    bench.emulator.wire_log.clear()
    with pytest.raises(PlanDamaged):
        bench.apply()
    assert not bench.emulator.wire_log.entries()


def trust_keys_of(config):
    """Believe the one who has a key there."""
    trusted = config / "approvers"
    trusted.mkdir(mode=0o700)
    public = next(config.rglob("*.pub"))
    (trusted / public.name).write_bytes(public.read_bytes())
    (trusted / public.name).chmod(0o600)


@pytest.fixture
def may_go_on(tmp_path):
    """What a run says of whether it may go on: a run just begun, at each call of this."""
    journals = contextlib.ExitStack()

    def begin(plan, clock, config):
        folder = tmp_path / "campaigns" / plan.id
        head = JournalHead(plan.id, plan.digest, "emulator", None, len(plan.cards), "me", "here")
        journal = journals.enter_context(Journal.open(folder / FILE_NAME, head, clock=clock.now))
        vault, memory = AsyncVault(emulator_profile()), mock.sentinel.memory
        run = CampaignRun(
            plan, folder, journal, vault, memory=memory, clock=clock, config_dir=config
        )
        return run.may_go_on

    with journals:
        yield begin


def test_an_approval_taken_back_stops_what_runs(tmp_path, may_go_on):
    """Approvals, revocations and the plan's end are looked at again every two seconds."""
    plan, config = make_plan(), tmp_path / "config"
    keygen("Ravi", directory=config)
    key, now = load_signing_key("Ravi", directory=config), [datetime.fromisoformat(plan.created_at)]
    trust_keys_of(config)
    folder = seal_plan(plan, tmp_path).parent
    clock = Clock(now=lambda: now[0])

    def said():
        return may_go_on(plan, clock, config)()

    assert "approv" in said()
    write_approval(approve_plan(plan, key, now=now[0]), folder)
    running_since_then = may_go_on(plan, clock, config)
    assert running_since_then() is said() is None
    taken_back = write_revocation(revoke(plan, key, now=now[0]), folder)
    assert running_since_then() is None  # that was just looked at
    assert "took" in said() or "revoked" in said()
    taken_back.unlink()
    now[0] = datetime.fromisoformat(plan.expires_at)
    assert "good until" in said()


def test_an_approval_that_does_not_count_is_refused_and_one_that_does_is_written_down(bench):
    """Outside production none is needed, but what is given has to be valid."""
    config = bench.store / "config"
    keygen("Ravi", directory=config)
    given = approve_plan(bench.plan, load_signing_key("Ravi", directory=config))
    with pytest.raises(RefusedByGuardRail, match="known"):
        bench.apply(approvals=[given])
    assert_untouched(bench)
    trust_keys_of(config)
    assert bench.apply(approvals=[given]).state == "held"
    assert read_approvals(journal_of(bench).parent) == [given]
    bench.apply()
    rows = sqlite3.connect(journal_of(bench)).execute(
        "SELECT detail FROM audit WHERE kind='approved'"
    )
    assert [given.fingerprint in detail for (detail,) in rows] == [True]


def test_two_at_once_are_refused(bench):
    """A second process, or a copied store, meets the same lock."""
    profile = emulator_profile(bench.emulator.base_url)
    config = bench.store / "config"
    with (
        only_campaign("emulator", profile.merchant_digest, config),
        pytest.raises(Locked, match="another cleanup"),
    ):
        bench.apply(store=bench.store / "copy")
    assert_untouched(bench)


# -- stopping and going on ------------------------------------------------------------------------


def test_a_pause_from_elsewhere_is_met_and_gone_on_from(long_bench):
    """The control file pauses; what was in flight is written down; applying again goes on."""
    bench = long_bench
    bench.apply()
    elsewhere = Campaign.open(bench.plan, bench.store)

    def report(status):
        if status.deletes > 3:
            elsewhere.pause()

    bench.emulator.set_faults("drip=0.3@fetch")
    with pytest.raises(CampaignPaused, match="asked"):
        bench.apply(on_progress=report)
    status = elsewhere.status()
    assert status.state == "paused"
    assert not status.states.get("intended")
    assert 3 < status.deletes < len(bench.plan.cards)
    bench.emulator.set_faults("")
    assert bench.apply().state == "completed"
    assert sorted(bench.deletes()) == sorted(bench.planned())


def test_a_list_that_was_named_once_holds_to_the_end(bench, tmp_path):
    """What was named for the canary is in force for the rest, though nobody names it again."""
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"{card.customer_id}\n" for card in bench.plan.cards[-3:]))
    bench.apply(holds=[path])
    path.unlink()
    status = bench.apply()
    assert status.finals["not_attempted"] >= 3
    kept = {card.customer_id for card in bench.plan.cards[-3:]}
    assert not kept & {customer for customer, _ in bench.deletes()}


def test_an_abort_while_another_campaign_is_at_work_is_refused(bench):
    """The other one would not read the word; it must not lie there for a later apply either."""
    bench.apply()
    merchant = emulator_profile(bench.emulator.base_url).merchant_digest
    config = bench.store / "config"
    with (
        only_campaign("emulator", merchant, config, plan_id="0123456789ab"),
        bench.connect() as vault,
        pytest.raises(Locked, match=r"\(plan 0123456789ab\)"),
    ):
        abort_cleanup(vault, bench.plan, store=bench.store, config_dir=config)
    assert bench.apply().state == "completed"


def test_what_a_death_at_the_very_end_left_out_is_written_without_a_client(bench):
    """Seal and last mark of the ledger; the audit holds again, and nothing was sent."""
    config, folder = bench.store / "config", journal_of(bench).parent
    campaign = Campaign.open(bench.plan, bench.store, config_dir=config)
    assert not campaign.finish()
    bench.apply()
    assert not campaign.finish()
    bench.apply()
    (folder / "seal.json").unlink()
    assert not audit_cleanup(folder, config_dir=config).proven
    bench.emulator.wire_log.clear()
    assert campaign.finish()
    assert audit_cleanup(folder, config_dir=config).proven
    assert campaign.finish()
    assert not bench.emulator.wire_log.entries()


def test_a_recovery_that_died_is_recovered_again(bench, monkeypatch):
    """What the first one wrote down is not written twice, and the audit finds nothing."""
    bench.apply()
    config, folder = bench.store / "config", journal_of(bench).parent
    journal_of(bench).unlink()

    def recover():
        with bench.connect() as vault:
            return recover_cleanup(vault, bench.plan, store=bench.store, config_dir=config)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "recovered", _die)
        with pytest.raises(RuntimeError, match="died"):
            recover()
    assert recover().is_over
    assert audit_cleanup(folder, config_dir=config).findings == ()


def _die(*_):
    raise RuntimeError("died")


@pytest.mark.parametrize("how", ["spoilt", "removed"])
def test_a_hold_list_that_is_lost_meanwhile_pauses(long_bench, monkeypatch, how):
    """Nobody knows then who is on hold: nothing more is deleted, and an abort still ends it."""
    monkeypatch.setattr("tokenvault_data.cleanup.engine.memory._LOOK_AT_HOLDS_SECONDS", 0.0)
    path = long_bench.store / "holds" / "disputes.txt"
    path.parent.mkdir()
    path.write_text("cust_9999999\n")
    used = load_holds(long_bench.store).used
    bench = dataclasses.replace(long_bench, plan=dataclasses.replace(long_bench.plan, holds=used))
    bench.apply()

    def report(status):
        if status.deletes > 3 and how == "spoilt":
            path.write_text("../x\n")
        elif status.deletes > 3:
            path.unlink(missing_ok=True)

    bench.emulator.set_faults("drip=0.3@fetch")
    with pytest.raises(CampaignPaused, match=r"the hold list \S*disputes\.txt"):
        bench.apply(on_progress=report)
    sent = bench.deletes()
    assert 3 < len(sent) < len(bench.plan.cards)
    with pytest.raises((RefusedByGuardRail, UsageError), match=r"disputes\.txt"):
        bench.apply()
    bench.emulator.set_faults("")
    with bench.connect() as vault:
        config = bench.store / "config"
        ended = abort_cleanup(vault, bench.plan, store=bench.store, config_dir=config)
    assert ended.is_over
    assert bench.deletes() == sent


def test_an_abort_ends_it_truthfully(bench):
    """Nothing more is deleted; what was never attempted is said to be so; it stays ended."""
    bench.apply()
    deleted = len(bench.deletes())
    with bench.connect() as vault:
        status = abort_cleanup(
            vault, bench.plan, store=bench.store, config_dir=bench.store / "config"
        )
    assert status.state == "aborted"
    rest = len(bench.plan.cards) - deleted
    assert status.finals == {"deleted": deleted, "not_attempted": rest}
    assert bench.apply().state == "aborted"
    assert len(bench.deletes()) == deleted


def test_what_never_began_cannot_be_aborted(bench):
    """There is nothing to end."""
    with bench.connect() as vault, pytest.raises(UsageError, match="never applied"):
        abort_cleanup(vault, bench.plan, store=bench.store)


def test_a_redirect_halts_and_only_an_abort_is_left(bench):
    """A halted campaign does not go on by itself, whoever applies it."""
    bench.apply()
    bench.emulator.set_faults("redirect-307@delete")
    with pytest.raises(CampaignHalted):
        bench.apply()
    bench.emulator.set_faults("")
    sent = len(bench.emulator.wire_log.entries())
    with pytest.raises(CampaignHalted, match="halted"):
        bench.apply()
    assert len(bench.emulator.wire_log.entries()) == sent
    assert not [one for one in bench.emulator.wire_log.entries() if "localhost" in one.host]


def test_revoked_credentials_pause(bench):
    """401 stops everything at once, and the same plan goes on with valid ones."""
    bench.apply()
    bench.emulator.set_credentials("other", "other")
    with pytest.raises(CampaignPaused, match="401"):
        bench.apply()
    bench.emulator.set_credentials(None, None)
    assert bench.apply().state == "completed"


def test_a_plan_changed_while_it_is_applied_halts(tmp_path):
    """The file is held against its digest every hundred items."""
    with running(tmp_path, customers=300) as bench:
        bench.apply()
        path = journal_of(bench).with_name("plan.json")

        def report(_status):
            path.write_bytes(path.read_bytes() + b" ")

        with pytest.raises(CampaignHalted, match="changed"):
            bench.apply(on_progress=report)
        assert len(bench.deletes()) < len(bench.plan.cards)


def test_a_cancelled_campaign_writes_down_what_was_in_flight(bench):
    """Cancelling the task pauses it: nothing is left in doubt."""
    bench.apply()
    bench.emulator.set_faults("drip=0.3@delete")

    async def cancelled():
        async with AsyncVault(emulator_profile(bench.emulator.base_url), share=1.0) as vault:
            campaign = Campaign.open(
                bench.plan, bench.store, vault, config_dir=bench.store / "config"
            )
            task = asyncio.create_task(campaign.apply(confirm=bench.plan.phrase))
            while len(bench.deletes()) < 3:  # noqa: ASYNC110  the server is a thread
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return campaign.status()

    status = asyncio.run(cancelled())
    assert status.state == "paused"
    assert not status.states.get("intended")
    assert status.deletes == len(bench.deletes())


def test_a_failing_progress_display_loses_nothing(bench):
    """What the caller's function raises comes out, and the plan can be applied again."""
    bench.apply()

    def report(_status):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.apply(on_progress=report)
    assert bench.apply().state == "completed"
    assert sorted(bench.deletes()) == sorted(bench.planned())


_APPLY = """
import sys
from pathlib import Path
import tokenvault_data as tv
from tokenvault_data.cleanup.campaign.applying import apply_cleanup
from tokenvault_data.cleanup.plan.plan_file import read_plan
from tokenvault_data.errors import CampaignPaused
from tokenvault_data.config.loading import emulator_profile
url, folder, store = sys.argv[1:]
plan = read_plan(folder)
with tv.connect(emulator_profile(url), share=1.0) as vault:
    try:
        config = Path(store) / "config"
        apply_cleanup(vault, plan, store=store, confirm=plan.phrase, config_dir=config)
    except CampaignPaused:
        sys.exit(130)
"""


def start(bench):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + _APPLY,
            bench.emulator.base_url,
            str(journal_of(bench).parent),
            str(bench.store),
        ]
    )


def wait_for_deletes(bench, count):
    until = time.monotonic() + 30
    while len(bench.deletes()) < count and time.monotonic() < until:
        time.sleep(0.005)


def test_killed_again_and_again_it_completes(bench):
    """SIGKILL at whim: each card is deleted, and each send has its own key."""
    bench.apply()
    bench.emulator.set_faults("drip=0.05")
    for kill in range(2):
        process = start(bench)
        wait_for_deletes(bench, 4 * (kill + 1))
        process.kill()
        process.wait()
    bench.emulator.set_faults("")
    status = bench.apply()
    assert status.is_over
    assert status.gone == len(bench.plan.cards)
    assert set(bench.deletes()) == bench.planned()
    assert not still_there(bench)


def test_interrupted_twice_it_still_writes_everything_down(bench):
    """Ctrl-C, and again: the process ends as paused, and nothing is in doubt."""
    bench.apply()
    bench.emulator.set_faults("drip=0.5@delete")
    process = start(bench)
    wait_for_deletes(bench, 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    status = Campaign.open(bench.plan, bench.store).status()
    assert status.state == "paused"
    assert not status.states.get("intended")
    assert status.deletes == len(bench.deletes())


def test_an_abort_from_elsewhere_is_met(long_bench):
    """Asked to abort while another holds the lock, that one does it."""
    bench = long_bench
    bench.apply()
    bench.emulator.set_faults("drip=0.3@fetch")
    results = []

    def work():
        with bench.connect() as vault:
            results.append(
                apply_cleanup(
                    vault,
                    bench.plan,
                    store=bench.store,
                    confirm=bench.plan.phrase,
                    config_dir=bench.store / "config",
                )
            )

    thread = threading.Thread(target=work)
    thread.start()
    wait_for_deletes(bench, 3)
    with bench.connect() as vault:
        abort_cleanup(vault, bench.plan, store=bench.store, config_dir=bench.store / "config")
    thread.join(60)
    (status,) = results
    assert (status.state, status.is_over) == ("aborted", True)
    assert status.finals["not_attempted"] > 0


def test_the_pace_that_was_learned_is_gone_on_with(tmp_path):
    """Where no answer tells a limit, a campaign applied again does not begin at the slowest."""
    with running(tmp_path, customers=20) as bench:
        folder = journal_of(bench).parent
        folder.mkdir(parents=True, exist_ok=True)
        write_learned(folder, Learned(3000.0, None))
        bench.emulator.set_faults("limit-headers=absent")
        assert bench.apply().state == "held"
        assert read_learned(folder).rate_per_minute >= 3000.0
